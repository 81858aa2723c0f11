/** Requests that are in a cache's hands, and in whose. */
const handled = new WeakMap<object, Set<object>>()

/**
 * Takes a request into the hands of the cache `store`; false where it is there already: the same cache stands twice on its way, and the
 * inner one would wait for what the outer one is about to store.
 */
export function takeInHand(request: object, store: object): boolean {
  const stores = handled.get(request)
  if (stores === undefined) handled.set(request, new Set([store]))
  else if (stores.has(store)) return false
  else stores.add(store)
  return true
}

/** `copy` stands for `request` from here on. */
export function handOn(request: object, copy: object): void {
  const stores = handled.get(request)
  if (stores !== undefined && copy !== request) handled.set(copy, new Set(stores))
}
