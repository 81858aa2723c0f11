/**
 * Rate limits against raw scripts doing the same work, in the same run: `npm run bench -- limit [--peers] [--json] [--rounds N] [--callers N] [--only text]`.
 * The floor of each scenario is its first contender: the smallest script for that algorithm, by the raw client, one key an id.
 */
import { connect, type LimiterOptions } from 'holdfast'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { contendersIn, type OneVerbPeer, openPeers } from './harness/peer-module.ts'
import { type Row, report, rowsOf } from './harness/report.ts'
import { type Contender, measure } from './harness/rounds.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const rounds = Number(flag('rounds') ?? 9)
const callers = Number(flag('callers') ?? 100)
const only = flag('only')
const IDS = 1_000
const HOUR_MS = 3_600_000
const PLENTY = 1_000_000_000

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench', timeout: '10s' })

/** The smallest scripts: what to write by hand for one rule, with numbers that a caller can use in the answer. */
const RAW = {
  fixed: `local n = redis.call('INCRBY', KEYS[1], ARGV[3])
local ttl = redis.call('PTTL', KEYS[1])
if ttl < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) ttl = tonumber(ARGV[2]) end
return {n <= tonumber(ARGV[1]) and 1 or 0, n, ttl}`,
  sliding: `local t = redis.call('TIME')
local now, limit, per, cost = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window = math.floor(now / per)
local state = redis.call('HMGET', KEYS[1], 'w', 'c', 'p')
local w, c, p = tonumber(state[1]), tonumber(state[2]) or 0, tonumber(state[3]) or 0
if w ~= window then p = w == window - 1 and c or 0 c = 0 end
local used = p * (1 - (now % per) / per) + c
if used + cost > limit then return {0, math.floor(limit - used), per} end
redis.call('HSET', KEYS[1], 'w', string.format('%.0f', window), 'c', c + cost, 'p', p)
redis.call('PEXPIRE', KEYS[1], per * 2)
return {1, math.floor(limit - used - cost), per}`,
  bucket: `local t = redis.call('TIME')
local now, limit, per, cost = t[1] * 1000 + t[2] / 1000, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'n', 't')
local n, at = tonumber(state[1]) or limit, tonumber(state[2]) or now
n = math.min(limit, n + (now - at) * limit / per)
if n < cost then return {0, math.floor(n), per} end
redis.call('HSET', KEYS[1], 'n', string.format('%.17g', n - cost), 't', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], per)
return {1, math.floor(n - cost), per}`,
} as const

type Kind = keyof typeof RAW
const hashes: Record<string, string> = {}
for (const [kind, text] of Object.entries(RAW)) hashes[kind] = String(await raw.script('LOAD', text))

const idOf = (turn: number) => `10.0.${(turn % IDS) >> 8}.${(turn % IDS) & 255}`
const rawRun =
  (kind: Kind, per: number, limit = PLENTY) =>
  async (turn: number) => {
    const [allowed] = (await raw.evalsha(
      hashes[kind] as string,
      1,
      `raw:${kind}:${per}:${idOf(turn)}`,
      limit,
      per,
      1,
    )) as number[]
    if (allowed !== 1 && limit === PLENTY) throw new Error(`${kind} refused`)
  }

function ours(name: string, options: LimiterOptions, expected = true): Contender['run'] {
  const limiter = hf.limiter(name, options)
  return async (turn) => {
    const { allowed } = await limiter.consume(idOf(turn))
    if (allowed !== expected) throw new Error(`${name}: allowed is ${allowed}`)
  }
}

const others = await openPeers<OneVerbPeer & { scenario: string }>('limits.mjs', server.url)
const at = { callers, rounds, sliceMs: 200 }
const rows: Row[] = []
async function scenario(
  name: string,
  contenders: readonly Contender[],
  targets: Record<string, number> = {},
): Promise<void> {
  if (only !== undefined && !name.includes(only)) return
  rows.push(...rowsOf(`${name}, ${IDS} ids, ${callers} callers`, await measure(contenders, at), targets))
}

for (const kind of ['fixed', 'sliding', 'bucket'] as const)
  await scenario(
    `one rule, ${kind}`,
    [
      { name: 'ioredis, raw script', run: rawRun(kind, HOUR_MS) },
      { name: 'holdfast consume', run: ours(kind, { rules: [{ limit: PLENTY, per: HOUR_MS, algorithm: kind }] }) },
      ...contendersIn(others, kind),
    ],
    { 'holdfast consume': 1 },
  )
await scenario(
  'one rule, gcra',
  [
    { name: 'ioredis, raw bucket script', run: rawRun('bucket', HOUR_MS) },
    { name: 'holdfast consume', run: ours('gcra', { rules: [{ limit: PLENTY, per: HOUR_MS }] }) },
  ],
  { 'holdfast consume': 1 },
)

const THREE = [60_000, HOUR_MS, 24 * HOUR_MS]
const threeRules: LimiterOptions = { rules: THREE.map((per) => ({ limit: PLENTY, per, algorithm: 'bucket' })) }
await scenario(
  'three rules',
  [
    {
      name: 'ioredis, three raw scripts at once',
      run: (turn) => Promise.all(THREE.map((per) => rawRun('bucket', per)(turn))),
    },
    { name: 'holdfast consume', run: ours('three', threeRules) },
  ],
  { 'holdfast consume': 2 },
)

const exhausted = { limit: 1, per: '30d', algorithm: 'fixed' } as const
for (const rememberRefusals of [false, true]) {
  const limiter = hf.limiter(`exhausted ${rememberRefusals}`, { rules: [exhausted], rememberRefusals })
  for (let turn = 0; turn < IDS; turn++) await limiter.consume(idOf(turn))
}
await scenario('exhausted', [
  { name: 'ioredis, raw script', run: rawRun('fixed', 30 * 24 * HOUR_MS, 1) },
  { name: 'holdfast consume', run: ours('exhausted false', { rules: [exhausted], rememberRefusals: false }, false) },
  {
    name: 'holdfast consume, remembered',
    run: ours('exhausted true', { rules: [exhausted], rememberRefusals: true }, false),
  },
])

rows.push(...(await serverTimes()))

report(
  `Limits against the raw client (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`,
  rows,
)
await others.close()
await hf.close()
raw.disconnect()
await server.stop()

/** What a script takes of the server by its own account (INFO commandstats). */
async function serverTimes(): Promise<readonly Row[]> {
  const contenders: [string, Contender['run']][] = [
    ...(['fixed', 'sliding', 'bucket'] as const).flatMap((kind): [string, Contender['run']][] => [
      [`raw ${kind}`, rawRun(kind, HOUR_MS)],
      [`holdfast ${kind}`, ours(kind, { rules: [{ limit: PLENTY, per: HOUR_MS, algorithm: kind }] })],
    ]),
    ['holdfast three rules', ours('three', threeRules)],
  ]
  const times = contenders.map(() => [] as number[])
  for (let round = 0; round < rounds; round++)
    for (const [c, [, run]] of contenders.entries()) {
      await raw.config('RESETSTAT')
      for (let turn = 0; turn < 2_000; turn += 100)
        await Promise.all(Array.from({ length: 100 }, (_, i) => run(turn + i)))
      const stats = String(await raw.info('commandstats'))
      times[c]?.push(Number(/cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(stats)?.[1]))
    }
  return contenders.map(([contender], c) => {
    const micros = (times[c] as number[]).sort((a, b) => a - b)
    const middle = micros[micros.length >> 1] as number
    return {
      scenario: 'time on the server',
      contender,
      figure: `${middle.toFixed(1)} µs (${micros[0]?.toFixed(1)}–${micros.at(-1)?.toFixed(1)})`,
    }
  })
}
