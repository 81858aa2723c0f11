import { type CommandArg, type Reply, RespConnection, toText } from '../../src/testing/resp.ts'

/** One server, asked past the library and with full rights. */
export class Witness {
  readonly port: number
  readonly #connection: RespConnection

  constructor(port: number) {
    this.port = port
    this.#connection = new RespConnection({ address: { host: '127.0.0.1', port }, timeoutMs: 20_000 })
  }

  async command<T extends Reply = Reply>(...args: readonly CommandArg[]): Promise<T> {
    return toText(await this.#connection.send(args)) as T
  }

  /** Every key that matches, once. */
  async keys(pattern: string): Promise<readonly string[]> {
    const found = new Set<string>()
    let cursor = '0'
    do {
      const [next, keys] = await this.command<[string, string[]]>('SCAN', cursor, 'MATCH', pattern, 'COUNT', 10_000)
      for (const key of keys) found.add(key)
      cursor = next
    } while (cursor !== '0')
    return [...found]
  }

  close(): void {
    this.#connection.close()
  }
}
