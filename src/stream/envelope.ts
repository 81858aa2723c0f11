/**
 * How a job is written: a head of 7-bit letters, then its payload, which no script reads. `lua/parts/envelope.lua` knows the same.
 *
 *     flags(1) used(1) id length(1) id
 *     then, where the flags say so:
 *     2   priority: length(1), digits     8   group: length(2), text      32  types: length(4), text
 *     4   when it was added: 13 digits    16  options: length(2), text       64  it waits by exact rank
 */
export interface Envelope {
  readonly id: string
  /** The id is the user's: no other job may have it while this one exists. */
  readonly isNamed: boolean
  /** Attempts that were made before. */
  readonly used: number
  readonly priority: number
  /** When it was added, in ms of the server's clock; undefined for one whose entry says so. */
  readonly addedAtMs: number | undefined
  readonly group: string | undefined
  /** What its adder set for it alone, as JSON; '' for nothing. */
  readonly options: string
  /** What of the payload is not JSON; see `base/codec.ts`. */
  readonly types: string
  readonly payload: string
}

const NAMED = 1
const PRIORITY = 2
const ADDED = 4
const GROUP = 8
const OPTIONS = 16
const TYPES = 32
const RANKED = 64

/** Most bytes of an id or a group. */
export const LONGEST_ID = 120
/** What its length is written in has no more: a child's is longer than its parent's. */
export const LONGEST_WRITTEN_ID = 127
/** More attempts are not counted. */
export const MOST_ATTEMPTS = 120

/** What is to be written. `isRanked`: it waits by its exact priority, not in a lane. */
export type NewEnvelope = Pick<Envelope, 'id' | 'isNamed' | 'payload'> &
  Partial<Pick<Envelope, 'priority' | 'group' | 'options' | 'types'>> & { readonly isRanked?: boolean }

export function writeEnvelope(envelope: NewEnvelope): string {
  const { id, isNamed, isRanked, priority = 0, group, options = '', types = '', payload } = envelope
  let flags = (isNamed ? NAMED : 0) | (isRanked === true ? RANKED : 0)
  let rest = ''
  if (priority !== 0) {
    flags |= PRIORITY
    const digits = String(priority)
    rest += String.fromCharCode(digits.length) + digits
  }
  if (group !== undefined) {
    flags |= GROUP
    rest += lengthOf(group, 2) + group
  }
  if (options !== '') {
    flags |= OPTIONS
    rest += lengthOf(options, 2) + options
  }
  if (types !== '') {
    flags |= TYPES
    rest += lengthOf(types, 4) + types
  }
  const idBytes = isNamed ? Buffer.byteLength(id) : id.length
  return String.fromCharCode(flags, 0, idBytes) + id + rest + payload
}

/** A length as letters of seven bits each. */
function lengthOf(text: string, letters: number): string {
  let length = Buffer.byteLength(text)
  let written = ''
  for (let i = 0; i < letters; i++) {
    written = String.fromCharCode(length & 127) + written
    length >>>= 7
  }
  return written
}

/** Reads the envelope that stands in `bytes` from `start` to `end`. */
export function readEnvelope(bytes: Buffer, start: number, end: number): Envelope {
  const flags = bytes[start] as number
  const used = bytes[start + 1] as number
  let at = start + 3 + (bytes[start + 2] as number)
  const id = bytes.toString('utf8', start + 3, at)
  let priority = 0
  let addedAtMs: number | undefined
  let group: string | undefined
  let options = ''
  let types = ''
  if (flags > NAMED) {
    const text = (letters: number) => {
      let length = 0
      for (let i = 0; i < letters; i++) length = length * 128 + (bytes[at++] as number)
      at += length
      return bytes.toString('utf8', at - length, at)
    }
    if (flags & PRIORITY) priority = Number(text(1))
    if (flags & ADDED) {
      addedAtMs = Number(bytes.toString('latin1', at, at + 13))
      at += 13
    }
    if (flags & GROUP) group = text(2)
    if (flags & OPTIONS) options = text(2)
    if (flags & TYPES) types = text(4)
  }
  const payload = bytes.toString('utf8', at, end)
  return { id, isNamed: (flags & NAMED) !== 0, used, priority, addedAtMs, group, options, types, payload }
}
