import type { Slots } from '../base/cron.ts'

/**
 * What becomes of slots that came while no process was there to add their jobs. `one`: the latest gets its job; `skip`: none does;
 * `all`: each does, but only the latest `all` of them, 1 to 100.
 */
export type Missed = 'skip' | 'one' | { readonly all: number }

/** A slot is missed once nobody has added its job for so long; until then it is late. */
const LATE_MS = 60_000
/** How far back is looked at first. */
const FIRST_SPAN_MS = 60_000

/** Which slots get a job now, in their order, and which is next; undefined where there is none for centuries. */
export function dueSlots(
  slots: Slots,
  firstMs: number,
  nowMs: number,
  missed: Missed,
): { readonly run: readonly number[]; readonly nextMs: number | undefined } {
  const nextMs = slots.next(nowMs)
  if (firstMs > nowMs) return { run: [], nextMs: firstMs }
  const latest = latestSlots(slots, firstMs, nowMs, typeof missed === 'object' ? missed.all : 1)
  const run = missed === 'skip' ? latest.filter((slot) => nowMs - slot < LATE_MS) : latest
  return { run, nextMs }
}

/** The last `count` slots from `firstMs` to `nowMs`, looked for backwards: years of seconds may lie between. */
function latestSlots(slots: Slots, firstMs: number, nowMs: number, count: number): readonly number[] {
  for (let span = FIRST_SPAN_MS; ; span *= 4) {
    const fromMs = Math.max(firstMs - 1, nowMs - span)
    const found: number[] = []
    for (let at = slots.next(fromMs); at !== undefined && at <= nowMs; at = slots.next(at)) {
      found.push(at)
      if (found.length > count) found.shift()
    }
    if (found.length === count || fromMs < firstMs) {
      // The slot that was waited for counts, also where the schedule's own reckoning has changed since, as a time zone's rules do.
      return found.length > 0 ? found : [firstMs]
    }
  }
}
