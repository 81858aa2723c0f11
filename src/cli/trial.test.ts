// The verbs that try servers out: their ticks and figures, and that nothing of them is left.
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { holdfast, outcome, start } from './program.fixture.ts'
import { runCli } from './run.ts'

let server: TestServer
let env: Record<string, string>

beforeAll(async () => {
  server = await startServer({ users: { app: 'on >s3cret ~* &* +@all -xadd' } })
  env = { REDIS_URL: server.url }
})
afterAll(() => server.stop())

const keys = () => server.command<string[]>('KEYS', '*')

it('holdfast verify prints a tick with a figure for each promise, and ends with 0', async () => {
  const { code, out, err } = await holdfast(['verify', '--only', 'cache,lock,quorum'], env)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(/^✓ Cache-aside +hit \d+(\.\d+)? ms\n✓ Distributed lock +taken and released \S+ ms\n/)
  expect(out).toMatch(/\n– Redlock on independent servers +needs 3 servers/)
  expect(out).toMatch(
    /\n\n3 promises kept, 0 broken, 1 not looked at, on redis \S+ \(single\) in \S+ s\. \d+ keys removed\.\n$/,
  )
  expect(await keys()).toEqual([])
})

it('holdfast verify prints a cross with what to grant, and ends with 1', async () => {
  const limited = { REDIS_URL: server.url.replace('://', '://app:s3cret@') }
  const { code, out, err } = await holdfast(['verify', '--only', 'queue,session'], limited)
  expect(code).toBe(1)
  expect(out).toMatch(/^✗ Message queue +SERVER_DENIED: queue\.add: .*\n {4}grant +~\{verify-.* \+xadd /)
  expect(out).toMatch(/\n✓ Sessions /)
  expect(out + err).not.toContain('s3cret')
  const json = await holdfast(['verify', '--only', 'queue', '--json'], limited)
  expect(json.code).toBe(1)
  expect(JSON.parse(json.out)).toMatchObject({
    crosses: 1,
    outcomes: [{ id: 'queue', cross: { code: 'SERVER_DENIED' } }],
  })
  expect(await keys()).toEqual([])
})

it('holdfast bench prints figures beside those of the client alone, and ends with 0', async () => {
  const words = ['bench', '--only', 'session,lock', '--seconds', '0.1', '--clients', '4']
  const { code, out, err } = await holdfast(words, env)
  expect(code).toBe(0)
  expect(out).toMatch(
    /^redis \S+, single, 1 server, \S+ ms away, 4 callers\n\nOPERATION +\/S +CLIENT ALONE +RATIO +AT \/S +P50 /,
  )
  expect(out).toMatch(
    /\nlock taken and released +[\d,]+ +[\d,]+ +\d+\.\d\d +[\d,]+( +\d+(\.\d+)? ms){5}\nsession loaded /,
  )
  expect(err).toMatch(/The servers share this machine/)
  const json = JSON.parse((await holdfast([...words, '--rate', '200', '--json'], env)).out)
  expect(json.rows[0]).toMatchObject({ id: 'lock', throughput: { ratio: expect.any(Number) }, latency: { rate: 200 } })
  expect(await keys()).toEqual([])
})

it.each([
  [
    ['verify', '--only', 'cash', '--url', 'redis://127.0.0.1:1'],
    2,
    /only: expected some of cache-aside, .* received 'cash'/,
  ],
  [['verify', '--private', 'moon'], 2, /--private: expected standalone, cluster, sentinel, shards, received 'moon'/],
  [['verify', '--private', '--url', 'redis://h'], 2, /--private: expected no --url beside it/],
  [['verify', '--url', 'redis://:s3cret@127.0.0.1:1', '--timeout', '300ms'], 3, /CONNECTION_LOST/],
  [['bench', '--clients', '0'], 2, /--clients: expected a whole number/],
])('%j ends with %i and says why on stderr', async (words, code, why) => {
  const said = await holdfast(words, {})
  expect(said).toMatchObject({ code, out: '' })
  expect(said.err).toMatch(why)
  expect(said.err).not.toContain('s3cret')
})

it('holdfast verify removes what it made at Ctrl-C, and ends with 130', async () => {
  const verifying = start(['verify'], env)
  const said = outcome(verifying)
  await once(verifying.stdout!, 'data')
  verifying.kill('SIGINT')
  expect(await said).toMatchObject({ code: 130, err: expect.stringContaining('Interrupted.') })
  expect(await keys()).toEqual([])
})

it.each([
  ['EPIPE', 130, /^Interrupted\.\n$/],
  ['ENOSPC', 1, /^The results could not be written: no space\nInterrupted\.\n$/],
])(
  'holdfast verify removes what it made where its results cannot be written (%s), and ends with %i',
  async (why, code, said) => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('no space'), { code: why })),
    })
    let err = ''
    const stderr = { write: (text: string) => (err += text) }
    const exit = () => expect.unreachable()
    expect(await runCli(['verify', '--only', 'cache,lock'], '1.2.3', { stdout, stderr, env, exit })).toBe(code)
    expect(err).toMatch(said)
    expect(await keys()).toEqual([])
  },
)
