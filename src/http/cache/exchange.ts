import type { HeaderList } from '../headers.ts'

/** The client left before the handler answered, and the handler does not answer any more. */
export class ClientGone extends Error {
  constructor() {
    super('the client has gone')
  }
}

/** One request and what answers it, as a door shows them to the cache. */
export interface Exchange {
  readonly request: RequestView
  /** What the door's framework calls the request: for the user's own functions. */
  readonly native: unknown
  /** Runs the handler for the client who waits. Answers when its headers are known. Rejects with the handler's own error. */
  run(changes: HeaderChanges): Promise<Produced>
  /** Runs the handler for nobody: the client was answered already. Undefined where the door cannot. */
  readonly runBehind: ((changes: HeaderChanges) => Promise<Produced>) | undefined
}

export interface RequestView {
  readonly method: string
  /** Absolute, its path and query as the client wrote them; undefined where it cannot be told for sure. */
  readonly url: string | undefined
  /** All values of a header as one. `name` in small letters. */
  header(name: string): string | undefined
}

/** Headers that the handler is to see in place of the client's; undefined takes one away. */
export type HeaderChanges = Readonly<Record<string, string | undefined>>

/** What a handler answers: status and headers, and a body that may still be coming. */
export interface Produced {
  readonly status: number
  readonly headers: HeaderList
  /** What middleware before the cache had set when the handler began. */
  readonly before?: HeaderList | undefined
  /** The body, if it is there without waiting for more than what is written at once; else undefined. */
  atOnce(): Promise<Uint8Array | undefined>
  /** The body once it has ended, also when the client has gone; undefined if it is too large, broke off or takes too long. */
  whole(): Promise<Uint8Array | undefined>
  /** Nobody is given this: let it end for itself. */
  discard(): void
}

/** What the client is to be sent. */
export type Reply =
  | {
      readonly kind: 'whole'
      readonly status: number
      readonly headers: HeaderList
      readonly body: Uint8Array | undefined
      /** The handler ran for this, and what it wrote itself is not sent. */
      readonly instead: Produced | undefined
    }
  | { readonly kind: 'pass'; readonly produced: Produced; readonly headers: HeaderList }
