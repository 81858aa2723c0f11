/**
 * A map as server-sent events. Each frame carries the map's mark as its id, so that a browser that
 * lost its connection says with `Last-Event-ID` how far it was and gets the rest, or the whole.
 *
 *   event: map    data: {"all":true,"seats":{"A-1-1":"s",…}}      free seats are left out of the whole
 *   event: map    data: {"all":false,"seats":{"A-1-1":"f"}}
 *
 *   event: state  data: {"fresh":false}                             what is shown may be old: Redis does not answer
 *
 * A viewer who reads slowly is not written to until he is ready, and then gets one frame with all that has changed:
 * what waits for him never grows beyond that.
 */

import type { View } from './hub.ts'
import type { Update } from './map-copy.ts'

const BEAT_MS = 15_000
const LETTERS = { free: 'f', held: 'h', offered: 'h', sold: 's', blocked: 'x' } as const

export function frameOf(update: Update): string {
  const seats: Record<string, string> = {}
  for (const [id, state] of update.seats) {
    if (!update.all || state !== 'free') seats[id] = LETTERS[state]
  }
  return `id: ${update.mark}\nevent: map\ndata: ${JSON.stringify({ all: update.all, seats })}\n\n`
}

export function mapStream(view: View, lastEventId: string | undefined, ended: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let known = lastEventId
  let beatDue = false
  let saidFresh = true
  let left = false
  let wake = () => {}
  const unwatch = view.map.watch(() => wake())
  const beat = setInterval(() => {
    beatDue = true
    wake()
  }, BEAT_MS)
  const onEnd = () => wake()
  ended.addEventListener('abort', onEnd)

  function leave(): void {
    left = true
    unwatch()
    clearInterval(beat)
    ended.removeEventListener('abort', onEnd)
    view.leave()
  }

  /** The next thing to write, as soon as there is one; undefined at the end. */
  async function next(): Promise<string | undefined> {
    for (;;) {
      if (left || ended.aborted) return undefined
      const update = view.map.since(known)
      if (update !== undefined) {
        known = update.mark
        return frameOf(update)
      }
      if (view.map.fresh() !== saidFresh) {
        saidFresh = !saidFresh
        return `event: state\ndata: {"fresh":${saidFresh}}\n\n`
      }
      if (beatDue) {
        beatDue = false
        return ': still here\n\n'
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // To the browser: when the connection ends, come back after a second.
        controller.enqueue(encoder.encode('retry: 1000\n\n'))
      },
      async pull(controller) {
        const text = await next()
        if (text !== undefined) return controller.enqueue(encoder.encode(text))
        if (left) return
        leave()
        controller.close()
      },
      cancel() {
        leave()
        wake()
      },
    },
    { highWaterMark: 1 },
  )
}
