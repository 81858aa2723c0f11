import { encodeLayout, type Layout } from './layout.ts'

/** Which of several first lists counts, as far as what was heard of their shards says. */
export interface Contest {
  /** Version 1: it is final, and everybody who hears all shards comes to the same. Version 0: it is not. */
  readonly layout: Layout
  /** Not final, and followed all the same: more than half of its shards have it, and the others are away. */
  readonly isGuess: boolean
}

/**
 * Processes with different addresses may write first lists at once. Each shard keeps the first that reaches it, so a list that is on all
 * of its shards is the only one that is, and counts. Where every list has lost a shard to another none can get there, and
 * the one with the greatest text counts.
 *
 * lists    of version 0, one of each origin
 * heard    what a shard's record said: null for nothing, undefined where it was not asked, or could not be
 * returns  undefined without lists, and where more than half of the best one's shards are away
 */
export function contest(
  lists: readonly Layout[],
  heard: (name: string) => Layout | null | undefined,
): Contest | undefined {
  const standing = lists.map((layout) => {
    const records = layout.shards.map(({ name }) => heard(name))
    const having = records.filter((record) => record?.origin === layout.origin).length
    const empty = records.filter((record) => record === null).length
    const away = records.filter((record) => record === undefined).length
    return { layout, records, having, isOpen: empty > 0, isAlive: having + empty + away === records.length }
  })
  const whole = standing.find(({ having, records }) => having === records.length)
  if (whole !== undefined) return { layout: { ...whole.layout, version: 1 }, isGuess: false }
  const alive = standing.filter(({ isAlive }) => isAlive)
  const best = (alive.length > 0 ? alive : standing).toSorted((a, b) =>
    encodeLayout(a.layout) > encodeLayout(b.layout) ? -1 : 1,
  )[0]
  if (best === undefined) return undefined
  const { layout, isOpen, having, records } = best
  if (alive.length === 0) {
    const origin = lists
      .flatMap((one) => one.origin.split('|'))
      .sort()
      .join('|')
    return { layout: { ...layout, origin, version: 1 }, isGuess: false }
  }
  if (isOpen) return { layout, isGuess: false }
  return having * 2 > records.length ? { layout, isGuess: true } : undefined
}
