/** Counts the pages that were shown. */

import type { MiddlewareHandler } from 'hono'
import type { Shop } from './route.ts'
import { knownBrowser } from './visitor.ts'

export function countViews({ audience, sealer }: Pick<Shop, 'audience' | 'sealer'>): MiddlewareHandler {
  return async (c, next) => {
    await next()
    const isPage = c.req.method === 'GET' && c.res.status === 200
    if (isPage && c.res.headers.get('content-type')?.startsWith('text/html'))
      audience.viewed(c.req.path, knownBrowser(c, sealer))
  }
}
