/**
 * The status page as server-sent events: each second the parts that have changed, as they are drawn.
 *
 *   event: parts   data: {"mood":"well","fresh":true,"parts":{"sales":"<div …"}}
 *
 * The first frame has all of them. All viewers share one reading; one who reads slowly gets what is new when he is ready.
 */

import { setTimeout as wait } from 'node:timers/promises'
import type { Status } from '../figures/status.ts'
import { statusParts } from '../pages/status.tsx'

const EVERY_MS = 1_000

/** `left` is called once, when the stream has ended on whichever side. */
export function statusStream(
  read: () => Promise<Status>,
  ended: AbortSignal,
  left: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const leaving = new AbortController()
  const shown = new Map<string, string>()
  let first = true

  /** What is not yet on the page; undefined when nothing is. */
  async function news(): Promise<string | undefined> {
    const status = await read()
    const { payments, fresh } = status.board
    const now = { ...statusParts(status), '': `${payments.mood} ${fresh}` }
    const changed = Object.entries(now).filter(([name, html]) => shown.get(name) !== html)
    for (const [name, html] of changed) shown.set(name, html)
    if (changed.length === 0) return undefined
    const parts = Object.fromEntries(changed.filter(([name]) => name !== ''))
    return `event: parts\ndata: ${JSON.stringify({ mood: payments.mood, fresh, parts })}\n\n`
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const until = AbortSignal.any([leaving.signal, ended])
        if (!first) await wait(EVERY_MS, undefined, { signal: until }).catch(() => {})
        if (leaving.signal.aborted) return
        if (ended.aborted) {
          left()
          return controller.close()
        }
        // A stream in which nothing happens says that it is there.
        const frame = (await news()) ?? ': still here\n\n'
        // Who has left meanwhile is not written to.
        if (leaving.signal.aborted) return
        controller.enqueue(encoder.encode(first ? `retry: 1000\n\n${frame}` : frame))
        first = false
      },
      cancel() {
        leaving.abort()
        left()
      },
    },
    { highWaterMark: 0 },
  )
}
