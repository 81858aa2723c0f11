import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Ground } from '../holdfast.fixture.ts'
import { type Holdfast, ValueConflictError } from '../index.ts'
import { Redis } from '../redis/redis.ts'
import { type ConnectOptions, resolveSettings } from '../redis/settings.ts'
import { startProxy, type TestProxy, testNamespace } from '../testing/index.ts'
import { valueKeys } from './keys.ts'
import { removeScript, writeScript } from './lua.generated.ts'

const ground = new Ground('value')

const namespaceOf = (hf: Holdfast): string => names.get(hf) as string
const names = new WeakMap<Holdfast, string>()

async function start(options: ConnectOptions = {}, url?: string): Promise<Holdfast> {
  const namespace = options.namespace ?? testNamespace('value')
  const hf = await ground.connect({ ...options, namespace }, url)
  names.set(hf, namespace)
  return hf
}

const keyOf = (hf: Holdfast, name: string) => `{${namespaceOf(hf)}:value:${name}}`

describe('an update', () => {
  it('is made anew from what another wrote meanwhile, and loses nothing', async () => {
    const [one, two] = [await start(), await start()]
    const other = await start({ namespace: namespaceOf(one) })
    const stock = one.value<number>('stock')
    await stock.set(100)
    const seen: (number | undefined)[] = []
    const after = await stock.update(async (n) => {
      seen.push(n)
      if (seen.length === 1) await other.value<number>('stock').set(7)
      return (n ?? 0) - 1
    })
    expect({ seen, after }).toEqual({ seen: [100, 7], after: 6 })
    expect(await two.value('stock').get()).toBeUndefined()
  })

  it('is not fooled by a value that went away and came back', async () => {
    const hf = await start()
    const box = hf.value<string>('box')
    await box.set('A')
    let tries = 0
    await box.update(async (value) => {
      if (++tries > 1) return `${value}!`
      await box.set('B')
      await box.delete()
      await box.set('A')
      return 'from the first A'
    })
    expect({ value: await box.get(), tries }).toEqual({ value: 'A!', tries: 2 })
  })

  it('finds nothing where the value was deleted meanwhile', async () => {
    const box = (await start()).value<string>('box')
    await box.set('there')
    const seen: unknown[] = []
    await box.update(async (value) => {
      if (seen.push(value) === 1) await box.delete()
      return `after ${value}`
    })
    expect({ seen, value: await box.get() }).toEqual({ seen: ['there', undefined], value: 'after undefined' })
  })

  it('counts every one of 400 changes made at once by four instances', async () => {
    const all = [await start()]
    const namespace = namespaceOf(all[0] as Holdfast)
    for (let i = 0; i < 3; i++) all.push(await start({ namespace }))
    await Promise.all(
      Array.from({ length: 400 }, (_, i) =>
        (all[i % 4] as Holdfast).value<number>('n').update((n) => (n ?? 0) + 1, { retries: 1_000 }),
      ),
    )
    expect(await (all[0] as Holdfast).value('n').get()).toBe(400)
  })

  it('of one process waits for its turn: without rivals elsewhere none of 200 meets a conflict', async () => {
    const n = (await start()).value<number>('n')
    await Promise.all(Array.from({ length: 200 }, () => n.update((m) => (m ?? 0) + 1, { retries: 0 })))
    expect(await n.get()).toBe(200)
  })

  it('may change the same value inside of itself: that is a rival like any other, and no deadlock', async () => {
    const n = (await start()).value<number>('n')
    await n.update(async (m) => {
      if (m === undefined) await n.update(() => 10)
      return (m ?? 0) + 1
    })
    expect(await n.get()).toBe(11)
  })

  it('gives up with a typed error when others are faster each time, and has written nothing', async () => {
    const hf = await start()
    const n = hf.value<number>('n')
    const rival = (await start({ namespace: namespaceOf(hf) })).value<number>('n')
    let runs = 0
    const losing = n.update(
      async () => {
        await rival.set(++runs)
        return -1
      },
      { retries: 3 },
    )
    await expect(losing).rejects.toBeInstanceOf(ValueConflictError)
    await expect(losing).rejects.toMatchObject({ code: 'VALUE_CONFLICT', retryable: true, value: 'n', tries: 4 })
    expect({ runs, value: await n.get() }).toEqual({ runs: 4, value: 4 })
  })

  it('leaves the value alone for undefined, and passes on what its function throws', async () => {
    const n = (await start()).value<number>('n')
    expect(await n.update(() => undefined)).toBeUndefined()
    await n.set(5)
    expect(await n.update((m) => (m === 5 ? undefined : 1))).toBe(5)
    const own = new Error('insufficient inventory')
    await expect(
      n.update(() => {
        throw own
      }),
    ).rejects.toBe(own)
    await expect(n.update(() => Promise.reject(own))).rejects.toBe(own)
    expect(await n.update((m) => (m ?? 0) + 1)).toBe(6)
  })

  it('stops with the reason of its signal', async () => {
    const n = (await start()).value<number>('n')
    const reason = new Error('gone')
    const controller = new AbortController()
    const hanging = n.update(() => wait(60_000, 1, { ref: false }), { signal: controller.signal })
    controller.abort(reason)
    await expect(hanging).rejects.toBe(reason)
    await expect(n.get({ signal: controller.signal })).rejects.toBe(reason)
    expect(await n.update(() => 3)).toBe(3)
  })
})

describe('the log', () => {
  it('is written in the same step as the value, the newest first, and kept to its bound', async () => {
    const hf = await start()
    const stock = hf.value<number, { action: string; quantity: number }>('stock', { keepLog: 3 })
    await stock.set(10)
    for (let quantity = 1; quantity <= 4; quantity++)
      await stock.update((n) => (n ?? 0) - quantity, {
        log: (before, after) => ({ action: 'decrement', quantity: (before ?? 0) - after }),
      })
    await stock.update((n) => (n ?? 0) + 1, { log: () => undefined })
    const entries = await stock.log()
    expect(entries.map(({ entry }) => entry)).toEqual([4, 3, 2].map((quantity) => ({ action: 'decrement', quantity })))
    expect(Math.abs((entries[0]?.atMs ?? 0) - Date.now())).toBeLessThan(60_000)
    expect((await stock.log({ limit: 1 })).length).toBe(1)
    expect(await stock.get()).toBe(1)
  })

  it('has no entry of an update that met a conflict', async () => {
    const hf = await start()
    const stock = hf.value<number, number>('stock')
    await stock.set(1)
    let tries = 0
    await stock.update(
      async (n) => {
        if (++tries === 1) await stock.set(50)
        return (n ?? 0) + 1
      },
      { log: (_, after) => after },
    )
    expect((await stock.log()).map(({ entry }) => entry)).toEqual([51])
  })

  it('ends with its value', async () => {
    const hf = await start()
    const stock = hf.value<number>('stock')
    await stock.update(() => 1, { log: () => 'x' })
    await stock.delete()
    expect(await stock.log()).toEqual([])
    expect(await stock.get()).toBeUndefined()
    await stock.delete()
  })
})

describe('a ttl', () => {
  it('holds for value and log, is kept by an update without one, and is ended by a set without one', async () => {
    const hf = await start()
    const box = hf.value<number>('box')
    const lives = () =>
      Promise.all(['', ':log'].map((suffix) => ground.server.command<number>('PTTL', keyOf(hf, 'box') + suffix)))
    await box.set(1, { ttl: '1h' })
    await box.update((n) => (n ?? 0) + 1, { log: () => 'x' })
    for (const life of await lives()) expect(life).toBeGreaterThan(3_500_000)
    await box.update((n) => (n ?? 0) + 1, { ttl: '2h' })
    for (const life of await lives()) expect(life).toBeGreaterThan(7_100_000)
    await box.set(5)
    expect(await lives()).toEqual([-1, -1])
  })

  it('of the value is given anew by each write', async () => {
    const hf = await start()
    const box = hf.value<number>('box', { ttl: '1h' })
    await box.set(1)
    await ground.server.command('PEXPIRE', keyOf(hf, 'box'), 1_000)
    await box.update((n) => (n ?? 0) + 1)
    expect(await ground.server.command<number>('PTTL', keyOf(hf, 'box'))).toBeGreaterThan(3_500_000)
  })

  it('is that of a deleted value no more, once it is written again', async () => {
    const hf = await start()
    const box = hf.value<number>('box')
    await box.set(1)
    await box.delete()
    expect(await ground.server.command<number>('PTTL', keyOf(hf, 'box'))).toBeGreaterThan(0)
    await box.update(() => 2)
    expect(await ground.server.command<number>('PTTL', keyOf(hf, 'box'))).toBe(-1)
  })

  it('that has passed means that there is no value', async () => {
    const box = (await start()).value<number>('box')
    await box.set(1, { ttl: 5 })
    await expect.poll(() => box.get()).toBeUndefined()
    expect(await box.update((n) => n ?? 7)).toBe(7)
  })
})

it('keeps what JSON has no word for, and refuses what cannot be kept', async () => {
  const box = (await start()).value<unknown>('box')
  for (const value of [
    null,
    0,
    -0,
    '',
    'ü\u0000\ud800',
    10n ** 30n,
    new Map([['a', new Date(5)]]),
    [undefined, Number.NaN],
  ]) {
    await box.set(value)
    expect(await box.get()).toEqual(value)
    expect(await box.update((same) => same as object)).toEqual(value)
  }
  await expect(box.set(() => 1)).rejects.toMatchObject({ code: 'VALUE_UNWRITABLE' })
  await expect(box.set(undefined)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

it('names what is wrong with its options', async () => {
  const hf = await start()
  const box = hf.value<number>('box')
  const wrong: [() => unknown, string][] = [
    [() => hf.value('x'.repeat(513)), 'name'],
    [() => hf.value('x', { ttl: 0 }), 'ttl'],
    [() => hf.value('x', { keepLog: 0 }), 'keepLog'],
    [() => hf.value('x', { keeplog: 1 } as object), 'keeplog'],
    [() => box.update(() => 1, { retries: -1 }), 'retries'],
    [() => box.update(() => 1, { retries: 1.5 }), 'retries'],
    [() => box.update(1 as never), 'change'],
    [() => box.update(() => 1, { log: 'x' } as object), 'log'],
    [() => box.set(1, { ttl: 'soon' as never }), 'ttl'],
    [() => box.log({ limit: 0 }), 'limit'],
  ]
  for (const [call, option] of wrong)
    await expect(Promise.resolve().then(call), option).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
})

describe('a connection that breaks after the write was sent', () => {
  let proxy: TestProxy

  beforeAll(async () => {
    proxy = await startProxy({ target: ground.server })
  })
  afterAll(() => proxy.close())

  it('leads to one change, not to two', async () => {
    const hf = await start({}, proxy.url)
    const n = hf.value<number>('n')
    await n.set(0)
    for (let i = 1; i <= 4; i++) {
      await losingAnswer((lose) =>
        n.update(
          (m) => {
            lose()
            return (m ?? 0) + 1
          },
          { retries: 0 },
        ),
      )
      expect(await n.get()).toBe(i)
    }
  })

  it('leads to no resurrection of what was deleted since', async () => {
    const hf = await start({}, proxy.url)
    const box = hf.value<string>('box')
    await losingAnswer(
      (lose) => {
        lose()
        return box.set('old')
      },
      async () => {
        const direct = (await start({ namespace: namespaceOf(hf) })).value<string>('box')
        await direct.delete()
      },
    )
    expect(await box.get()).toBeUndefined()
  })

  /** Loses the answers from when `work` says so, and once its write is done, cuts all connections. */
  async function losingAnswer(
    work: (lose: () => void) => Promise<unknown>,
    meanwhile?: () => Promise<void>,
  ): Promise<void> {
    const writes = async () =>
      Number(/cmdstat_hset:calls=(\d+)/.exec(String(await ground.server.command('INFO', 'commandstats')))?.[1] ?? 0)
    const before = await writes()
    const working = work(() => proxy.dropReplies())
    await expect.poll(writes, { interval: 5 }).toBe(before + 1)
    await meanwhile?.()
    await proxy.heal()
    await working
  }
})

describe('the scripts', () => {
  it('know a repeat by its token for 31 writes, and after that say that they cannot know', async () => {
    const redis = ground.closing(new Redis(resolveSettings(ground.server.url, { namespace: testNamespace('value') })))
    const keys = valueKeys(redis.keyspace, 'v')
    const write = async (token: string, base: string, again = '0') => {
      const args = { token, base, json: `"${token}"`, types: '', ttlMs: 0, again, keep: 0, entry: '', entryTypes: '' }
      return (await writeScript.run(redis, keys, args, { operation: 'value.set', repeat: false }))[0]
    }
    const token = (i: number) => `token-${i}`.padEnd(12, '.')
    expect(await write(token(0), '')).toBe('written')
    for (let i = 1; i < 32; i++) expect(await write(token(i), token(i - 1))).toBe('written')
    expect(await write(token(0), '', '1')).toBe('repeated')
    expect(await write(token(99), token(5), '1')).toBe('conflict')
    expect(await write(token(32), '*')).toBe('written')
    expect(await write(token(0), '', '1')).toBe('doubtful')
    expect(await write(token(0), '', '0')).toBe('conflict')
    const again = { token: 'removed-----', again: '0', graveMs: 1_000 }
    const remove = () => removeScript.run(redis, keys, again, { operation: 'value.delete', repeat: false })
    expect(await remove()).toEqual(['removed'])
    expect(await remove()).toEqual(['repeated'])
    expect(await write(token(32), '*', '1')).toBe('repeated')
    expect(await ground.server.command('HEXISTS', keys.value, 'json')).toBe(0)
  })

  it('go on when the server has forgotten them; a full server refuses writes, and lets delete', async () => {
    const box = (await start()).value<number>('box')
    await box.set(1)
    await ground.server.command('SCRIPT', 'FLUSH')
    await box.update((n) => (n ?? 0) + 1)
    await ground.server.command('CONFIG', 'SET', 'maxmemory', '1mb')
    try {
      await expect(box.set(3)).rejects.toMatchObject({ code: 'SERVER_FULL' })
      expect(await box.get()).toBe(2)
      await box.delete()
      expect(await box.get()).toBeUndefined()
    } finally {
      await ground.server.command('CONFIG', 'SET', 'maxmemory', '0')
    }
  })
})
