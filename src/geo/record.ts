import { ValueError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import type { Position } from './sphere.ts'

/** Where a place is, as it is stored, exactly as it was given: eight bytes of its longitude, eight of its latitude. */
const POSITION = 16
/** Of a split set, a stamp after it: four bytes of when it was put there, in seconds since 1970. */
const STAMP = 4
/** And a token, one for each time that a place was put there: whoever clears an old entry away means that one alone. */
const TOKEN = 4

export const bytesOf = (split: number): number => (split === 1 ? POSITION : POSITION + STAMP + TOKEN)

/** `nowMs`: the stamp of a split set. */
export function packPosition({ lon, lat }: Position, split: number, nowMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(bytesOf(split))
  // No -0: one place is spelt in one way.
  bytes.writeDoubleLE(lon + 0, 0)
  bytes.writeDoubleLE(lat + 0, 8)
  if (split === 1) return bytes
  bytes.writeUInt32LE(Math.floor(nowMs / 1_000) % 2 ** 32, POSITION)
  bytes.write(randomId(6), POSITION + STAMP, TOKEN, 'base64url')
  return bytes
}

export function readPosition(bytes: Buffer, where: string): Position {
  if (bytes.length < POSITION) throw new ValueError('VALUE_UNREADABLE', where, 'is no place of ours')
  return { lon: bytes.readDoubleLE(0), lat: bytes.readDoubleLE(8) }
}

/** When a place of a split set was put there, in seconds since 1970. */
export const readStamp = (bytes: Buffer): number => bytes.readUInt32LE(POSITION)

/** The member of a zset of cells. */
export const memberOf = (position: Buffer, id: string): Buffer => Buffer.concat([position, Buffer.from(id)])
