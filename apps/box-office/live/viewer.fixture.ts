/** For tests: a viewer of a seat map as a browser is one. */

export interface Frame {
  readonly id: string
  readonly all: boolean
  readonly seats: Record<string, string>
}

export interface Viewer {
  readonly answer: Response
  /** The next frame of the map. */
  frame(): Promise<Frame>
  /** What his map shows when he has read a frame: `f`, `h`, `s`, as often as he was told. */
  readonly shown: Map<string, string>
  leave(): void
}

/** Of a frame's id: the reading, and the version of the map. */
export const versionOf = (id: string) => Number(id.split('-')[1])

/** Opens the stream of an event's map, and reads frames when asked to. */
export async function openViewer(
  shopUrl: string,
  eventId: string,
  { headers = {}, query = '' }: { headers?: Record<string, string>; query?: string } = {},
): Promise<Viewer> {
  const leaving = new AbortController()
  const answer = await fetch(`${shopUrl}/events/${eventId}/live${query}`, { headers, signal: leaving.signal })
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  const shown = new Map<string, string>()
  let text = ''

  async function block(): Promise<string> {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end !== -1) {
        const found = text.slice(0, end)
        text = text.slice(end + 2)
        return found
      }
      const { value, done } = await reader.read()
      if (done) throw new Error('the stream ended')
      text += decoder.decode(value, { stream: true })
    }
  }

  async function frame(): Promise<Frame> {
    for (;;) {
      const found = await block()
      const data = /^data: (.*)$/m.exec(found)?.[1]
      if (data === undefined || !/^event: map$/m.test(found)) continue
      const { all, seats } = JSON.parse(data)
      if (all) shown.clear()
      for (const [seat, state] of Object.entries<string>(seats)) shown.set(seat, state)
      return { id: /^id: (.*)$/m.exec(found)?.[1] ?? '', all, seats }
    }
  }

  return { answer, frame, shown, leave: () => leaving.abort() }
}
