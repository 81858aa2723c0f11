/** The one stylesheet and the scripts, read when they are asked for, so that an edit shows on the next load. */

import { readFile } from 'node:fs/promises'
import { Hono } from 'hono'
import { fileOf } from '../place.ts'

/** In this order: later sheets lean on earlier ones. */
const SHEETS = [
  'theme',
  'frame',
  'words',
  'browse',
  'seats',
  'buy',
  'account',
  'audience',
  'status',
  'narrow',
  'motion',
]

const FILES: Record<string, { readonly type: string; readonly parts: readonly string[] }> = {
  'style.css': { type: 'text/css; charset=utf-8', parts: SHEETS.map((name) => `assets/style/${name}.css`) },
  'client.js': { type: 'text/javascript; charset=utf-8', parts: ['assets/client.js'] },
  'search.js': { type: 'text/javascript; charset=utf-8', parts: ['assets/search.js'] },
  'near.js': { type: 'text/javascript; charset=utf-8', parts: ['assets/near.js'] },
  'icon.svg': { type: 'image/svg+xml', parts: ['assets/icon.svg'] },
}

export function assetRoutes(): Hono {
  const app = new Hono()
  for (const [name, { type, parts }] of Object.entries(FILES))
    app.get(`/${name}`, async (c) => {
      const texts = await Promise.all(parts.map((part) => readFile(fileOf(part), 'utf8')))
      return c.body(texts.join('\n'), 200, { 'Content-Type': type, 'Cache-Control': 'no-cache' })
    })
  return app
}
