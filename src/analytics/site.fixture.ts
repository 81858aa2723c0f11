import { afterAll, afterEach, beforeAll } from 'vitest'
import { type Analytics, type AnalyticsOptions, connect, type Holdfast } from '../index.ts'
import type { ConnectOptions } from '../redis/settings.ts'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from '../testing/index.ts'

/** A real server for the tests of one file, and instances that are closed when a test ends. */
export class Ground {
  server!: TestServer
  readonly #open: Holdfast[] = []
  readonly #proxies: TestProxy[] = []

  constructor() {
    beforeAll(async () => {
      this.server = await startServer()
    })
    afterEach(async () => {
      await Promise.all(this.#proxies.map((proxy) => proxy.heal()))
      await Promise.all(this.#open.splice(0).map((hf) => hf.close()))
      await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.close()))
    })
    afterAll(() => this.server.stop())
  }

  async connect(options: ConnectOptions = {}, url = this.server.url): Promise<Holdfast> {
    const hf = await connect(url, { namespace: testNamespace('analytics'), timeout: '10s', ...options })
    this.#open.push(hf)
    return hf
  }

  /** One that is sent when it is told to, or read. */
  async site(options: AnalyticsOptions = {}): Promise<Analytics> {
    const hf = await this.connect()
    return hf.analytics('site', { flush: { every: '1h' }, ...options })
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
