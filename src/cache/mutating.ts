import { monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import { TOKEN_LENGTH } from '../lease/lease.ts'
import type { Entries } from './entries.ts'
import { MutationError } from './errors.ts'
import type { LoadContext } from './load-context.ts'
import { fenceMsOf, type MutateOptions } from './options.ts'

/**
 * Changes the system of record behind a fence around some entries.
 *
 * Why no older value is served afterwards: the fence removes the entries and the leases of all loads under way, and while it stands no
 * lease is granted, so nothing that was loaded before the change can be stored; who loads meanwhile shares his answer with nobody who
 * comes after his load began. The end removes the entries again, which also covers a fence that was lost. Should this process die,
 * the entries are gone already, and the fence ends by itself: by then the change is made, or was not made at all.
 *
 * forget  drops what this process keeps of the entries
 * throws  the error of `fn`; that of the fence, before `fn` is called; MutationError when the end was not confirmed and the fence
 *         may have ended before the change was made
 */
export async function mutate<R>(
  room: { readonly entries: Entries; readonly signal: AbortSignal },
  ids: readonly string[],
  fn: (context: Pick<LoadContext, 'signal'>) => Promise<R> | R,
  options: MutateOptions,
  forget: () => void,
): Promise<R> {
  const fence = new Fence(room.entries, ids, fenceMsOf(options))
  const signal = options.signal === undefined ? room.signal : AbortSignal.any([room.signal, options.signal])
  const end = async () => {
    forget()
    await fence.lift().finally(forget)
  }
  try {
    await fence.raise()
  } catch (error) {
    // It may stand in some places all the same; that the change did not begin need not wait for the end of that.
    void end().catch(() => {})
    throw error
  }
  let answer: R
  try {
    forget()
    signal.throwIfAborted()
    answer = await fn({ signal })
  } catch (error) {
    // Also after an error the change may have been made.
    await end().catch(() => {})
    throw error
  }
  const stood = fence.stands()
  try {
    await end()
  } catch (error) {
    // The fence outlasted the change: it ends by itself, and what is loaded after that is new.
    if (!stood) throw new MutationError(ids, answer, error)
  }
  return answer
}

/** Keeps the fence up while the change runs. */
class Fence {
  readonly #entries: Entries
  readonly #ids: readonly string[]
  readonly #fenceMs: number
  readonly #token = randomId(TOKEN_LENGTH)
  #timer: NodeJS.Timeout | undefined
  #untilMs = 0
  #gap = false
  #renewal: Promise<void> | undefined

  constructor(entries: Entries, ids: readonly string[], fenceMs: number) {
    this.#entries = entries
    this.#ids = ids
    this.#fenceMs = fenceMs
  }

  async raise(): Promise<void> {
    const askedMs = monotonicMs()
    await this.#entries.fence(this.#ids, this.#token, this.#fenceMs)
    this.#untilMs = askedMs + this.#fenceMs
    this.#timer = setInterval(() => {
      this.#renewal ??= this.#renew().finally(() => {
        this.#renewal = undefined
      })
    }, this.#fenceMs / 3).unref()
  }

  async #renew(): Promise<void> {
    const askedMs = monotonicMs()
    try {
      await this.#entries.fence(this.#ids, this.#token, this.#fenceMs, Math.round(this.#fenceMs / 3))
    } catch {
      return
    }
    // It may have ended before this one was put up.
    if (monotonicMs() >= this.#untilMs) this.#gap = true
    this.#untilMs = askedMs + this.#fenceMs
  }

  /** True when it has stood without a gap until now, by our own clock. */
  stands(): boolean {
    return !this.#gap && monotonicMs() < this.#untilMs
  }

  async lift(): Promise<void> {
    clearInterval(this.#timer)
    // A renewal that is still on its way would close the entries again.
    await this.#renewal
    await this.#entries.lift(this.#ids, this.#token)
  }
}
