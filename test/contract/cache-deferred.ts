/** A promise that the test settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] = () => {}
  let reject: Deferred<T>['reject'] = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** A loader that tells when it was called, and answers when the test says so. */
export function gate<T>() {
  const began = deferred()
  const answer = deferred<T>()
  let calls = 0
  const load = () => {
    calls++
    began.resolve()
    return answer.promise
  }
  return {
    load,
    /** Resolves when it was first called. */
    began: began.promise,
    answer: answer.resolve,
    fail: answer.reject,
    get calls() {
      return calls
    },
  }
}
