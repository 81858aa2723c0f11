import { afterAll, afterEach, beforeAll } from 'vitest'
import { connect, type Holdfast, type Limiter, type LimiterOptions } from '../index.ts'
import type { ConnectOptions } from '../redis/settings.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'

export const HOUR = { limit: 10, per: '1h', algorithm: 'fixed' } as const

/** A server for the file, empty for each test, and what the tests opened, closed when each ends. */
export class Gate {
  server!: TestServer
  readonly #open: { close(): Promise<void> }[] = []

  constructor() {
    beforeAll(async () => {
      this.server = await startServer()
    })
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((one) => one.close()))
      await this.server.command('FLUSHALL')
    })
    afterAll(() => this.server.stop())
  }

  closing<T extends { close(): Promise<void> }>(one: T): T {
    this.#open.push(one)
    return one
  }

  async connect(options: ConnectOptions = {}, url = this.server.url): Promise<Holdfast> {
    return this.closing(await connect(url, { namespace: testNamespace('limit'), timeout: '10s', ...options }))
  }

  /** A limiter in a namespace of its own. */
  async limiter(options: LimiterOptions): Promise<Limiter> {
    return (await this.connect()).limiter('api', options)
  }

  keys(pattern: string): Promise<string[]> {
    return this.server.command<string[]>('KEYS', pattern)
  }

  /** How often the server has carried a command out. */
  async callsOf(command: string): Promise<number> {
    const stats = String(await this.server.command('INFO', 'commandstats'))
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }
}

export const allowed = async (limiter: Limiter, id: string, cost = 1): Promise<boolean> =>
  (await limiter.consume(id, { cost })).allowed
