import { once } from 'node:events'
import { beforeEach, expect, it, vi } from 'vitest'
import type { HoldfastError } from '../base/errors.ts'
import { Ground, SOON } from '../holdfast.fixture.ts'
import type { Holdfast } from '../holdfast.ts'

const ground = new Ground('queue')
let hf: Holdfast

beforeEach(async () => {
  hf = await ground.connect({ namespace: 'hf' })
})

it.each([Number.NaN, Number.POSITIVE_INFINITY, undefined, Promise.resolve(5)])(
  'keeps a job whose backoff answers no time, as a dead letter that says so: %s',
  async (delay) => {
    const queue = hf.queue<string>('jobs', { backoff: () => delay as number })
    queue.process(
      ({ data }) => {
        if (data === 'fails') throw new Error('once')
      },
      { onError: () => {} },
    )
    await queue.addMany(['fails', 'goes on'])
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ dead: 1, waiting: 0, active: 0 }), SOON)
    expect(await queue.deadLetters()).toMatchObject([
      { data: 'fails', error: { code: 'CONFIG_INVALID', message: expect.stringContaining('backoff') } },
    ])
  },
)

it('ends a job whose backoff throws however it failed: by hand, forgotten, or held up by a full queue', async () => {
  const queue = hf.queue<string>('jobs', {
    lease: '200ms',
    backoff: () => {
      throw new Error('no time')
    },
  })
  const full = hf.queue<number>('full', { maxLength: 1 })
  await full.add(1)
  await queue.addMany(['failed', 'forgotten'])
  await (await queue.take())?.fail(new Error('by hand'))
  await queue.take()
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(2), SOON)
  queue.process((_, { follow }) => follow(2, { queue: full }), { onError: () => {} })
  await queue.add('held up')
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ dead: 3, active: 0 }), SOON)
  const messages = (await queue.deadLetters()).map(({ error }) => error?.message)
  expect(messages).toEqual(['no time', 'no time', 'no time'])
})

it('ends a job whose handler threw what cannot be looked at, and goes on', async () => {
  const queue = hf.queue<string>('jobs', { attempts: 1 })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const done: string[] = []
  queue.process(
    async ({ data }) => {
      if (data === 'revoked') throw proxy
      done.push(data)
    },
    { onError: () => {} },
  )
  await queue.addMany(['revoked', 'next'])
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ dead: 1, active: 0, waiting: 0 }), SOON)
  expect(done).toEqual(['next'])
  await queue.redrive()
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ dead: 1, active: 0, waiting: 0 }), SOON)
  expect(await queue.deadLetters()).toMatchObject([{ error: { message: expect.stringContaining('revoked') } }])
})

it('shows in a dead letter whatever its handler threw', async () => {
  const queue = hf.queue<number>('jobs', { attempts: 1 })
  const thrown = [
    null,
    'text',
    Object.create(null),
    { message: 'no Error', code: 'PGRST116' },
    Object.assign(new Error('x'), { message: undefined }),
  ]
  queue.process(
    ({ data }) => {
      throw thrown[data]
    },
    { onError: () => {} },
  )
  await queue.addMany(thrown.map((_, i) => i))
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(thrown.length), SOON)
  const letters = await queue.deadLetters()
  const errors = letters.sort((a, b) => a.data - b.data).map(({ error }) => error)
  expect(errors).toMatchObject([
    { message: 'null' },
    { message: 'text' },
    { message: expect.any(String) },
    { message: 'no Error', code: 'PGRST116' },
    { name: 'Error', message: expect.any(String) },
  ])
})

it('warns of an onError that rejects, and goes on', async () => {
  const queue = hf.queue<string>('jobs', { attempts: 1 })
  queue.process(() => Promise.reject(new Error('fails')), { onError: () => Promise.reject(new Error('deaf')) })
  const warned = once(process, 'warning')
  await queue.add('x')
  expect((await warned)[0]).toMatchObject({ code: 'HOLDFAST_ON_ERROR', message: expect.stringContaining('deaf') })
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
})

it('counts an attempt that ends well after its timeout and within the grace', async () => {
  const queue = hf.queue<string>('jobs', { timeout: 20 })
  const worker = queue.process(
    (_, { signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, 20))),
  )
  await queue.add('x')
  await vi.waitFor(() => expect(worker.stats).toMatchObject({ done: 1, failed: 0, zombies: 0 }), SOON)
})

it('waits for a result no longer than it was told to, also while Redis is away', async () => {
  const proxy = await ground.proxy()
  const away = await ground.connect({}, proxy.url)
  const queue = away.queue<number>('jobs')
  const { id } = await queue.add(1, { keepResult: '1m', delay: '1h' })
  const started = performance.now()
  proxy.drop()
  await expect(queue.result(id, { wait: '100ms' })).rejects.toMatchObject({ code: 'TIMEOUT' })
  const leaving = new AbortController()
  const { signal } = leaving
  setTimeout(() => leaving.abort('enough'), 50)
  await expect(queue.result(id, { wait: '1m', signal })).rejects.toBe('enough')
  expect(performance.now() - started).toBeLessThan(5_000)
  await expect(queue.result(id, { signal })).rejects.toBe('enough')
})

it('lets a handler tell of its progress without waiting for that, also while Redis is away', async () => {
  const proxy = await ground.proxy()
  const away = await ground.connect({ timeout: '100ms' }, proxy.url)
  const unheard: unknown[] = []
  const hear = (error: unknown) => void unheard.push(error)
  process.on('unhandledRejection', hear)
  try {
    const queue = away.queue<number>('jobs')
    let told: Promise<void> | undefined
    const worker = queue.process(
      async (_, { progress }) => {
        proxy.drop()
        void progress(1)
        told = progress(2)
        await expect(told).rejects.toMatchObject({ code: 'TIMEOUT' })
        await proxy.heal()
      },
      { onError: () => {} },
    )
    await queue.add(1)
    await vi.waitFor(() => expect(worker.stats).toMatchObject({ done: 1, failed: 0 }), SOON)
    expect(unheard).toEqual([])
  } finally {
    process.off('unhandledRejection', hear)
  }
})

it('does all else that a job came to where a count of it can grow no more', async () => {
  const queue = hf.queue<string>('jobs')
  await ground.server.command('HSET', '{hf:queue:jobs:0}:tallies', 'sum', '9223372036854775807')
  const ran: string[] = []
  queue.process(({ data }, { tally, follow }) => {
    ran.push(data)
    if (data !== 'counts') return
    tally('sum', 1)
    tally('done')
    follow('follows')
  })
  await queue.add('counts')
  await vi.waitFor(() => expect(ran).toEqual(['counts', 'follows']), SOON)
  expect(await queue.tallies()).toMatchObject({ done: 1 })
})

it('purges and redrives nothing by a filter that answers later', async () => {
  const queue = hf.queue<string>('jobs', { attempts: 1 })
  const worker = queue.process(() => Promise.reject(new Error('fails')), { onError: () => {} })
  await queue.add('x')
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
  await worker.close()
  const filter = (async () => false) as never
  for (const called of [queue.purge({ filter }), queue.redrive({ filter }), queue.deadLetters({ filter })])
    await expect(called).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'filter' })
  expect((await queue.counts()).dead).toBe(1)
})

const refuse = () => {
  throw new Error('no promise')
}
it.each([Object.defineProperty({}, 'then', { get: refuse }), Object.defineProperty({}, 'then', { value: refuse })])(
  'fails a job whose handler answers what cannot be waited for, and begins those beside it: %#',
  async (answer) => {
    const queue = hf.queue<string>('jobs', { attempts: 1 })
    const ran: string[] = []
    await queue.addMany(['odd', 'even', 'third'])
    queue.process(
      ({ data }) => {
        ran.push(data)
        return data === 'odd' ? answer : undefined
      },
      { concurrency: 3, onError: () => {} },
    )
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ dead: 1, active: 0, waiting: 0 }), SOON)
    expect(ran.toSorted()).toEqual(['even', 'odd', 'third'])
  },
)

it('is done, and run no second time, where what it came to cannot be kept: told to onError, or by a warning', async () => {
  const queue = hf.queue<string>('jobs')
  const ran: string[] = []
  const heard: unknown[] = []
  const come: Record<string, unknown> = { circle: {}, function: () => 1, large: 'x'.repeat(1024 * 1024) }
  ;(come.circle as Record<string, unknown>).self = come.circle
  const handler = ({ data }: { data: string }) => {
    ran.push(data)
    return come[data]
  }
  const worker = queue.process(handler, {
    onError: (error, job) => heard.push([(error as HoldfastError).code, job?.id]),
  })
  const names = Object.keys(come)
  await queue.addMany(names, (id) => ({ id, keepResult: '1m' }))
  for (const id of names) expect(await queue.result(id, { wait: '10s' })).toEqual({ status: 'done', value: undefined })
  expect(ran).toEqual(names)
  expect(heard).toEqual([
    ['VALUE_UNWRITABLE', 'circle'],
    ['VALUE_UNWRITABLE', 'function'],
    ['CONFIG_INVALID', 'large'],
  ])
  await worker.close()
  expect(worker.stats).toMatchObject({ done: 3, failed: 0 })
  const silent = queue.process(handler)
  const warned = once(process, 'warning')
  await queue.add('circle', { id: 'circle', keepResult: '1m' })
  expect(String((await warned)[0])).toContain("the result of job 'circle' is not kept")
  await silent.close()
})
