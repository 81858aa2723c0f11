import { afterAll, afterEach, beforeAll } from 'vitest'
import { connect, type Holdfast } from '../index.ts'
import type { ConnectOptions } from '../redis/settings.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'

/** A server for the file, and instances that are closed when their test ends. */
export class House {
  server!: TestServer
  namespace = ''
  readonly #open: Holdfast[] = []

  constructor() {
    beforeAll(async () => {
      this.server = await startServer()
    })
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((hf) => hf.close()))
    })
    afterAll(() => this.server.stop())
  }

  /** In a namespace of its own, unless told which. */
  async connect(options: ConnectOptions = {}): Promise<Holdfast> {
    this.namespace = options.namespace ?? testNamespace('session')
    const hf = await connect(this.server.url, { timeout: '5s', ...options, namespace: this.namespace })
    this.#open.push(hf)
    return hf
  }

  keys(): Promise<string[]> {
    return this.server.command<string[]>('KEYS', `*${this.namespace}*`)
  }

  /** While the server refuses every write that does not free. */
  async whileFull(work: () => Promise<void>): Promise<void> {
    await this.server.command('CONFIG', 'SET', 'maxmemory', '1mb')
    try {
      await work()
    } finally {
      await this.server.command('CONFIG', 'SET', 'maxmemory', '0')
    }
  }
}
