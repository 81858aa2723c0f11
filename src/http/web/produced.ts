import type { Produced, Reply } from '../cache/exchange.ts'
import { Gathering } from '../gathering.ts'
import type { HeaderList } from '../headers.ts'

/** A Response of a handler: its body can go to its client and be gathered for others at once. */
export class WebProduced implements Produced {
  readonly status: number
  readonly headers: HeaderList
  readonly before: HeaderList | undefined
  readonly #response: Response
  readonly #gathering: Gathering
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #pumping = false
  #started = false
  /** Read and not yet sent to the client. */
  readonly #queue: Uint8Array[] = []
  #wantsQueue = true
  #ended = false
  #fault: unknown
  #wake: () => void = () => {}

  constructor(response: Response, maxBytes: number, before?: HeaderList) {
    this.before = before
    this.status = response.status
    this.headers = [...response.headers]
    this.#response = response
    this.#gathering = new Gathering(maxBytes)
  }

  atOnce(): Promise<Uint8Array | undefined> {
    this.#start()
    return this.#gathering.atOnce()
  }

  whole(): Promise<Uint8Array | undefined> {
    this.#start()
    return this.#gathering.whole()
  }

  discard(): void {
    this.#wantsQueue = false
    this.#queue.length = 0
    if (!this.#started) void this.#response.body?.cancel().catch(() => {})
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    if (this.#response.body === null) {
      this.#ended = true
      return this.#gathering.end()
    }
    this.#reader = this.#response.body.getReader()
    void this.#pump(this.#reader)
  }

  /** Reads on its own while others wait for the whole; then the client's reading sets the pace. */
  async #pump(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    this.#pumping = true
    try {
      while (this.#gathering.isOpen) {
        const { done, value } = await reader.read()
        if (done) {
          this.#ended = true
          this.#gathering.end()
        } else {
          this.#gathering.add(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
          if (this.#wantsQueue) this.#queue.push(value)
        }
        this.#wake()
      }
    } catch (error) {
      this.#fault = error
      this.#ended = true
      this.#gathering.giveUp()
    }
    this.#pumping = false
    this.#wake()
    if (!this.#ended && !this.#wantsQueue) await reader.cancel().catch(() => {})
  }

  /** What the handler answered, under these headers. */
  pass(headers: HeaderList): Response {
    // No Response may be made of a switch of protocols.
    if (this.status < 200) return this.#response
    const body = this.#started ? this.#rest() : this.#response.body
    return respond(this.status, headers, body, this.#response.statusText)
  }

  #rest(): ReadableStream<Uint8Array> | null {
    const reader = this.#reader
    if (reader === undefined) return null
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (this.#queue.length === 0 && this.#pumping)
            await new Promise<void>((resolve) => {
              this.#wake = resolve
            })
          const next = this.#queue.shift()
          if (next !== undefined) return controller.enqueue(next)
          if (this.#fault !== undefined) return controller.error(this.#fault)
          if (this.#ended) return controller.close()
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        cancel: async (reason) => {
          this.#wantsQueue = false
          this.#queue.length = 0
          // Others may wait for the rest.
          if (!this.#pumping) await reader.cancel(reason)
        },
      },
      { highWaterMark: 0 },
    )
  }
}

export function respond(
  status: number,
  headers: HeaderList,
  body: ReadableStream<Uint8Array> | Uint8Array | null,
  statusText = '',
): Response {
  const pairs = headers.map(([name, value]) => [name, value] as [string, string])
  const isEmpty = status === 204 || status === 205 || status === 304
  return new Response(isEmpty ? null : (body as ReadableStream<Uint8Array> | null), {
    status,
    statusText,
    headers: pairs,
  })
}

/** The answer of the cache as a Response; `produced`: what the handler answered, if it ran. */
export function toResponse(reply: Reply): Response {
  if (reply.kind === 'pass') return (reply.produced as WebProduced).pass(reply.headers)
  reply.instead?.discard()
  return respond(reply.status, reply.headers, reply.body ?? null)
}
