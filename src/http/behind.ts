import type { HeaderList } from './headers.ts'

/**
 * Requests that the cache makes itself, to have something made anew that it has served stale. No client waits for them, and none is to be
 * charged for them.
 */
const requests = new WeakMap<object, HeaderList | undefined>()
/** Where a request must go through a framework's own front door, it says so by one of these, of this process alone. */
const secrets = new Set<string>()

export const BEHIND_HEADER = 'holdfast-behind'

export function markBehind(request: object): void {
  requests.set(request, undefined)
}

/** Such a request has come to a cache: `headers` are what middleware before that has set. Of several caches the first one counts. */
export function noteBefore(request: object, headers: HeaderList): void {
  if (requests.get(request) === undefined) requests.set(request, headers)
}

export const notedBefore = (request: object): HeaderList | undefined => requests.get(request)

export function keepSecret(secret: string): string {
  secrets.add(secret)
  return secret
}

/** `said`: its header, where it came through a front door. */
export const isBehind = (request: object, said?: unknown): boolean =>
  requests.has(request) || (typeof said === 'string' && secrets.has(said))
