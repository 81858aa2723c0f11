import { unpackCells } from './cells.ts'
import { customerOf } from './keys.ts'

/** How a hold stands: held, or how it ended. */
export type HoldState = 'held' | 'confirmed' | 'released' | 'expired'

/** A hold as the event keeps it. */
export interface HoldRecord {
  readonly state: HoldState
  /** When it was confirmed, released or ran out; 0 while it is held. */
  readonly endedAtMs: number
  readonly expiresAtMs: number
  readonly cells: readonly number[]
  /** `cells` as they are stored. */
  readonly packed: string
  readonly customer: string
  readonly payment: string
}

const STATES: Readonly<Record<string, HoldState>> = { h: 'held', s: 'confirmed', r: 'released', e: 'expired' }
const FORM = /^([hsre])(\d{13})\|(\d+)\|(\d+)\|([\d,-]+)\|(\d+)\|/

/** Reads `<state><endedAtMs>|<expiresAtMs>|<seats>|<cells>|<bytes of customer>|<customer><payment>`; undefined where it is not that. */
export function parseRecord(text: string): HoldRecord | undefined {
  const match = FORM.exec(text)
  if (match === null) return undefined
  const [head, letter, ended, expires, seats, packed, bytes] = match as unknown as string[]
  const cells = unpackCells(packed as string)
  // The length counts bytes: for plain text, which most is, bytes are characters.
  const rest = text.slice((head as string).length)
  const plain = Buffer.byteLength(rest) === rest.length
  const tail = plain ? undefined : Buffer.from(rest)
  const length = Number(bytes)
  const field = tail === undefined ? rest.slice(0, length) : tail.subarray(0, length).toString()
  const customer = customerOf(field)
  const state = STATES[letter as string]
  if (cells === undefined || cells.length !== Number(seats) || customer === undefined || state === undefined)
    return undefined
  return {
    state,
    endedAtMs: Number(ended),
    expiresAtMs: Number(expires),
    cells,
    packed: packed as string,
    customer,
    payment: tail === undefined ? rest.slice(length) : tail.subarray(length).toString(),
  }
}
