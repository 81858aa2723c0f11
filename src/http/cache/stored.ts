import { isUtf8 } from 'node:buffer'
import type { HeaderList } from '../headers.ts'

/** A response as it lies in the cache, compact and readable in redis-cli. */
export interface StoredResponse {
  readonly kind: 'response'
  readonly status: number
  readonly headers: HeaderList
  /** A text where the bytes are one. */
  readonly body: string | Buffer
  /** When it came, in ms of the wall clock. */
  readonly atMs: number
  /** How old it was then. */
  readonly ageMs: number
  readonly freshMs: number
  readonly swrMs: number
  readonly sieMs: number
  /** `must`: never served stale. `shared`: not for a client's max-stale. `no-cache`: never without asking the handler. */
  readonly rule: '' | 'must' | 'shared' | 'no-cache'
  /** Says itself that requests with credentials may be given it: of Authorization, of cookies. */
  readonly open: '' | 'authorization' | 'all'
  /** True when its validators are the handler's own, so that it can be asked whether they still hold. */
  readonly asks: boolean
  /** What of the request it was chosen by, where it is one of several. */
  readonly select: string
  readonly tags: readonly string[]
}

/** Stands at a URL whose responses differ by request headers: says by which. */
export interface VaryRecord {
  readonly kind: 'vary'
  /** Names of request headers, sorted. */
  readonly vary: readonly string[]
  /** Part of every variant's name, so that who removes this record removes them all. */
  readonly mark: string
  readonly tags: readonly string[]
}

/** What was found in the cache, or undefined for anything that no version of this wrote. */
export function readStored(value: unknown): StoredResponse | VaryRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, headers, body, vary } = value as Partial<StoredResponse & VaryRecord> & { kind?: unknown }
  if (kind === 'vary') return Array.isArray(vary) ? (value as VaryRecord) : undefined
  const isWhole = kind === 'response' && Array.isArray(headers) && (typeof body === 'string' || Buffer.isBuffer(body))
  return isWhole ? (value as StoredResponse) : undefined
}

export const packBody = (bytes: Uint8Array): string | Buffer => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return isUtf8(buffer) ? buffer.toString('utf8') : buffer
}

export const bytesOf = ({ body }: StoredResponse): Buffer => (typeof body === 'string' ? Buffer.from(body) : body)

/** Tags of what is stored: give it to the cache as its `tags`. */
export const responseTags = (value: unknown): readonly string[] => readStored(value)?.tags ?? []
