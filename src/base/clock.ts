/** Milliseconds that only ever grow, at the same pace whatever happens to the wall clock. For waits and deadlines. */
export const monotonicMs = (): number => performance.now()

/** The longest wait of one timer: Node runs a longer one at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A wait that ends early, with `signal.reason`, when the signal fires. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  for (let leftMs = ms; leftMs > LONGEST_TIMER_MS; leftMs -= LONGEST_TIMER_MS) await wait(LONGEST_TIMER_MS, signal)
  await wait(ms % LONGEST_TIMER_MS, signal)
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** `work`, or a rejection with `signal.reason` as soon as the signal fires. The work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  if (signal.aborted) {
    work.catch(() => {})
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
