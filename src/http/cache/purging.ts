import { ConfigError } from '../../base/errors.ts'
import { onlyNamed, resourceId } from './keys.ts'

/** Those of the same origin as `base`, absolute. */
export function sameOrigin(urls: readonly (string | undefined)[], base: string): Set<string> {
  const origin = URL.canParse(base) ? new URL(base).origin : undefined
  const found = new Set<string>([base])
  for (const url of urls) {
    if (url === undefined || !URL.canParse(url, base)) continue
    const whole = new URL(url, base)
    if (whole.origin === origin) found.add(whole.href)
  }
  return found
}

/** What a purge is to remove: one URL, or what ends in a path at any host. */
export type PurgeTarget = { readonly id: string } | { readonly pattern: string }

/** Throws ConfigError for what is neither an absolute URL nor a path: nothing would be removed, and nobody told. */
export function purgeTarget(url: unknown, query: ReadonlySet<string> | undefined): PurgeTarget {
  const text = (url instanceof URL ? url.href : typeof url === 'string' ? url : '').replace(/#.*$/s, '')
  if (/^\/\S*$/.test(text)) {
    const path = query === undefined ? text : onlyNamed(text, query)
    return { pattern: `*://*${path.replace(/[*?[\]\\]/g, '\\$&')}` }
  }
  const [, origin = '', rest = ''] = /^(https?:\/\/[^/?\s]+)(\S*)$/i.exec(text) ?? []
  // A host has no capitals in an id, and a URL without a path has the root's.
  const id = origin && resourceId(`${origin.toLowerCase()}${rest.startsWith('/') ? '' : '/'}${rest}`, query)
  if (!id) throw new ConfigError('url', "an absolute URL (http, https), or a path that begins with '/'", url)
  return { id }
}
