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
/** Reads `<state><endedAtMs>|<expiresAtMs>|<seats>|<cells>|<bytes of customer>|<customer><payment>`; undefined where it is not that. */
export function parseRecord(text: string): HoldRecord | undefined {
  const state = STATES[text[0] as string]
  const heads = text.split('|', 5)
  const [ended = '', expires, seats, packed = '', bytes] = heads
  if (state === undefined || bytes === undefined || ended.length !== 14) return undefined
  const rest = text.slice(heads.join('|').length + 1)
  // The length counts bytes: for plain text, which most is, bytes are characters.
  const plain = Buffer.byteLength(rest) === rest.length
  const tail = plain ? undefined : Buffer.from(rest)
  const length = Number(bytes)
  const customer = customerOf(tail === undefined ? rest.slice(0, length) : tail.subarray(0, length).toString())
  const cells = unpackCells(packed)
  const endedAtMs = Number(ended.slice(1))
  const expiresAtMs = Number(expires)
  if (customer === undefined || cells === undefined || cells.length === 0 || cells.length !== Number(seats))
    return undefined
  if (!Number.isInteger(endedAtMs) || !Number.isInteger(expiresAtMs)) return undefined
  const payment = tail === undefined ? rest.slice(length) : tail.subarray(length).toString()
  return { state, endedAtMs, expiresAtMs, cells, packed, customer, payment }
}
