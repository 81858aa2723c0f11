import { messageOf } from './errors.ts'

/**
 * A function of the user's that is told of something, such as `onError`: what it throws, or rejects with, is warned of. Whoever tells it has
 * work to go on with, and an error that nobody catches would end the process.
 */
export function guarded<A extends readonly unknown[]>(
  name: string,
  listener: ((...told: A) => unknown) | undefined,
): (...told: A) => void {
  if (listener === undefined) return () => {}
  const warn = (thrown: unknown) =>
    process.emitWarning(`holdfast: ${name} threw: ${messageOf(thrown)}`, { code: 'HOLDFAST_ON_ERROR' })
  return (...told) => {
    try {
      const answer = listener(...told)
      if (typeof (answer as PromiseLike<unknown> | undefined | null)?.then === 'function')
        Promise.resolve(answer).catch(warn)
    } catch (thrown) {
      warn(thrown)
    }
  }
}
