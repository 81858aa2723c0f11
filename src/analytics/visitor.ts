import { hash } from 'node:crypto'

/** A visitor as far as anybody needs to know: two independent parts of a hash, of which neither tells who it is. */
export interface Visitor {
  /** 64 bits as 16 letters: two of a thousand million visitors share them once in forty times. */
  readonly id: string
  /** 32 bits that decide whether a sample holds the visitor, the same in every sample. */
  readonly rank: number
}

export function visitorOf(name: string): Visitor {
  // 0.6 µs in one call; with an object for it in between 2.4 µs.
  const hex = hash('sha1', name)
  return { id: hex.slice(0, 16), rank: Number.parseInt(hex.slice(16, 24), 16) }
}

const MOST_BYTES = 512

/**
 * An item as it is kept: what is longer than 512 bytes by its start and a hash of the whole, and half a character as U+FFFD, as which it crosses the
 * wire; for what a visitor asks for is no error of ours.
 */
export function shortened(item: string): string {
  if (item.length * 3 <= MOST_BYTES || Buffer.byteLength(item) <= MOST_BYTES)
    return (item as string & { toWellFormed(): string }).toWellFormed()
  const start = Buffer.from(item)
    .subarray(0, 480)
    .toString()
    .replace(/\ufffd$/, '')
  return `${start}…${hash('sha1', item).slice(0, 16)}`
}
