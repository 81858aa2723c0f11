import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Exchange, HeaderChanges, Produced, Reply } from '../cache/exchange.ts'
import type { HeaderList } from '../headers.ts'
import { membersOf } from '../headers.ts'
import { Capture } from './capture.ts'
import { changeHeaders, viewOf } from './request.ts'

/** A request and its response on Node's own server, as the cache sees them. */
export class NodeExchange implements Exchange {
  readonly request: Exchange['request']
  readonly native: unknown
  readonly runBehind: Exchange['runBehind']
  capture: Capture | undefined
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #maxBytes: number
  readonly #next: () => void

  constructor(
    native: unknown,
    req: IncomingMessage,
    res: ServerResponse,
    target: string,
    maxBytes: number,
    next: () => void,
    runBehind: Exchange['runBehind'],
  ) {
    this.native = native
    this.request = viewOf(req, target)
    this.runBehind = runBehind
    this.#req = req
    this.#res = res
    this.#maxBytes = maxBytes
    this.#next = next
    // Kept by the socket once it was read: a run behind may begin when its client has gone.
    void req.socket.remoteAddress
  }

  readonly run = async (changes: HeaderChanges): Promise<Produced> => {
    const capture = new Capture(this.#res, this.#maxBytes)
    this.capture = capture
    const before = Object.fromEntries(Object.keys(changes).map((name) => [name, this.#req.headers[name] as string]))
    changeHeaders(this.#req, changes)
    this.#next()
    await capture.begun
    changeHeaders(this.#req, before)
    return capture
  }
}

/** Sends what the cache says through a response that its handler has begun. What fails then can only be broken off. */
export function sendCaptured(res: ServerResponse, capture: Capture, reply: Reply): void {
  try {
    if (reply.kind === 'pass') capture.pass(reply.headers)
    else capture.replace(reply.status, reply.headers, reply.body)
  } catch (error) {
    process.emitWarning(error as Error)
    res.destroy()
  }
}

/** What failed behind the handler goes to the application's own `handleError`, which may answer what it likes in the handler's place. */
export async function failCaptured(
  res: ServerResponse,
  capture: Capture,
  error: unknown,
  handleError: (error: unknown) => void,
): Promise<void> {
  // A client who has gone needs no answer.
  if (res.destroyed) return
  if (await capture.undo()) return handleError(error)
  process.emitWarning(error as Error)
  res.destroy()
}

/** A stored response's headers, over those that the response has already, by name. */
export function overlay(present: string | undefined, headers: HeaderList): Map<string, string | string[]> {
  const byName = new Map<string, string | string[]>()
  for (const [name, value] of headers) {
    const before = byName.get(name)
    byName.set(name, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value])
  }
  // What came before may have named what it chose by.
  const more = membersOf(present).filter((name) => !membersOf(String(byName.get('vary') ?? '')).includes(name))
  if (more.length > 0) byName.set('vary', [byName.get('vary') ?? [], more].flat().join(', '))
  return byName
}
