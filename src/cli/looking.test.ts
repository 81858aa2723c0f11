// The verbs that look into a namespace, and take something away from somebody there.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast } from '../index.ts'
import { KINDS } from '../ops/namespace/kinds.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import { makeOneOfEach } from './one-of-each.fixture.ts'
import { holdfast } from './program.fixture.ts'
import { runCli } from './run.ts'
import { span } from './terminal/figures.ts'

let server: TestServer
let hf: Holdfast
let env: Record<string, string>
let namespace: string

beforeAll(async () => {
  server = await startServer()
  env = { REDIS_URL: server.url }
})
beforeEach(async () => {
  namespace = testNamespace('cli')
  hf = await connect(server.url, { namespace, timeout: '5s' })
  return () => hf.close()
})
afterAll(() => server.stop())

const run = (...words: string[]) => holdfast([...words, '--namespace', namespace], env)
const json = async (...words: string[]) => {
  const { code, out, err } = await run(...words, '--json')
  expect(err).toBe('')
  expect(code, out).toBe(0)
  return JSON.parse(out)
}

describe('holdfast lock', () => {
  it('lists who has what and who waits, and leaves out what is free', async () => {
    expect((await run('lock', 'ls')).out).toMatch(/^Nobody has a lock or waits for one in the namespace \S+\.\n$/)
    await (await hf.lock('free').acquire()).release()
    await hf.cache('product', { ttl: '1m' }).set('1', 1)
    const held = await hf.lock('payment:77', { owner: 'worker-3' }).acquire()
    const waiting = hf.lock('payment:77', { owner: 'worker-4' }).acquire()
    await hf.semaphore('exports', { permits: 5 }).acquire({ permits: 2 })
    await hf.semaphore('exports', { permits: 5 }).acquire()
    await hf.rwLock('catalogue').write().acquire()
    await vi.waitFor(async () => expect((await hf.lock('payment:77').inspect()).waiting).toBe(1))
    const { out, err } = await run('lock', 'ls')
    expect(err).toBe('')
    expect(out).toMatch(/^KIND +NAME +HELD BY +FOR +ENDS IN +WAITING\nlock +payment:77 +worker-3 +\d+ m?s +\d+ s +1\n/)
    expect(out).toMatch(/\nrwlock +catalogue +somebody .*\nsemaphore +exports +2 holders .*\n$/)
    expect(out).not.toContain('free')
    const listed = await json('lock', 'ls', '--kind', 'semaphore')
    expect(listed).toMatchObject({ complete: true, locks: [{ kind: 'semaphore', name: 'exports' }] })
    expect(listed.locks[0].holders.map(({ permits }: { permits: number }) => permits)).toEqual([2, 1])
    const cut = await run('lock', 'ls', '--limit', '2')
    expect(cut.out.trim().split('\n')).toHaveLength(3)
    expect(cut.err).toBe('There may be more: the search ended with --limit 2.\n')
    await held.release()
    await (await waiting).release()
  })

  it('shows one, with fence and line', async () => {
    const name = 'a\u001b[2J\nb'
    const held = await hf.lock(name, { owner: 'worker-3' }).acquire()
    expect(await json('lock', 'show', name)).toMatchObject({
      ...{ kind: 'lock', name, state: 'held', waiting: 0 },
      holders: [{ owner: 'worker-3', fence: String(held.fence) }],
    })
    expect((await run('lock', 'show', name)).out).toMatch(
      /^lock a\\u001b\[2J\\u000ab: held, 0 callers waiting\n\nHELD BY +FENCE /,
    )
    expect((await run('lock', 'show', name, '--kind', 'rwlock')).out).toMatch(/: free, 0 callers waiting\n$/)
    await held.release()
  })

  it('breaks one if that is confirmed, and the next in line has it', async () => {
    const held = await hf.lock('payment:77', { owner: 'worker-3' }).acquire()
    const next = hf.lock('payment:77').acquire()
    await vi.waitFor(async () => expect((await hf.lock('payment:77').inspect()).waiting).toBe(1))
    const words = ['lock', 'break', 'payment:77', '--namespace', namespace]
    expect(await holdfast(words, env)).toMatchObject({
      ...{ code: 4, out: '' },
      err: expect.stringMatching(
        /^CHANGE_REFUSED: break: lock payment:77 is taken from worker-3 \(for .*\), who may be at work; --yes does it/,
      ),
    })
    for (const typed of ['n\n', '\n', ''])
      expect(await holdfast(words, env, typed)).toMatchObject({
        code: 4,
        out: '',
        err: expect.stringMatching(/\[y\/N\] .*nothing was done/s),
      })
    expect(held.valid()).toBe(true)
    expect(await holdfast(words, env, 'y\n')).toMatchObject({ code: 0, out: 'Broke lock payment:77.\n' })
    await (await next).release()
    await vi.waitFor(() => expect(held.signal.aborted).toBe(true))
    expect(await run('lock', 'break', 'payment:77')).toMatchObject({ code: 0, out: 'Nobody has lock payment:77.\n' })
    await hf.rwLock('r').read().acquire()
    await hf.semaphore('s', { permits: 2 }).acquire({ permits: 2 })
    for (const [kind, name] of [
      ['rwlock', 'r'],
      ['semaphore', 's'],
    ] as const) {
      expect(await json('lock', 'break', name, '--kind', kind, '--yes')).toEqual({ kind, name, released: true })
      expect(await json('lock', 'show', name, '--kind', kind)).toMatchObject({ state: 'free' })
    }
  })
})

describe('holdfast limit', () => {
  const rules = [
    { limit: 10, per: '1h', algorithm: 'fixed' },
    { limit: 10, per: '1h', algorithm: 'gcra' },
    { limit: 10, per: '1h', algorithm: 'sliding' },
    { limit: 10, per: '1h', algorithm: 'log' },
    { limit: 10, per: '1h', algorithm: 'concurrency' },
  ] as const

  it('shows what an id has used, looks further if asked to, and forgets it', async () => {
    const api = hf.limiter('api', { rules })
    for (const id of ['ann', 'ann:l1', 'bob']) await api.consume(id, { cost: 3 })
    await api.block('ann', '1h')
    const { rules: used, blockedMs } = await json('limit', 'show', 'api', 'ann', '--scan')
    expect(
      used.map(({ algorithm, used }: { algorithm: string; used: number }) => [algorithm, Math.round(used)]).sort(),
    ).toEqual(['concurrency', 'fixed', 'gcra', 'log', 'sliding'].map((algorithm) => [algorithm, 3]))
    expect(blockedMs).toBeGreaterThan(3_500_000)
    const shown = await run('limit', 'show', 'api', 'ann')
    expect(shown.out).toMatch(
      /^api, ann, blocked for another 59 min\n\nALGORITHM +PER +USED +WHEN\nfixed +1 h +3 +window ends in 59 min\n/,
    )
    expect(shown.out).not.toContain('concurrency')
    expect(shown.err).toBe('Rules of log and concurrency are not looked for; --scan does.\n')
    expect(await run('limit', 'reset', 'api', 'ann')).toMatchObject({ code: 4, out: '' })
    expect((await api.peek('ann')).blocked).toBe(true)
    expect(await json('limit', 'reset', 'api', 'ann', '--yes')).toEqual({ name: 'api', id: 'ann', reset: true })
    expect(await json('limit', 'show', 'api', 'ann', '--scan')).toEqual({ name: 'api', id: 'ann', rules: [] })
    expect((await api.peek('ann')).rules.map(({ remaining }) => remaining)).toEqual([10, 10, 10, 10, 10])
    for (const id of ['ann:l1', 'bob']) expect((await api.peek(id)).remaining).toBe(7)
    expect((await run('limit', 'reset', 'api', 'ann', '--yes')).out).toBe('Nothing of api counts for ann.\n')
  })

  it('counts no more than still counts', async () => {
    const quick = hf.limiter('quick', { rules: rules.map((rule) => ({ ...rule, per: 40 })) })
    await quick.consume('ann', { cost: 3 })
    await vi.waitFor(async () => {
      expect((await json('limit', 'show', 'quick', 'ann', '--scan')).rules).toEqual([])
    })
  })
})

describe('holdfast session', () => {
  it("lists a user's sessions, whatever life they have, and ends one or all", async () => {
    const sessions = hf.sessions({ idle: '30d', absolute: '90d' })
    const [one, two] = [
      await sessions.create({}, { userId: 'ann', label: 'Firefox\u202e on Linux' }),
      await sessions.create({}, { userId: 'ann' }),
    ]
    const staff = hf.sessions({ name: 'staff' })
    const other = await staff.create({}, { userId: 'ann' })
    const listed = await json('session', 'ls', 'ann')
    const info = (await sessions.listFor('ann')).map(({ ref, createdAtMs, lastSeenMs }) => ({
      ref,
      createdAtMs,
      lastSeenMs,
    }))
    expect(listed.sessions).toEqual(expect.arrayContaining(info.map((each) => expect.objectContaining(each))))
    expect(listed.sessions).toHaveLength(2)
    for (const { expiresAtMs } of listed.sessions) expect(Math.abs(expiresAtMs - one.expiresAtMs)).toBeLessThan(60_000)
    expect(JSON.stringify(listed)).not.toContain(one.id)
    const shown = await run('session', 'ls', 'ann')
    expect(shown.out).toMatch(/^REF +LABEL +BEGAN +LAST SEEN +ENDS IN\n/)
    expect(shown.out).toMatch(/ {2}Firefox\\u202e on Linux {2}\d+ m?s ago .*(29|30) d\n/)
    const ref = sessions.refOf(one.id) as string
    expect(await run('session', 'revoke', 'ann', '--all')).toMatchObject({ code: 4, out: '' })
    const end = (...words: string[]) =>
      holdfast(['session', 'revoke', '--namespace', namespace, '--yes', ...words], env)
    expect(await end('--', 'ann', ref)).toMatchObject({ code: 0, out: 'Ended 1 session of ann.\n' })
    expect(await end('--', 'ann', ref)).toMatchObject({ code: 1, out: 'Ended 0 sessions of ann.\n' })
    expect([await sessions.load(one.id), (await sessions.load(two.id))?.id]).toEqual([undefined, two.id])
    expect((await end('ann', '--all')).out).toBe('Ended 1 session of ann.\n')
    expect(await sessions.load(two.id)).toBeUndefined()
    expect((await run('session', 'ls', 'ann')).out).toBe('ann has no session.\n')
    expect(await json('session', 'revoke', 'ann', '--all', '--set', 'staff', '--yes')).toEqual({
      user: 'ann',
      revoked: 1,
    })
    expect(await staff.load(other.id)).toBeUndefined()
    for (const words of [['ann'], ['ann', ref, '--all']])
      expect(await end(...words)).toMatchObject({ code: 2, out: '' })
  })
})

describe('holdfast stats', () => {
  it('shows what all processes have measured and counted', async () => {
    expect((await run('stats')).out).toMatch(/^No metric of the namespace \S+ has a value within 1 h\.\n$/)
    await hf.monitor.record({ checkout: { values: [10, 20, 30.55] }, mails: { count: 2, value: 5_000, errors: 1 } })
    await hf.monitor.record({ '\u001b[2J': { errors: 1 } })
    const { out, err } = await run('stats', '--window', '5m')
    expect(err).toBe('')
    const [titles, ...rows] = out.trimEnd().split('\n')
    expect(titles).toMatch(/^METRIC +COUNT +ERRORS +MIN +AVG +P50 +P95 +P99 +MAX$/)
    expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
      ['\\u001b[2J', '0', '1', '0', '0', '0', '0', '0', '0'],
      ['checkout', '3', '0', '10', '20.18', expect.stringMatching(/^(19|20)/), '30.55', '30.55', '30.55'],
      ['mails', '2', '1', '2,500', '2,500', '2,500', '2,500', '2,500', '2,500'],
    ])
    expect(await json('stats', 'mails', 'never')).toEqual({
      metrics: {
        mails: await hf.monitor.stats('mails').then(({ toMs: _, ...stats }) => expect.objectContaining(stats)),
      },
    })
  })

  it('shows what a site has counted, by names that it finds', async () => {
    expect((await run('stats', '--site', 'none')).out).toMatch(
      /^Nothing was counted for none in the namespace \S+\.\n$/,
    )
    const site = hf.analytics('site', { spread: 4 })
    for (const item of ['/b', '/a', '/a']) site.hit('page', item, { visitor: item })
    site.track('booking', { amount: 99.5, __proto__x: 1 })
    await site.track('view', {}, { sync: true })
    await site.track('booking', { amount: 1_500 }, { sync: true })
    const { out } = await run('stats', '--site', 'site', '--spread', '4')
    expect(out).toMatch(/^site, from .*Z\n\nEVENT +COUNT +SUMS\nbooking +2 +amount 1,600, __proto__x 1\nview +1 *\n/)
    expect(out).toMatch(/\nDIMENSION +HITS +VISITORS\npage +3 +2\n {2}\/a +2 *\n {2}\/b +1 *\n$/)
    expect(await json('stats', '--site', 'site', '--spread', '4', '--window', '2d')).toMatchObject({
      events: [{ event: 'booking', count: 2, sums: { amount: 1_599.5 } }, { event: 'view' }],
      dimensions: [{ dimension: 'page', hits: 3, visitors: 2, top: [{ item: '/a', count: 2 }, { item: '/b' }] }],
    })
    for (const words of [
      ['checkout', '--site', 'site'],
      ['--spread', '4'],
      ['--window', '5s'],
      ['--window', '91d'],
    ])
      expect(await run('stats', ...words)).toMatchObject({ code: 2, out: '' })
  })
})

describe('holdfast metrics', () => {
  it('tells what the servers say, once or to a scraper of this machine, and ends by a signal', async () => {
    const once = await holdfast(['metrics'], env)
    expect(once).toMatchObject({ code: 0, err: '' })
    expect(once.out).toMatch(/^# HELP redis_up .*\n# TYPE redis_up gauge\nredis_up\{server="127.0.0.1:\d+"\} 1\n/)
    expect(once.out).not.toContain('holdfast_')
    let told: (url: string) => void = () => {}
    const url = new Promise<string>((resolve) => (told = resolve))
    const stdout = { write: (text: string) => told(text.trim()) }
    const host = { env, stdout, stderr: process.stderr, exit: () => expect.unreachable() }
    const ended = runCli(['metrics', '--listen', '0'], '1.2.3', host)
    const response = await fetch(await url)
    expect(response.headers.get('content-type')).toContain('version=0.0.4')
    expect(await response.text()).toContain('\nredis_connected_clients{')
    expect((await fetch(new URL('/', await url))).status).toBe(404)
    const taken = await holdfast(['metrics', '--listen', new URL(await url).port], env)
    expect(taken).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/--listen: expected a port that is free/),
    })
    process.emit('SIGHUP', 'SIGHUP')
    expect(await ended).toBe(0)
  })
})

describe('holdfast keys and holdfast rm', () => {
  it('count, find and remove what is in a namespace, and touch no key of another', async () => {
    const name = `${namespace}*[a-z]?{x`
    // As a pattern, the first means all of these; the last two only look like keys of it.
    const neighbours = [`${namespace}-[a-z]?{x`, `${name}2`, `${name}:lock`]
    const escaped = `${namespace}%2A%5Ba-z%5D%3F%7Bx`
    const foreign = [`app:{${escaped}:lock:a}`, `{${escaped}:cart:a}`, `lease:{${escaped}:lock:a}`]
    const opened = await Promise.all([name, ...neighbours].map((one) => connect(server.url, { namespace: one })))
    const [own, ...others] = opened as [Holdfast, ...Holdfast[]]
    for (const hf of others) await hf.lock('a', { ttl: '10m' }).acquire()
    for (const key of foreign) await server.command('SET', key, '1')
    await makeOneOfEach(own)
    const at = (...words: string[]) => holdfast([...words, '--namespace', name], env)
    const all = async () => (await server.command<string[]>('KEYS', '*')).filter((key) => key.includes(escaped))
    const survey = JSON.parse((await at('keys', '--json')).out)
    expect(new Set(survey.kinds.map(({ kind }: { kind: string }) => kind))).toEqual(
      // A quorum is on servers of its own, a leader is like a lock, and a single server has no list of shards.
      new Set(Object.keys(KINDS).filter((kind) => !['quorum', 'leader', 'shards'].includes(kind))),
    )
    expect(survey.unknown).toBe(foreign.length)
    const shown = await at('keys')
    expect(shown.out).toMatch(/: \d+ keys\n\nKIND +NAME +KEYS\nanalytics +site +\d+\n/)
    expect(shown.out).toMatch(/\n\nBeside these, 3 keys of no kind that this version makes: not touched\.\n$/)

    const product = JSON.parse((await at('keys', 'cache', 'pro*', 'a:b{c}', '--json')).out)
    expect(product).toMatchObject({ key: `{${escaped}:cache:pro%2A:a:b%7Bc%7D}`, complete: true })
    expect(product.keys).toEqual([
      expect.objectContaining({ key: product.key, type: 'string', endsInMs: expect.any(Number) }),
    ])
    const keysOf = async (...words: string[]) => JSON.parse((await at('keys', ...words, '--json')).out).keys
    expect(await keysOf('cache', 'pro')).toEqual([])
    const behind: readonly { key: string }[] = await keysOf('cache', 'behind', '42')
    for (const { key } of behind) expect(key).toMatch(/^(fence:|lease:)?\{.*:cache:behind:~[0-7]\}:42$/)
    expect(behind.length).toBeGreaterThan(0)
    expect((await keysOf('limit', 'api', '1.2.3.4')).map(({ type }: { type: string }) => type).sort()).toEqual([
      ...['hash', 'list', 'zset'],
    ])
    expect((await at('keys', 'queue', '--limit', '2')).err).toMatch(/^There may be more: .* --limit 2\.\n$/)
    expect((await at('keys', 'lock', 'payment:77')).out).toMatch(
      /^lock payment:77 is \{.*:lock:payment:77\}, slot \d+: 1 key\n\nKEY +TYPE +ENDS IN +MEMORY\n\{/,
    )
    for (const words of [['carts'], ['lock', 'a', 'b']])
      expect(await at('keys', ...words)).toMatchObject({ code: 2, out: '' })

    // What the programs that are still open write by themselves as they close is not to be counted.
    await own.close()
    const before = await all()
    expect(await at('rm')).toMatchObject({ code: 0, err: 'Nothing was removed; --yes removes them.\n' })
    expect((await all()).sort()).toEqual(before.sort())
    const { removed } = JSON.parse((await at('rm', '--yes', '--json')).out)
    expect(removed).toBe(before.length - others.length - foreign.length + 1)
    for (const hf of others) expect((await hf.lock('a').inspect()).state).toBe('held')
    expect((await all()).filter((key) => !foreign.includes(key))).toHaveLength(others.length - 1)
    expect(await holdfast(['rm', '--yes'], env)).toMatchObject({ code: 2, out: '' })
    await Promise.all(others.map((hf) => hf.close()))
    await server.command('UNLINK', ...foreign)
  })
})

it('helps with an example for each verb, and ends with 3 where no server answers', async () => {
  const verbs = [
    'lock ls',
    'lock show',
    'lock break',
    'limit show',
    'limit reset',
    'session ls',
    'session revoke',
    'stats',
    'metrics',
    'keys',
    'rm',
  ]
  for (const verb of verbs) {
    const { code, out } = await holdfast([...verb.split(' '), '--help'])
    expect(code).toBe(0)
    expect(out).toContain(`\n  holdfast ${verb} `)
  }
  const gone = ['lock', 'ls', '--url', 'redis://:s3cret@127.0.0.1:1', '--timeout', '200ms']
  const { code, out, err } = await holdfast(gone)
  expect([code, out]).toEqual([3, ''])
  expect(err).not.toContain('s3cret')
})

it('writes spans of time as people read them', () => {
  expect([0, 999, 1_000, 59_999, 60_000, 7_200_000, 86_400_000 * 3].map(span)).toEqual([
    ...['0 ms', '999 ms', '1 s', '59 s', '1 min', '2 h', '3 d'],
  ])
})
