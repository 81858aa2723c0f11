/**
 * - `gcra`: `limit` at once, and then one each `per / limit`, evenly; unused time is saved up to `burst`.
 * - `bucket`: the same arithmetic, told as tokens: a bucket of `burst` tokens, refilled at `limit` in each `per`.
 * - `fixed`: `limit` in a window of `per` that begins with the first one.
 * - `sliding`: `limit` by two windows of the clock, the past one weighted by what is left of it. Approximate.
 * - `log`: never more than `limit` in any span of `per`. Keeps one entry for each call admitted.
 * - `concurrency`: at most `limit` at a time; `per` is how long a permit lasts that nobody gives back.
 */
export type Algorithm = 'gcra' | 'fixed' | 'sliding' | 'log' | 'bucket' | 'concurrency'

/** Each algorithm's letter: the scripts know it by that, and it is the first of the field's name. */
export const LETTERS: Readonly<Record<Algorithm, string>> = {
  gcra: 'g',
  bucket: 'b',
  fixed: 'f',
  sliding: 's',
  log: 'l',
  concurrency: 'c',
}

/** A rule with every default in place. */
export interface Rule {
  readonly name: string
  readonly algorithm: Algorithm
  readonly limit: number | ((id: string) => number)
  readonly perMs: number
  readonly perUs: number
  /** Most at once, where it is not the limit. */
  readonly burst: number | undefined
  /** Names its state: the algorithm's letter, `perUs`, and what tells it from another rule of the same two. */
  readonly field: string
}

/** What a rule comes to for one call: its limit, and most at once. */
export interface Bounds {
  readonly limit: number
  readonly most: number
}

/** Of algorithms that keep a key of their own. */
export const hasOwnKey = ({ algorithm }: Pick<Rule, 'algorithm'>): boolean =>
  algorithm === 'log' || algorithm === 'concurrency'
