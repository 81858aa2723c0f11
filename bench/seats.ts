/**
 * Holding and confirming seats against the raw client's `EVALSHA return 1`, in the same run:
 * `npm run bench -- seats [--json] [--rounds N] [--callers N]`. The floor of each scenario is its first contender.
 */
import { connect, type Seats, type SeatsDurability } from 'holdfast'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { type Row, report, rowsOf } from './harness/report.ts'
import { measure, median } from './harness/rounds.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const rounds = Number(flag('rounds') ?? 9)
const callers = Number(flag('callers') ?? 64)
const SLICE_MS = 200
const HOUSE = { currency: 'EUR', perCustomer: 8, sections: [{ name: 'A', rows: 2_000, seatsPerRow: 90, price: 4999 }] }
/** Ten groups of 2, 3 and 4 seats fill a row of 90. */
const GROUPS = 30
const HOLDS_A_HOUSE = HOUSE.sections[0]!.rows * GROUPS

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench', timeout: '10s' })
const nothing = String(await raw.script('LOAD', 'return 1'))

/** The seats of the `n`th hold of a house: 2, 3 or 4 side by side, no two holds the same. */
function groupAt(n: number): string[] {
  const row = Math.floor(n / GROUPS) + 1
  const group = n % GROUPS
  const first = Math.floor(group / 3) * 9 + [1, 3, 6][group % 3]!
  return Array.from({ length: 2 + (group % 3) }, (_, i) => `A-${row}-${first + i}`)
}

const houses: Seats[] = []
async function house(prefix: string, n: number, at = hf): Promise<Seats> {
  const night = at.seats(`${prefix}${n}`)
  await night.create(HOUSE)
  houses.push(night)
  return night
}

/** Houses enough for as many holds as can be made. */
async function housesFor(prefix: string, at = hf): Promise<Seats[]> {
  const holds = 70_000 * ((SLICE_MS / 1_000) * (rounds + 1))
  return Promise.all(Array.from({ length: Math.ceil(holds / HOLDS_A_HOUSE) }, (_, n) => house(prefix, n, at)))
}

const hold = (nights: readonly Seats[], turn: number) =>
  nights[Math.floor(turn / HOLDS_A_HOUSE)]!.hold({
    id: `h${turn}`,
    customer: `c${turn}`,
    seats: groupAt(turn % HOLDS_A_HOUSE),
    for: '1h',
  })

async function expectStatus(work: Promise<{ status: string }>, status: string): Promise<void> {
  const answer = await work
  if (answer.status !== status) throw new Error(`expected ${status}, and got ${JSON.stringify(answer)}`)
}

const floor = { name: 'ioredis EVALSHA return 1', run: () => raw.evalsha(nothing, 0) }
const at = { callers, rounds, sliceMs: SLICE_MS }
const rows: Row[] = []

const holding = await housesFor('hold')
rows.push(
  ...rowsOf(
    `hold of 2 to 4 seats, ${callers} callers`,
    await measure([floor, { name: 'holdfast hold', run: (turn) => expectStatus(hold(holding, turn), 'held') }], at),
    { 'holdfast hold': 0.4 },
  ),
)

/** Houses in which everything is held. */
async function heldHouses(prefix: string, at = hf): Promise<Seats[]> {
  const nights = await housesFor(prefix, at)
  for (let turn = 0; turn < nights.length * HOLDS_A_HOUSE; turn += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => hold(nights, turn + i)))
  return nights
}

const confirming = await heldHouses('confirm')
const confirmIn = (nights: readonly Seats[], turn: number, durability: SeatsDurability = 'async') =>
  nights[Math.floor(turn / HOLDS_A_HOUSE)]!.confirm(`h${turn}`, { payment: `pi_${turn}`, durability })
const confirm = (turn: number) => confirmIn(confirming, turn)
rows.push(
  ...rowsOf(
    `confirm, ${callers} callers`,
    await measure(
      [
        floor,
        { name: 'holdfast confirm', run: (turn) => expectStatus(confirm(turn), 'confirmed') },
        { name: 'holdfast confirm again', run: (turn) => expectStatus(confirm(turn % 1_000), 'confirmed') },
      ],
      at,
    ),
    { 'holdfast confirm': 0.55 },
  ),
)

rows.push(...(await durableRows()))
rows.push(...(await serverTimes()))
for (const night of houses) {
  const { ok, problems } = await night.verify()
  if (!ok) throw new Error(problems.join('\n'))
}

report(
  `Seats against the raw client (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`,
  rows,
)
await hf.close()
raw.disconnect()
await server.stop()

/** Confirms that wait for a replica against those that do not, on a primary with one. */
async function durableRows(): Promise<readonly Row[]> {
  const primary = await startServer()
  const config = { replicaof: `127.0.0.1 ${primary.port}`, 'repl-diskless-sync': 'yes', 'repl-diskless-sync-delay': 0 }
  const replica = await startServer({ config })
  while (!String(await primary.command('INFO', 'replication')).includes('state=online'))
    await new Promise((resolve) => setTimeout(resolve, 20))
  const replicated = await connect(primary.url, { namespace: 'bench', timeout: '10s' })
  const [plain, durable] = [await heldHouses('async', replicated), await heldHouses('replica', replicated)]
  const waits = async () =>
    Number(/cmdstat_wait:calls=(\d+)/.exec(String(await primary.command('INFO', 'commandstats')))?.[1] ?? 0)
  let sold = 0
  const measured = await measure(
    [
      { name: "holdfast confirm, 'async'", run: (turn) => expectStatus(confirmIn(plain, turn), 'confirmed') },
      {
        name: "holdfast confirm, 'replica'",
        run: async (turn) => {
          const answer = await confirmIn(durable, turn, 'replica')
          if (answer.status !== 'confirmed' || !answer.durable)
            throw new Error(`not durable: ${JSON.stringify(answer)}`)
          sold++
        },
      },
    ],
    at,
  )
  const each = sold / (await waits())
  for (const night of [...plain, ...durable]) houses.splice(houses.indexOf(night), 1)
  for (const night of durable) {
    const { ok, problems } = await night.verify()
    if (!ok) throw new Error(problems.join('\n'))
  }
  await replicated.close()
  await replica.stop()
  await primary.stop()
  const scenario = `confirm with one replica, ${callers} callers, ${each.toFixed(0)} sales for each WAIT`
  return rowsOf(scenario, measured, { "holdfast confirm, 'replica'": 0.4 })
}

/** What a script takes of the server by its own account (INFO commandstats), for holds of 2 to 4 seats. */
async function serverTimes(): Promise<Row[]> {
  const times = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    const night = await house('time', round)
    const batch = 2_000
    const take = async (name: string, run: (turn: number) => Promise<unknown>) => {
      await raw.config('RESETSTAT')
      for (let turn = 0; turn < batch; turn += 100)
        await Promise.all(Array.from({ length: 100 }, (_, i) => run(turn + i)))
      const stats = String(await raw.info('commandstats'))
      const micros = Number(/cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(stats)?.[1])
      times.set(name, [...(times.get(name) ?? []), micros])
    }
    const request = (turn: number) => hold([night], turn)
    await take('return 1', () => raw.evalsha(nothing, 0))
    await take('hold', request)
    await take('hold again', request)
    await take('confirm', (turn) => night.confirm(`h${turn}`, { payment: `pi_${turn}` }))
    await take('confirm again', (turn) => night.confirm(`h${turn}`))
    for (let turn = 0; turn < batch; turn++) void hold([night], batch + turn)
    await take('release', (turn) => night.release(`h${batch + turn}`))
  }
  const targets: Record<string, number> = { hold: 14, confirm: 10, 'hold again': 5 }
  return [...times].map(([name, micros]) => {
    const target = targets[name]
    return {
      scenario: 'time on the server',
      contender: name,
      figure: `${median(micros).toFixed(1)} µs (${Math.min(...micros).toFixed(1)}–${Math.max(...micros).toFixed(1)})`,
      ...(target === undefined ? {} : { target: `≤ ${target} µs`, reached: median(micros) <= target }),
    }
  })
}
