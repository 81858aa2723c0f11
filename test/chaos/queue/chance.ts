/** Chance that a seed repeats. */
export interface Chance {
  /** From 0 up to 1. */
  (): number
  /** A whole number below `below`. */
  below(below: number): number
}

/** The same numbers for the same seed. */
export function chanceOf(seed: number): Chance {
  let state = seed * 2654435761
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return Object.assign(next, { below: (below: number) => Math.floor(next() * below) })
}

/** In another order. */
export function shuffle<T>(items: readonly T[], chance: Chance): T[] {
  const left = [...items]
  return items.map(() => left.splice(chance.below(left.length), 1)[0] as T)
}
