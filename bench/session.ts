/**
 * Loading (with its touch) and saving a session against the raw client running one script for the same, in the same run:
 * `npm run bench -- session [--peers] [--json] [--rounds N] [--callers N]`. The floor of each scenario is its first contender.
 */
import { connect } from 'holdfast'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { contendersIn, type OneVerbPeer, openPeers } from './harness/peer-module.ts'
import { type Row, report, rowsOf } from './harness/report.ts'
import { measure, median } from './harness/rounds.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const rounds = Number(flag('rounds') ?? 9)
const callers = Number(flag('callers') ?? 64)
const SESSIONS = 1_000
const IDLE_MS = 1_800_000

/** As an application's session looks: 380 bytes of JSON in six fields. */
const dataOf = (n: number) => ({
  role: 'customer',
  locale: 'en-GB',
  visits: n,
  cart: [
    { product: `p-${n}`, count: 2, price: 4999 },
    { product: `q-${n}`, count: 1, price: 1250 },
  ],
  address: { street: 'A street with a name of a usual length 42', city: 'Amsterdam', country: 'NL', zip: '1012 AB' },
  csrf: 'a token of a usual length, 32 b.',
})

// What a careful hand writes for the same: the hash at one moment, its life begun anew when a tenth of it has passed; a change only of a session
// that is there.
const LOAD = `local h = redis.call('HGETALL', KEYS[1])
if #h == 0 then return false end
if redis.call('PTTL', KEYS[1]) < ARGV[1] * 0.9 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return h`
const SAVE = `if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
if redis.call('PTTL', KEYS[1]) < ARGV[1] * 0.9 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return redis.call('HGETALL', KEYS[1])`

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench', timeout: '10s' })
const sessions = hf.sessions<ReturnType<typeof dataOf>>()
const load = String(await raw.script('LOAD', LOAD))
const save = String(await raw.script('LOAD', SAVE))

const ids: string[] = []
for (let n = 0; n < SESSIONS; n++) {
  const { id } = await sessions.create(dataOf(n), { userId: `u${n}` })
  ids.push(id)
  const fields = Object.entries(dataOf(n)).flatMap(([name, value]) => [name, JSON.stringify(value)])
  await raw.hset(`raw:${id}`, 'user', `u${n}`, 'created', Date.now(), ...fields)
  await raw.pexpire(`raw:${id}`, IDLE_MS)
}
const idAt = (turn: number) => ids[turn % SESSIONS] as string

function parse(reply: unknown): object {
  const flat = reply as string[]
  const data: Record<string, unknown> = {}
  let userId: string | undefined
  let createdAtMs = 0
  for (let i = 0; i < flat.length; i += 2) {
    const [name, text] = [flat[i] as string, flat[i + 1] as string]
    if (name === 'user') userId = text
    else if (name === 'created') createdAtMs = Number(text)
    else data[name] = JSON.parse(text)
  }
  return { userId, createdAtMs, data }
}

const rawLoad = async (turn: number) => parse(await raw.evalsha(load, 1, `raw:${idAt(turn)}`, IDLE_MS))
const rawSave = async (turn: number) =>
  parse(await raw.evalsha(save, 1, `raw:${idAt(turn)}`, IDLE_MS, 'visits', JSON.stringify(turn)))
const must = async (work: Promise<unknown>) => {
  if ((await work) === undefined) throw new Error('a session is gone')
}

const others = await openPeers<OneVerbPeer & { scenario: string }>('sessions.mjs', server.url)
const at = { callers, rounds, sliceMs: 250 }
const rows: Row[] = []
rows.push(
  ...rowsOf(
    `load with touch, ${callers} callers`,
    await measure(
      [
        { name: 'ioredis, one script', run: rawLoad },
        { name: 'holdfast load', run: (turn) => must(sessions.load(idAt(turn))) },
        {
          name: 'ioredis, HGETALL, then PEXPIRE',
          run: async (turn) => {
            await raw.hgetall(`raw:${idAt(turn)}`)
            await raw.pexpire(`raw:${idAt(turn)}`, IDLE_MS)
          },
        },
        ...contendersIn(others, 'load'),
      ],
      at,
    ),
    { 'holdfast load': 0.9 },
  ),
  ...rowsOf(
    `save of one field, ${callers} callers`,
    await measure(
      [
        { name: 'ioredis, one script', run: rawSave },
        { name: 'holdfast update', run: (turn) => must(sessions.update(idAt(turn), { visits: turn })) },
        ...contendersIn(others, 'save'),
      ],
      at,
    ),
    { 'holdfast update': 0.9 },
  ),
  ...(await serverTimes()),
)

report(
  `Sessions against the raw client (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`,
  rows,
)
await others.close()
await hf.close()
raw.disconnect()
await server.stop()

/** What a script takes of the server by its own account (INFO commandstats). */
async function serverTimes(): Promise<Row[]> {
  const works: [string, (turn: number) => Promise<unknown>][] = [
    ['one script, load', rawLoad],
    ['load', (turn) => sessions.load(idAt(turn))],
    ['one script, save', rawSave],
    ['update', (turn) => sessions.update(idAt(turn), { visits: turn })],
  ]
  const times = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++)
    for (const [name, run] of works) {
      await raw.config('RESETSTAT')
      for (let turn = 0; turn < 2_000; turn += 100)
        await Promise.all(Array.from({ length: 100 }, (_, i) => run(turn + i)))
      const micros = Number(
        /cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(String(await raw.info('commandstats')))?.[1],
      )
      times.set(name, [...(times.get(name) ?? []), micros])
    }
  return [...times].map(([name, micros]) => ({
    scenario: 'time on the server',
    contender: name,
    figure: `${median(micros).toFixed(1)} µs (${Math.min(...micros).toFixed(1)}–${Math.max(...micros).toFixed(1)})`,
  }))
}
