/**
 * A signal whose `aborted` looks at the clocks when it is read. After a pause of the process, code may run before any timer does: a
 * plain signal would still say that all is well.
 *
 * check  called at each look; it aborts `controller` when it is time
 */
export function lossSignal(controller: AbortController, check: () => void): AbortSignal {
  const { signal } = controller
  const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')?.get as () => boolean
  return Object.defineProperties(signal, {
    aborted: {
      get: () => {
        check()
        return aborted.call(signal)
      },
    },
    throwIfAborted: {
      value: () => {
        check()
        if (aborted.call(signal)) throw signal.reason
      },
    },
  })
}
