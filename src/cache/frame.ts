import { decode, encode } from '../base/codec.ts'
import { ValueError } from '../base/errors.ts'

/**
 * What is stored for an entry: one string.
 *
 *   0      0xF5, which no text of UTF-8 starts with     1      version of the frame
 *   2      flags                                        3      0, kept for later
 *   4–9    when it turns stale, in ms of the server's clock
 *   10…    with tags: u16 length, then for each: u16 length and name, u8 length and epoch
 *   …      with types: u32 length, then the list of what is not JSON (base/codec.ts)
 *   …      the JSON
 *
 * An unknown first byte or version is no error but a miss: another version of the application, or another library, wrote it.
 */
const MAGIC = 0xf5
const VERSION = 1
const HEADER_BYTES = 10

const TAGGED = 1
const TYPED = 2
/** All of the JSON is ASCII: read without looking for longer letters. */
const ASCII = 4

/** A tag with the epoch it had when the entry's load began. */
export interface TagStamp {
  readonly tag: string
  readonly epoch: string
}

export interface Entry {
  readonly value: unknown
  /** When it turns stale, in ms of the server's clock. */
  readonly staleAtMs: number
  readonly tags: readonly TagStamp[]
  readonly bytes: number
}

const NO_TAGS: readonly TagStamp[] = []

export function encodeFrame(value: unknown, staleAtMs: number, tags: readonly TagStamp[] = NO_TAGS): Buffer {
  const { json, types } = encode(value)
  const jsonBytes = Buffer.byteLength(json)
  const typeBytes = types === '' ? 0 : 4 + Buffer.byteLength(types)
  let tagBytes = tags.length === 0 ? 0 : 2
  for (const { tag, epoch } of tags) tagBytes += 3 + Buffer.byteLength(tag) + epoch.length
  const frame = Buffer.allocUnsafe(HEADER_BYTES + tagBytes + typeBytes + jsonBytes)
  const ascii = jsonBytes === json.length
  frame[0] = MAGIC
  frame[1] = VERSION
  frame[2] = (tagBytes === 0 ? 0 : TAGGED) | (typeBytes === 0 ? 0 : TYPED) | (ascii ? ASCII : 0)
  frame[3] = 0
  frame.writeUIntBE(staleAtMs, 4, 6)
  let at = HEADER_BYTES
  if (tagBytes > 0) {
    at = frame.writeUInt16BE(tagBytes - 2, at)
    for (const { tag, epoch } of tags) {
      const length = frame.write(tag, at + 2)
      frame.writeUInt16BE(length, at)
      at = frame.writeUInt8(epoch.length, at + 2 + length)
      at += frame.write(epoch, at, 'latin1')
    }
  }
  if (typeBytes > 0) {
    at = frame.writeUInt32BE(typeBytes - 4, at)
    at += frame.write(types, at)
  }
  if (ascii) frame.write(json, at, 'latin1')
  else frame.write(json, at)
  return frame
}

/** The entry in a frame, or undefined for bytes that this version cannot read. */
export function decodeFrame(frame: Buffer): Entry | undefined {
  if (frame.length < HEADER_BYTES || frame[0] !== MAGIC || frame[1] !== VERSION) return undefined
  const flags = frame[2] as number
  if (flags > 7) return undefined
  let at = HEADER_BYTES
  try {
    let tags = NO_TAGS
    if (flags & TAGGED) {
      const end = at + 2 + frame.readUInt16BE(at)
      tags = decodeTags(frame, at + 2, end)
      at = end
    }
    let types = ''
    if (flags & TYPED) {
      const end = at + 4 + frame.readUInt32BE(at)
      types = frame.toString('utf8', at + 4, end)
      at = end
    }
    const json = frame.toString(flags & ASCII ? 'latin1' : 'utf8', at)
    return { value: decode(json, types), staleAtMs: frame.readUIntBE(4, 6), tags, bytes: frame.length }
  } catch (error) {
    if (error instanceof ValueError || error instanceof RangeError) return undefined
    throw error
  }
}

function decodeTags(frame: Buffer, start: number, end: number): readonly TagStamp[] {
  const tags: TagStamp[] = []
  let at = start
  while (at < end) {
    const nameEnd = at + 2 + frame.readUInt16BE(at)
    const epochEnd = nameEnd + 1 + frame.readUInt8(nameEnd)
    tags.push({ tag: frame.toString('utf8', at + 2, nameEnd), epoch: frame.toString('latin1', nameEnd + 1, epochEnd) })
    at = epochEnd
  }
  return tags
}
