import { decode, encode } from '../base/codec.ts'
import { type StandardSchema, validate } from '../base/schema.ts'
import type { Envelope } from '../stream/envelope.ts'

/** How a queue writes and reads its payloads. */
export class Payloads {
  readonly #queue: string
  readonly #schema: StandardSchema | undefined

  constructor(queue: string, schema: StandardSchema | undefined) {
    this.#queue = queue
    this.#schema = schema
  }

  get hasSchema(): boolean {
    return this.#schema !== undefined
  }

  /** Throws VALUE_UNWRITABLE for what cannot be stored. */
  write(data: unknown): { readonly payload: string; readonly types: string } {
    const { json, types } = encode(data)
    return { payload: json, types }
  }

  /** Throws VALUE_UNREADABLE for what was not written so. */
  read({ payload, types }: Pick<Envelope, 'payload' | 'types'>): unknown {
    return decode(payload, types)
  }

  /** What the schema makes of it; VALUE_INVALID where it does not fit. */
  async fit(data: unknown): Promise<unknown> {
    return this.#schema === undefined ? data : validate(this.#schema, this.#queue, data)
  }
}
