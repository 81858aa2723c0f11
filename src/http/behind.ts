/**
 * Requests that the cache makes itself, to have something made anew that it has served stale. No client waits for them, and none is to be
 * charged for them.
 */
const requests = new WeakSet<object>()
/** Where a request must go through a framework's own front door, it says so by one of these, of this process alone. */
const secrets = new Set<string>()

export const BEHIND_HEADER = 'holdfast-behind'

export function markBehind(request: object): void {
  requests.add(request)
}

export function keepSecret(secret: string): string {
  secrets.add(secret)
  return secret
}

/** `said`: its header, where it came through a front door. */
export const isBehind = (request: object, said?: unknown): boolean =>
  requests.has(request) || (typeof said === 'string' && secrets.has(said))
