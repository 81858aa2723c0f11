import { ValueError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import type { Position } from './sphere.ts'

/** Where a place is, as it is stored, exactly as it was given: eight bytes of its longitude, eight of its latitude. */
const POSITION = 16
/** Of a split set, a token after it, one for each time that a place was put there: whoever clears an old entry away means that one alone. */
const TOKEN = 8

export const bytesOf = (split: number): number => (split === 1 ? POSITION : POSITION + TOKEN)

export function packPosition({ lon, lat }: Position, split: number): Buffer {
  const bytes = Buffer.allocUnsafe(bytesOf(split))
  // No -0: one place is spelt in one way.
  bytes.writeDoubleLE(lon + 0, 0)
  bytes.writeDoubleLE(lat + 0, 8)
  if (split > 1) bytes.write(randomId(TOKEN), POSITION, 'latin1')
  return bytes
}

export function readPosition(bytes: Buffer, where: string): Position {
  if (bytes.length < POSITION) throw new ValueError('VALUE_UNREADABLE', where, 'is no place of ours')
  return { lon: bytes.readDoubleLE(0), lat: bytes.readDoubleLE(8) }
}

/** The member of a zset of cells. */
export const memberOf = (position: Buffer, id: string): Buffer => Buffer.concat([position, Buffer.from(id)])
