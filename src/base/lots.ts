/** `items` in lots of at most `most` that have the same group, each in the order in which it came. */
export function lotsBy<T>(items: readonly T[], groupOf: (item: T) => unknown, most: number): readonly (readonly T[])[] {
  const open = new Map<unknown, T[]>()
  const lots: T[][] = []
  for (const item of items) {
    const group = groupOf(item)
    let lot = open.get(group)
    if (lot === undefined || lot.length === most) {
      lot = []
      lots.push(lot)
      open.set(group, lot)
    }
    lot.push(item)
  }
  return lots
}
