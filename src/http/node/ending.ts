import type { ServerResponse } from 'node:http'

/** Calls `work` once the response has ended, however it does: sent, broken off by its client, or failed. */
export function whenClosed(response: ServerResponse, work: () => void): void {
  if (response.closed) work()
  else response.once('close', work)
}

/** Calls `work` once the handler has answered to the end; not where the client left before that. */
export function whenAnswered(response: ServerResponse, work: () => void): void {
  let told = false
  const tell = (): void => {
    if (told || !response.writableEnded) return
    told = true
    work()
  }
  // Once its last byte is on its way, so that who asks again then finds it done; or when it can get no further.
  response.once('finish', tell)
  whenClosed(response, tell)
}
