/** What a middleware that caches can do beside. */
export interface Purge {
  /**
   * Removes all that is stored of a URL, its variants by headers, cookies and `key` too. Loads that are under way store nothing.
   *
   * url     absolute, as this server sees it (behind a proxy mostly `http://…`): one command. A path with its query, `/products/42`: what
   *         ends so, of every host, by a look at every key of the cache
   * throws  CONFIG_INVALID for what is neither; TIMEOUT, CONNECTION_LOST when it could not be confirmed
   */
  purge(url: string | URL): Promise<void>
}

export function withPurge<T extends object>(door: T, cache: Purge): T & Purge {
  return Object.assign(door, { purge: (url: string | URL) => cache.purge(url) })
}
