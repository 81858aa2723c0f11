import { decode } from '../base/codec.ts'

/** One entry of a log. */
export interface LogEntry<T> {
  /** `ms-seq`, the ms by the server's clock: sorts as it was appended. Of one that was redriven, its first. */
  readonly id: string
  /** Its number in the log, from 1; without gaps, but for those that were redriven to one group. */
  readonly position: number
  readonly data: T
  /** What it is about, as its appender said; else ''. */
  readonly key: string
  /** When it was appended, in ms since 1970 by the server's clock. */
  readonly atMs: number
}

export const atMsOf = (id: string): number => Number(id.slice(0, id.indexOf('-')))

/** An entry from its stored parts. */
export function toEntry<T>(
  id: string,
  position: string | number,
  json: string,
  types: string,
  key: string,
): LogEntry<T> {
  return { id, position: Number(position), data: decode(json, types) as T, key, atMs: atMsOf(id) }
}

/** The named fields of a stream's entry, as the server answers it. */
export function fieldsOf(flat: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] as string, flat[i + 1] as string)
  return fields
}
