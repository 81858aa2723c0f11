import type { Cache, LoadContext } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['sql'] })
let cache: Cache<unknown>

beforeEach(async () => {
  cache = (await place.connect()).cache('sql', { ttl: '5m' })
})

interface Row {
  readonly n: number
}

/** A database that counts its queries. */
function database() {
  let queries = 0
  return {
    runQuery: async (sql: string, params: readonly unknown[] = []): Promise<Row[]> => {
      queries++
      return [{ n: sql.length + params.length }]
    },
    get queries() {
      return queries
    },
  }
}

describe('a wrapped function', () => {
  it('is called once for the same arguments, whoever asks, and keeps its parameters and its answer', async () => {
    const db = database()
    const cached = cache.wrap(db.runQuery, { key: (sql, params) => [sql, params] })
    const rows: Row[] = await cached('select 1', [7])
    expect(rows).toEqual([{ n: 9 }])
    expect(await Promise.all([cached('select 1', [7]), cached('select 1', [7])])).toEqual([rows, rows])
    const other = (await place.connect()).cache('sql', { ttl: '5m' }).wrap(db.runQuery)
    expect(await other('select 1', [7])).toEqual(rows)
    expect(db.queries).toBe(1)
    await cached('select 1', ['7'])
    await cached('select 1')
    expect(db.queries).toBe(3)
    // @ts-expect-error the parameters are those of the function
    await expect(cached(Symbol('x'))).rejects.toMatchObject({ code: 'KEY_UNSTABLE', path: '$[0]' })
    expect(cached.name).toBe('runQuery')
  })

  it('shares nothing between arguments that differ, however alike they look', async () => {
    const cached = cache.wrap(async (...args: unknown[]) => ({ count: args.length, first: typeof args[0] }), {
      name: 'any',
    })
    const calls: readonly unknown[][] = [
      [],
      [undefined],
      [null],
      [1],
      ['1'],
      [1n],
      [[]],
      [{}],
      [new Map()],
      [-0],
      [0],
      ['undefined'],
    ]
    for (const args of calls) await cached(...args)
    expect(cache.stats.loads).toBe(calls.length)
    for (const args of calls) expect(await cached(...args)).toEqual({ count: args.length, first: typeof args[0] })
    expect(cache.stats.loads).toBe(calls.length)
  })

  it('refuses arguments that no key can be made of, and calls nobody', async () => {
    const fn = vi.fn(async (_: unknown) => 1)
    const cached = cache.wrap(fn, { name: 'fn' })
    for (const wrong of [() => 1, { deep: [Symbol('x')] }, Promise.resolve(1)])
      await expect(cached(wrong)).rejects.toMatchObject({ code: 'KEY_UNSTABLE' })
    await expect(cached.delete(() => 1)).rejects.toMatchObject({ code: 'KEY_UNSTABLE' })
    expect(fn).not.toHaveBeenCalled()
  })

  it('forgets by its arguments, also what is being loaded, and shows its id', async () => {
    const slow = gate<string>()
    let answer: () => Promise<string> | string = slow.load
    const cached = cache.wrap(async (_: { a: number; b: number }) => answer(), { name: 'q' })
    const early = cached({ a: 1, b: 2 })
    await slow.began
    await cached.delete({ b: 2, a: 1 })
    answer = () => 'new'
    const late = cached({ b: 2, a: 1 })
    slow.answer('old')
    expect(await early).toBe('old')
    expect(await late).toBe('new')
    expect(await cached.peek({ b: 2, a: 1 })).toBe('new')
    expect(await cache.peek(cached.key({ a: 1, b: 2 }))).toBe('new')
    await cached.delete({ a: 1, b: 2 })
    expect(await cached.peek({ a: 1, b: 2 })).toBeUndefined()
  })

  it('has short keys for long arguments, with a head that can be read', async () => {
    const cached = cache.wrap(database().runQuery)
    const sql = `select ${'column, '.repeat(2_000)}`
    const key = cached.key(sql, [1])
    expect(key).toMatch(/^runQuery#\["select column, /)
    expect(key.length).toBeLessThan(200)
    const others = [cached.key(sql, [2]), cached.key(`${sql} `, [1]), cached.key(sql.replace(/n, $/, 'm, '), [1])]
    expect(new Set([key, ...others]).size).toBe(4)
    expect(await cached(sql, [1])).toEqual([{ n: sql.length + 1 }])
    expect(await cached.peek(sql, [1])).toEqual([{ n: sql.length + 1 }])
  })

  it('keeps no error and no undefined, but null', async () => {
    const answers: unknown[] = [new Error('no'), undefined, null, 'never']
    const cached = cache.wrap(
      async () => {
        const answer = answers.shift()
        if (answer instanceof Error) throw answer
        return answer
      },
      { name: 'q' },
    )
    await expect(cached()).rejects.toThrow('no')
    expect([await cached(), await cached(), await cached()]).toEqual([undefined, null, null])
  })

  it('takes a text as its key as it is, so that a pattern can match it', async () => {
    const cached = cache.wrap(async (id: number) => id, { name: 'user', key: (id) => `team:7:${id}` })
    await cached(1)
    await cached(2)
    expect(await cache.invalidatePattern('user:team:7:*')).toBe(2)
    expect(await cached.peek(1)).toBeUndefined()
  })

  it('is apart from others in the same cache by its name; a name is for one function, and no name is refused', async () => {
    const twice = async (n: number) => n * 2
    const thrice = async (n: number) => n * 3
    const [a, b] = [cache.wrap(twice), cache.wrap(thrice)]
    expect([await a(1), await b(1), await a(1)]).toEqual([2, 3, 2])
    expect(cache.wrap(twice)).toBe(a)
    const make = (factor: number) => cache.wrap(async (n: number) => n * factor, { name: 'times' })
    make(2)
    expect(() => make(3)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'name' }))
    expect(() => cache.wrap(twice, { key: () => 1 })).toThrow(expect.objectContaining({ option: 'name' }))
    for (const name of ['', 'a:b', 'a[', 'a*', 'a b', 'a=', 'x'.repeat(101)])
      expect(() => cache.wrap(thrice, { name })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', option: 'name' }),
      )
    expect(() => cache.wrap(async () => 1)).toThrow(expect.objectContaining({ option: 'name' }))
    expect(() => cache.wrap(5 as never)).toThrow(expect.objectContaining({ option: 'fn' }))
    expect(() => cache.wrap(thrice, { nme: 'x' } as never)).toThrow(expect.objectContaining({ option: 'nme' }))
  })

  it('is the same for the same function with the same options, and refused with others, as hf.cache is', async () => {
    const run = async (n: number) => n
    const key = (n: number) => n
    const first = cache.wrap(run, { key, ttl: '1m', tags: ['a', 'b'] })
    expect(cache.wrap(run, { key, ttl: 60_000, tags: ['b', 'a'] })).toBe(first)
    const others = [
      {},
      { key, ttl: '1h', tags: ['a', 'b'] },
      { key, ttl: '1m', tags: ['a'] },
      { key, ttl: '1m', tags: () => ['a', 'b'] },
      { key: (n: number) => n, ttl: '1m', tags: ['a', 'b'] },
      { key, ttl: '1m', tags: ['a', 'b'], withContext: true },
    ]
    for (const other of others)
      expect(() => cache.wrap(run, other as object)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(/'run' is in use with/) }),
      )
    expect(cache.wrap(run, { name: 'again', ttl: '1h' })).not.toBe(first)
  })

  it('refuses wrong options before any call, and wrong tags and signals at the call, and calls nobody', async () => {
    const run = vi.fn(async () => 1)
    const refused = (option: string) => expect.objectContaining({ code: 'CONFIG_INVALID', option })
    for (const [option, wrong] of Object.entries({ ttl: 'soon', tags: 'abc', withContext: 'no', key: 5 }))
      expect(() => cache.wrap(run, { name: 'run', [option]: wrong } as never)).toThrow(refused(option))
    expect(() => cache.wrap(run, { name: 'run', tags: [5] } as never)).toThrow(refused('tags[0]'))
    expect(() => cache.wrap(run, null as never)).toThrow(refused('options'))
    const cached = cache.wrap(run, { name: 'run', tags: () => 'abc' as never })
    await expect(cached()).rejects.toEqual(refused('tags'))
    for (const [option, wrong] of Object.entries({ ttl: 'soon', tags: 'abc', signal: 5 }))
      expect(() => cached.with({ [option]: wrong } as never)).toThrow(refused(option))
    expect(() => cached.with(null as never)).toThrow(refused('options'))
    const wrong = { signal: 5 as never }
    await expect(cache.get('x', run, wrong)).rejects.toEqual(refused('signal'))
    for (const call of [cache.getMany(['x'], wrong), cache.set('x', 1, wrong), cache.delete('x', wrong)])
      await expect(call).rejects.toEqual(refused('signal'))
    expect(run).not.toHaveBeenCalled()
  })

  it('takes the time and the tags that it is given, and passes the context to who asks for it', async () => {
    const load = async (team: number, context: LoadContext) => {
      expect(context.signal.aborted).toBe(false)
      context.setTags([`told:${team}`])
      return { team }
    }
    const cached = cache.wrap(load, { withContext: true, ttl: '1m', tags: (team) => [`team:${team}`] })
    const answer: { team: number } = await cached(7)
    expect(answer).toEqual({ team: 7 })
    expect(await place.command<number>('PTTL', `{${place.namespace}:cache:sql:load%5B7%5D}`)).toBeLessThanOrEqual(
      60_000,
    )
    for (const tag of ['team:7', 'told:7']) {
      await cached(7)
      expect(await cached.peek(7)).toEqual({ team: 7 })
      await cache.invalidateTag(tag)
      expect(await cached.peek(7)).toBeUndefined()
    }
  })

  it('lets a caller leave by a signal, and tells the function when nobody is left', async () => {
    const began = gate<string>()
    const load = (_: string, { signal }: LoadContext): Promise<string> => {
      void began.load()
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const cached = cache.wrap(load, { withContext: true })
    const leaving = new AbortController()
    const left = cached.with({ signal: leaving.signal })('x')
    await began.began
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    await vi.waitFor(async () => expect(await cached.peek('x')).toBeUndefined())
  })

  it('is called without a this, since its answers are for all', async () => {
    class Shop {
      name = 'shop'
      async products(this: Shop | undefined) {
        return this?.name ?? 'no this'
      }
    }
    const shop = new Shop()
    const cached = cache.wrap(shop.products as () => Promise<string>)
    expect(await cached.call(shop)).toBe('no this')
    const bound = cache.wrap(shop.products.bind(shop), { name: 'bound' })
    expect(await bound()).toBe('shop')
  })
})
