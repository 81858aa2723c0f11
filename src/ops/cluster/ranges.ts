import { ConfigError } from '../../base/errors.ts'
import { SLOTS } from '../../redis/slots.ts'

/** Slots in ascending order as ranges, first and last: `[[0, 99], [200, 200]]`. */
export type SlotRange = readonly [first: number, last: number]

export function toRanges(slots: Iterable<number>): readonly SlotRange[] {
  const ranges: [number, number][] = []
  for (const slot of [...slots].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && slot <= last[1] + 1) last[1] = slot
    else ranges.push([slot, slot])
  }
  return ranges
}

export function fromRanges(ranges: readonly SlotRange[]): readonly number[] {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
}

/** `0-99 200`; a dash for none. */
export function showRanges(ranges: readonly SlotRange[], separator = ' '): string {
  if (ranges.length === 0) return '-'
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(separator)
}

/** Slots as a person writes them, `0-99,200`, each once and in ascending order; or a ConfigError. */
export function parseSlots(text: string): readonly number[] {
  const ranges = text.split(',').map((part) => {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim())
    const [first, last] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])]
    if (found === null || first > last || last >= SLOTS)
      throw new ConfigError('slots', `slots of 0 to ${SLOTS - 1}, such as 0-99,200`, text)
    return [first, last] as const
  })
  return [...new Set(fromRanges(ranges))].sort((a, b) => a - b)
}
