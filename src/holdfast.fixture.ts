import { afterAll, afterEach, beforeAll } from 'vitest'
import { type ConnectOptions, connect, type Holdfast } from './index.ts'
import {
  type ServerOptions,
  startProxy,
  startServer,
  type TestProxy,
  type TestServer,
  testNamespace,
} from './testing/index.ts'

/** A test on a loaded machine waits as long as that takes, and no longer than it must. */
export const SOON = { timeout: 15_000, interval: 5 }

/** What tests of rooms stand on: a real server for the file, empty for each test, and what a test opened, closed when it ends. */
export class Ground {
  server!: TestServer
  readonly #room: string
  readonly #open: { close(): Promise<unknown> }[] = []
  readonly #proxies: TestProxy[] = []

  constructor(room: string, options: ServerOptions = {}) {
    this.#room = room
    beforeAll(async () => {
      this.server = await startServer(options)
    })
    afterEach(async () => {
      await this.server.heal()
      await Promise.all(this.#proxies.map((proxy) => proxy.heal()))
      await Promise.all(this.#open.splice(0).map((one) => one.close()))
      await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.close()))
      await this.server.command('FLUSHALL')
    })
    afterAll(() => this.server.stop())
  }

  closing<T extends { close(): Promise<unknown> }>(one: T): T {
    this.#open.push(one)
    return one
  }

  /** In a namespace of its own, unless told which. */
  async connect(options: ConnectOptions = {}, url = this.server.url): Promise<Holdfast> {
    return this.closing(await connect(url, { namespace: testNamespace(this.#room), timeout: '10s', ...options }))
  }

  /** A network between an instance and the server, which the test may break. */
  async proxy(): Promise<TestProxy> {
    const proxy = await startProxy({ target: this.server })
    this.#proxies.push(proxy)
    return proxy
  }

  /** Every key of the server that matches. */
  keys(pattern: string): Promise<readonly string[]> {
    return this.server.command<string[]>('KEYS', pattern)
  }
}
