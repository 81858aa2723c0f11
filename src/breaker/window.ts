/** Parts of a window: it forgets one of them at a time, so it covers between nine and ten tenths of its length. */
const SLICES = 10

/** Calls of the last while, counted in ten slices of time: no list of calls, whatever their number. */
export class Window {
  readonly #sliceMs: number
  readonly #slices = Array.from({ length: SLICES }, () => ({ index: -1, calls: 0, failed: 0, slow: 0 }))

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / SLICES
  }

  count(failed: boolean, slow: boolean, nowMs: number): void {
    const index = Math.floor(nowMs / this.#sliceMs)
    const slice = this.#slices[index % SLICES] as { index: number; calls: number; failed: number; slow: number }
    if (slice.index !== index) Object.assign(slice, { index, calls: 0, failed: 0, slow: 0 })
    slice.calls++
    if (failed) slice.failed++
    if (slow) slice.slow++
  }

  totals(nowMs: number): { readonly calls: number; readonly failed: number; readonly slow: number } {
    const oldest = Math.floor(nowMs / this.#sliceMs) - SLICES + 1
    const sum = { calls: 0, failed: 0, slow: 0 }
    for (const { index, calls, failed, slow } of this.#slices) {
      if (index < oldest) continue
      sum.calls += calls
      sum.failed += failed
      sum.slow += slow
    }
    return sum
  }

  clear(): void {
    for (const slice of this.#slices) slice.index = -1
  }
}
