import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type Holdfast, type Queue } from '../../index.ts'
import { startServer, type TestServer } from '../../testing/index.ts'
import { holdfast } from '../program.fixture.ts'

let server: TestServer
let hf: Holdfast
let queue: Queue

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { namespace: 'a:b', timeout: '10s' })
  queue = hf.queue('e mail', { shards: 3, attempts: 1 })
})
afterAll(async () => {
  await hf?.close()
  await server?.stop()
})

const run = (...words: string[]) =>
  holdfast(['queue', ...words, '--namespace', 'a:b', '--timeout', '10s'], { REDIS_URL: server.url })
const answer = async (...words: string[]) => {
  const said = await run(...words, '--json')
  expect(said).toMatchObject({ code: 0, err: '' })
  return JSON.parse(said.out)
}

describe('holdfast queue', () => {
  it('adds jobs, lists queues, and shows what is in one', async () => {
    expect((await run('ls')).err).toMatch(/^No queue was used in the namespace \S+\.\n$/)
    expect(await answer('add', 'e mail', '{"to":"me"}', '--id', 'first', '--shards', '3')).toEqual({
      id: 'first',
      added: true,
    })
    expect((await run('add', 'e mail', '{"to":"me"}', '--id', 'first')).out).toContain('exists already')
    await answer('add', 'e mail', '[1]', '--delay', '1h', '--priority', '5')
    for (let i = 0; i < 20; i++) await queue.add(i)
    await queue.repeat('nightly', { cron: '0 3 * * *' }, 1)
    const [listed] = await answer('ls')
    expect(listed).toMatchObject({ name: 'e mail', shards: 3, waiting: 21, delayed: 1, dead: 0, paused: false })
    expect(await answer('stats', 'e mail')).toMatchObject({ waiting: 21, schedules: [{ id: 'nightly' }], tallies: {} })
    const peeked = await answer('peek', 'e mail', '--limit', '50')
    expect(peeked).toHaveLength(22)
    expect(peeked).toContainEqual({ id: 'first', state: 'waiting', priority: 0, attempts: 0, data: { to: 'me' } })
    expect(await run('stats', 'e mail')).toMatchObject({ code: 0, err: '' })
    expect(await run('peek', 'e mail')).toMatchObject({ code: 0, err: '--page 2 shows more.\n' })
    expect((await run('ls')).out).toMatch(/^QUEUE +WAITING/)
  })

  it('pauses and resumes all shards', async () => {
    expect(await answer('pause', 'e mail')).toEqual({ paused: true })
    expect(await queue.take()).toBeUndefined()
    expect((await run('ls')).out).toContain('paused')
    expect((await run('resume', 'e mail')).out).toContain('goes on')
    expect((await queue.counts()).paused).toBe(false)
  })

  it('shows, redrives and purges dead letters', async () => {
    for (let i = 0; i < 3; i++) await (await queue.take())?.fail(new Error(`no ${i}`))
    const letters = await answer('dead', 'e mail')
    expect(letters).toHaveLength(3)
    expect((await run('dead', 'e mail')).out).toContain('no 1')
    expect((await answer('redrive', 'e mail', '--dry-run')).ids).toHaveLength(3)
    expect(await answer('redrive', 'e mail', '--id', letters[0].id)).toEqual({ ids: [letters[0].id], exists: [] })
    expect(await run('purge', 'e mail')).toMatchObject({ code: 4, out: '' })
    expect(await answer('purge', 'e mail', '--dry-run')).toEqual({ purged: 2 })
    expect(await answer('purge', 'e mail', '--yes')).toEqual({ purged: 2 })
    expect((await queue.counts()).dead).toBe(0)
  })

  it('drains what waits, when it was told that it may', async () => {
    const held = await queue.take()
    expect(await run('drain', 'e mail')).toMatchObject({ code: 4, out: '' })
    expect(await answer('drain', 'e mail', '--dry-run')).toEqual({ drained: 19 })
    expect(await answer('drain', 'e mail', '--yes')).toEqual({ drained: 19 })
    await held?.complete()
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 })
    expect((await queue.add(1, { id: 'first' })).added).toBe(true)
  })

  it('chooses dead letters by reason, age and text', async () => {
    await answer('drain', 'e mail', '--yes')
    for (const data of ['ape', 'bee']) {
      await queue.add(data)
      await (await queue.take())?.fail(new Error(`no ${data}`))
    }
    expect(await answer('dead', 'e mail', '--match', 'no bee')).toMatchObject([{ data: 'bee' }])
    expect(await answer('dead', 'e mail', '--match', '"ape"', '--since', '1h', '--reason', 'attempts')).toHaveLength(1)
    expect(await answer('dead', 'e mail', '--reason', 'crash')).toEqual([])
    expect(await run('dead', 'e mail', '--reason', 'bad')).toMatchObject({ code: 2, out: '' })
    const said = await run('redrive', 'e mail', '--match', 'ape', '--preview')
    expect(said.out).toContain('Would give 1 dead letter another life')
    expect((await answer('redrive', 'e mail', '--match', 'ape')).ids).toHaveLength(1)
    expect(await answer('purge', 'e mail', '--match', 'ape', '--yes')).toEqual({ purged: 0 })
    expect(await answer('purge', 'e mail', '--match', 'bee', '--yes')).toEqual({ purged: 1 })
    expect(await answer('drain', 'e mail', '--yes')).toEqual({ drained: 1 })
  })

  it('opens a queue as it is kept, and shows ranks, groups and delays by pages', async () => {
    const ranked = hf.queue('ranked', { mode: 'priority', groupConcurrency: 2 })
    await ranked.addMany(['low', 'high'], (data) => ({ priority: data === 'low' ? -7 : 7 }))
    // Before there are groups, which take their turns with the ranks.
    const running = await ranked.take()
    await ranked.addMany(['b1', 'a1', 'b2'], (data) => ({ group: `team ${String(data).slice(0, 1)}` }))
    await ranked.add('later', { delay: '1h', priority: 3 })
    expect(await answer('add', 'ranked', '"lower"', '--priority=-50000', '--id', 'low:1')).toMatchObject({
      added: true,
    })
    expect(await answer('stats', 'ranked')).toMatchObject({
      mode: 'priority',
      shards: 1,
      groupConcurrency: 2,
      waiting: 5,
      active: 1,
    })
    const order = ['low', 'lower', 'a1', 'b1', 'b2', 'later']
    expect((await answer('peek', 'ranked')).map(({ data }: { data: string }) => data)).toEqual(['high', ...order])
    const page = await answer('peek', 'ranked', '--limit', '3', '--page', '2')
    expect(page).toMatchObject([
      { data: 'a1', state: 'waiting', group: 'team a' },
      { data: 'b1', group: 'team b' },
      { data: 'b2', group: 'team b' },
    ])
    expect(await answer('peek', 'ranked', '--limit', '3', '--page', '4')).toEqual([])
    expect(await run('add', 'ranked', '1', '--mode', 'stream')).toMatchObject({ code: 2, out: '' })
    expect(await run('reshape', 'ranked', '--mode', 'stream')).toMatchObject({ code: 4, out: '' })
    expect(await answer('drain', 'ranked', '--yes')).toEqual({ drained: 6 })
    expect(await ranked.counts()).toMatchObject({ waiting: 0, active: 1, delayed: 0 })
    // Nothing of its groups is left behind: they take their turns again.
    await running?.complete()
    await ranked.add('b3', { group: 'team b' })
    expect((await ranked.take())?.data).toBe('b3')
  })

  it('makes a queue of the shape that it is told, and gives an empty one another', async () => {
    await answer('add', 'made', '1', '--shards', '2', '--group', 'g', '--group-concurrency', '3')
    expect(await answer('stats', 'made')).toMatchObject({ mode: 'stream', shards: 2, groupConcurrency: 3 })
    await answer('drain', 'made', '--yes')
    const shape = { mode: 'priority', shards: 4, groupConcurrency: 3 }
    expect(await answer('reshape', 'made', '--shards', '4', '--mode', 'priority')).toEqual(shape)
    expect((await answer('ls')).find(({ name }: { name: string }) => name === 'made')).toMatchObject(shape)
  })

  it('ends by its codes when it is asked for what is not there, or has no form', async () => {
    const unknown = await run('stats', 'nobody')
    expect(unknown).toMatchObject({ code: 2, out: '' })
    expect(unknown.err).toContain("'e mail'")
    for (const words of [['drain', '--yes'], ['pause'], ['dead'], ['reshape', '--shards', '2']])
      expect(await run(words[0] as string, 'nobody', ...words.slice(1))).toMatchObject({ code: 2, out: '' })
    expect(await run('add', 'e mail', 'no json')).toMatchObject({ code: 2, out: '' })
    const away = await holdfast(['queue', 'ls', '--url', 'redis://127.0.0.1:1', '--timeout', '300ms'])
    expect(away).toMatchObject({ code: 3, out: '' })
  })
})
