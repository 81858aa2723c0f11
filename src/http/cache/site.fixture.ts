import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest'
import { type Cache, connect, type Holdfast } from '../../index.ts'
import { startServer, type TestServer, testNamespace } from '../../testing/index.ts'
import { type CacheResponseOptions, cacheResponse } from '../fetch.ts'

export type Handler = (request: Request) => Response | Promise<Response>

const ORIGIN = 'http://shop.test'

/** One server for a file, an instance and a wall clock of its own for each test. */
export class Site {
  hf!: Holdfast
  cache!: Cache<unknown>
  server!: TestServer
  /** What the handler was asked, in order. */
  asked: Request[] = []

  constructor() {
    beforeAll(async () => {
      this.server = await startServer()
    })
    beforeEach(async () => {
      // The wall clock alone: waits and Redis keep theirs.
      vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2030-01-01T00:00:00Z') })
      this.asked = []
      this.hf = await connect(this.server.url, { namespace: testNamespace('http') })
      this.cache = this.hf.cache('pages', { ttl: '1h' })
    })
    afterEach(async () => {
      vi.useRealTimers()
      await this.hf.close()
    })
    afterAll(() => this.server.stop())
  }

  /** A handler behind a cache; answers what asks it for a path. */
  open(handler: Handler, options?: CacheResponseOptions<Request>) {
    const pages = cacheResponse(this.cache, options)
    const wrapped = pages((request: Request) => {
      this.asked.push(request)
      return handler(request)
    })
    const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
      wrapped(new Request(ORIGIN + path, { ...init, headers }))
    return Object.assign(ask, { purge: pages.purge, wrapped })
  }

  pass(ms: number): void {
    vi.setSystemTime(Date.now() + ms)
  }

  /** Once what was begun has ended: each round is one behind all that was sent before it, and nothing takes more rounds than these. */
  async settled(): Promise<void> {
    for (let round = 0; round < 8; round++) {
      await new Promise((resolve) => setImmediate(resolve))
      await this.cache.peek('')
    }
  }
}

export const statusOf = (response: Response): string => response.headers.get('cache-status') ?? ''
