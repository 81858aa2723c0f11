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
    expect(await answer('add', 'e mail', '{"to":"me"}', '--id', 'first', '--shards', '3')).toEqual({
      id: 'first',
      added: true,
    })
    expect((await run('add', 'e mail', '{"to":"me"}', '--id', 'first', '--shards', '3')).out).toContain(
      'exists already',
    )
    await answer('add', 'e mail', '[1]', '--delay', '1h', '--priority', '5', '--shards', '3')
    for (let i = 0; i < 20; i++) await queue.add(i)
    await queue.repeat('nightly', { cron: '0 3 * * *' }, 1)
    const [listed] = await answer('ls')
    expect(listed).toMatchObject({ name: 'e mail', shards: 3, waiting: 21, delayed: 1, dead: 0, paused: false })
    expect(await answer('stats', 'e mail')).toMatchObject({ waiting: 21, schedules: [{ id: 'nightly' }], tallies: {} })
    const peeked = await answer('peek', 'e mail', '--limit', '50')
    expect(peeked).toHaveLength(22)
    expect(peeked).toContainEqual({ id: 'first', state: 'waiting', priority: 0, attempts: 0, data: { to: 'me' } })
    for (const verb of ['stats', 'peek']) expect(await run(verb, 'e mail')).toMatchObject({ code: 0, err: '' })
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

  it('ends by its codes when it is asked for what is not there, or has no form', async () => {
    expect(await run('stats', 'nobody')).toMatchObject({ code: 2, out: '' })
    expect(await run('add', 'e mail', 'no json')).toMatchObject({ code: 2, out: '' })
    const away = await holdfast(['queue', 'ls', '--url', 'redis://127.0.0.1:1', '--timeout', '300ms'])
    expect(away).toMatchObject({ code: 3, out: '' })
  })
})
