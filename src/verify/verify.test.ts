import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { CHECKS } from './checks.ts'
import { FAULTS, sabotage, useServers } from './faults.fixture.ts'
import type { Outcome } from './outcome.ts'
import { type Moment, type VerifyOptions, verify } from './verify.ts'

const servers = useServers()
const halves = [0, 1].map((half) => CHECKS.map(({ id }) => id).filter((_, i) => i % 2 === half))
const crossesOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap((one) => (one.status === 'cross' ? [[one.id, one.cross] as const] : []))
const expectNothingLeft = async () => {
  for (const server of servers.all) expect(await server.command('KEYS', '*')).toEqual([])
}

it('has a fault and a line of its page for each check', () => {
  expect([...FAULTS.keys()].sort()).toEqual(CHECKS.map(({ id }) => id).sort())
  const page = readFileSync(new URL('../../docs/verify.md', import.meta.url), 'utf8')
  const lines = CHECKS.map(({ id, promise }) => `| \`${id}\` | ${promise} |`)
  expect(lines.filter((line) => !page.includes(line))).toEqual([])
})

it.each(halves)(
  'makes a cross of every second check, each spoilt by a fault of its own, and a tick of all others',
  async (...half) => {
    const { all } = servers
    const { between, planted } = sabotage(all, half)
    const result = await verify({
      ...{ connect: { url: all[0]!.url, timeout: '5s' }, between },
      servers: all.map(({ url }) => url),
    })
    expect(new Set(planted.map((point) => point.split(' ')[0]))).toEqual(new Set(half))
    const crosses = crossesOf(result.outcomes)
    expect(crosses.filter(([id]) => !half.includes(id))).toEqual([])
    expect(crosses.map(([id]) => id)).toEqual(half)
    for (const [id, cross] of crosses)
      expect(cross, id).toMatchObject({
        code: 'PROMISE_BROKEN',
        expected: expect.any(String),
        received: expect.any(String),
      })
    expect(result).toMatchObject({ crosses: half.length, ticks: CHECKS.length - half.length, left: undefined })
    await expectNothingLeft()
  },
)

describe('says in a line why it has failed on a server', () => {
  let server: TestServer
  afterEach(async () => {
    if (server.paused) await server.resume()
    await server.stop()
  })

  const onlyCrosses = async (options: Partial<VerifyOptions> = {}) =>
    new Map(crossesOf((await verify({ connect: { url: server.url, timeout: '5s' }, ...options })).outcomes))

  it('that is full', async () => {
    server = await startServer({ config: { maxmemory: 1, 'maxmemory-policy': 'noeviction' } })
    const crosses = await onlyCrosses()
    const codes = [...crosses.values()].map(({ code }) => code)
    expect(codes).toEqual(CHECKS.slice(1).map(() => 'SERVER_FULL'))
    expect(crosses.get('monitoring')?.message).toMatch(/^whether Redis has what was recorded: .* is at maxmemory/)
  })

  it('whose user may not do all', async () => {
    server = await startServer({ users: { app: 'on >secret ~* &* +@all -xadd' } })
    const url = server.url.replace('://', '://app:secret@')
    const crosses = await onlyCrosses({ connect: { url }, only: ['cache-aside', 'queue', 'schedules'] })
    expect([...crosses.keys()]).toEqual(['queue', 'schedules'])
    for (const cross of crosses.values())
      expect(cross).toMatchObject({ code: 'SERVER_DENIED', needs: expect.stringMatching(/\+xadd/) })
    expect(JSON.stringify([...crosses])).not.toContain('secret')
  })

  it('that freezes, without asking it again for each check that is left', async () => {
    server = await startServer()
    const only = ['cache-aside', 'semaphore', 'seats', 'event-log']
    const between = ({ check }: Moment) => (check === 'semaphore' ? server.pause() : undefined)
    const result = await verify({ connect: { url: server.url, timeout: 300 }, only, between })
    expect(result).toMatchObject({ ticks: 1, crosses: 3, left: { code: 'TIMEOUT' } })
    const messages = crossesOf(result.outcomes).map(([, { code, message }]) => `${code} ${message}`)
    expect(messages[0]).toMatch(/^TIMEOUT lock.acquire: no answer within 300 ms/)
    expect(messages.slice(1)).toEqual([
      expect.stringContaining('not looked at'),
      expect.stringContaining('not looked at'),
    ])
  })

  it('that leaves a check waiting for ever, at its deadline, and goes on with the next', async () => {
    server = await startServer()
    const between = ({ check }: Moment) => (check === 'lock' ? new Promise(() => {}) : undefined)
    const crosses = await onlyCrosses({ only: ['lock', 'semaphore'], deadline: 800, between })
    expect([...crosses]).toEqual([['lock', { code: 'OVERDUE', message: expect.stringContaining("step 'held'") }]])
    expect(await server.command('KEYS', '*')).toEqual([])
  })

  it('that is a replica, without asking it again', async () => {
    server = await startServer()
    await server.command('REPLICAOF', '127.0.0.1', '1')
    const crosses = await onlyCrosses({ connect: { url: server.url, timeout: 200 } })
    expect(crosses.size).toBe(CHECKS.length)
    for (const { code, message } of crosses.values())
      expect(`${code} ${message}`).toMatch(/^TIMEOUT .* a read-only replica of 127\.0\.0\.1:1 \(READONLY /)
  })

  it('that is away, before any check', async () => {
    const away = { url: 'redis://127.0.0.1:1', timeout: 300 } as const
    await expect(onlyCrosses({ connect: away })).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })
})

it('ends at a signal, and leaves nothing', async () => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const told: string[] = []
  const verifying = verify({
    ...{ connect: { url: servers.all[0]!.url, timeout: '5s' }, signal: stop.signal },
    onOutcome: ({ id }) => void told.push(id),
    between: ({ check, step }) => (`${check} ${step}` === 'queue added' ? stop.abort(reason) : undefined),
  })
  await expect(verifying).rejects.toBe(reason)
  expect(told).toEqual(CHECKS.slice(0, 4).map(({ id }) => id))
  await expectNothingLeft()
})

it('refuses checks that do not exist', async () => {
  await expect(verify({ connect: {}, only: ['cash'] })).rejects.toMatchObject({ option: 'only', received: "'cash'" })
})
