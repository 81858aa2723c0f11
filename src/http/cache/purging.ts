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

/** What a purge is to remove: one URL, or one path at every host. A glob cannot tell a host from a host with a path: it finds, and we look. */
export type PurgeTarget =
  | { readonly id: string }
  | { readonly pattern: string; readonly isMeant: (id: string) => boolean }

const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?\s]+/i
/** Of longer URLs the id is cut, so that it need not end as the path does. */
const LONGEST_END = 500

/** Throws ConfigError for what is neither an absolute URL nor a path: nothing would be removed, and nobody told. */
export function purgeTarget(url: unknown, query: ReadonlySet<string> | undefined): PurgeTarget {
  const text = (url instanceof URL ? url.href : typeof url === 'string' ? url : '').replace(/#.*$/s, '')
  if (/^\/\S*$/.test(text)) {
    const path = query === undefined ? text : onlyNamed(text, query)
    const end = path.length > LONGEST_END ? '*' : path.replace(/[*?[\]\\]/g, '\\$&')
    const isMeant = (id: string) => id === resourceId(`${ORIGIN.exec(id)?.[0] ?? ''}${path}`, query)
    return { pattern: `*://*${end}`, isMeant }
  }
  const [, origin = '', rest = ''] = /^(https?:\/\/[^/?\s]+)(\S*)$/i.exec(text) ?? []
  // A host has no capitals in an id, and a URL without a path has the root's.
  const id = origin && resourceId(`${origin.toLowerCase()}${rest.startsWith('/') ? '' : '/'}${rest}`, query)
  if (!id) throw new ConfigError('url', "an absolute URL (http, https), or a path that begins with '/'", url)
  return { id }
}
