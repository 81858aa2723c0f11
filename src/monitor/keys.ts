import type { Key, Keyspace } from '../redis/keyspace.ts'
import { type Cell, cellOf, TIERS } from './tiers.ts'

/**
 * The keys of one metric, all of one hash tag, and the list of names. For `checkout` in the namespace `shop`:
 *
 *     {shop:monitor:checkout}:m29384756  hash  one minute: n: count, e: errors, s: sum in thousandths, lo, hi: least and most;
 *     {shop:monitor:checkout}:h489745    hash  one hour    by the number of a bucket, how many values fell into it; and in
 *     {shop:monitor:checkout}:d20406     hash  one day     minutes w:<process>: the last batch of each that was added
 *     {shop:monitors:}                   zset  names, by when they were last written
 *
 * Each cell ends by itself when no window asks for it any more, a name when the last of its cells does.
 */
export class MonitorKeys {
  readonly #keyspace: Keyspace
  readonly names: Key
  /** Patterns over all of them, for the manifest of rights. */
  readonly patterns: readonly string[]

  constructor(keyspace: Keyspace) {
    this.#keyspace = keyspace
    this.names = keyspace.entity('monitors', '')
    this.patterns = [`{${keyspace.stem('monitor')}*`, this.names]
  }

  cell(name: string, { tier, index }: Cell): Key {
    return `${this.#keyspace.entity('monitor', name)}:${tier.letter}${index}` as Key
  }

  /** The cells of one moment, in every tier, the finest first. */
  cellsAt(name: string, atMs: number): readonly Key[] {
    return TIERS.map((tier) => this.cell(name, cellOf(tier, atMs)))
  }
}
