/**
 * One night, sold to a crowd to its end, and then verified three times over: by the library's own `verify`, against SQL,
 * and by an auditor that reads raw keys.
 *
 *   1  a hall of about as many seats as asked opens
 *   2  everybody comes at once; who is refused comes back when forgotten seats are free again
 *   3  the last holds run out, what is unsettled is settled, the last receipts go out, and a report is made
 *   4  the books are compared
 *
 * With `storm`, servers are killed, stopped and replaced from 1 to the end of 2.
 */

import type { Audit, Invariant } from '../audit/audit.ts'
import { auditNight } from '../audit/audit.ts'
import { pricesFor } from '../catalogue/prices.ts'
import type { Ending } from '../crowd/buyer.ts'
import { pause } from '../crowd/buyer.ts'
import { seededRandom } from '../crowd/random.ts'
import { Figures } from '../figures/figures.ts'
import { allTraffic, trafficOf } from '../figures/traffic.ts'
import { type House, type OnFault, openHouse } from '../house.ts'
import { drawPlan } from '../seating/plan.ts'
import type { RedisAddress } from '../servers/address.ts'
import type { Layout } from '../servers/ground.ts'
import { type Storm, startStorm } from '../storm/storm.ts'
import { afterSale, checkAfterSale } from './after-sale.ts'
import { type Share, sell } from './selling.ts'
import { type Counts, type Summary, summaryOf } from './summary.ts'
import { type BuyerProcess, SALE_PAYMENTS, SALE_TIMEOUT, startBuyers } from './worker.ts'

export interface OnceRun {
  readonly buyers: number
  readonly seats: number
  readonly seed: number
  /** 1: in this process. More: so many processes of buyers, and this one keeps the books. */
  readonly processes: number
  readonly redis: RedisAddress | undefined
  /** A Postgres server for SQL, in a schema that is removed at the end; the URL. Left out: PGlite, in memory. */
  readonly databaseUrl?: string | undefined
  /** What is started where no server is given. Default one server. */
  readonly layout?: Layout
  /** Told of each fault; left out, there is none. Only over a group of our own. */
  readonly onStorm?: (what: string) => void
  readonly onFault: OnFault
  /** How a process of buyers is started; default as this one was. */
  readonly program?: string
  readonly execArgv?: readonly string[]
  readonly onProgress?: (what: string) => void
  /** Ends the sale in the middle; what was opened is closed, and the run rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Called when the sale is over, before the books are compared: tests spoil them here. */
  readonly beforeAudit?: (house: House, eventId: string) => Promise<void>
}

const VENUE = 'royal-albert-hall'
/** Buyers under way at once, in all processes together. */
const AT_ONCE = 64
/** Refused buyers come back so often. */
const ROUNDS = 4
/** How long the last holds may take to run out, and the last payments to settle. */
const LONGEST_WAIT_MS = 10_000
/** In a storm everybody takes his time, so that there is a sale for it to break. */
const STORM_THINK_MS = 200
const STORM_CALM_MS = [1_000, 2_500] as const

export async function runOnce(run: OnceRun): Promise<Summary> {
  const started = performance.now()
  run.onProgress?.('opening the house')
  const house = await openHouse({
    redis: run.redis,
    ...(run.layout === undefined ? {} : { layout: run.layout }),
    dataDir: undefined,
    postgres: run.databaseUrl === undefined ? undefined : { url: run.databaseUrl, kept: false },
    onFault: run.onFault,
    timeout: SALE_TIMEOUT,
    payments: SALE_PAYMENTS,
  })
  const running: Running = { processes: [], storm: undefined }
  try {
    return await unless(run.signal, runIn(house, running, run, started))
  } finally {
    for (const buyers of running.processes) buyers.kill()
    await running.storm?.abandon()
    await house.close()
  }
}

/** What must be ended when the sale ends in the middle. */
interface Running {
  readonly processes: BuyerProcess[]
  storm: Storm | undefined
}

async function runIn(house: House, running: Running, run: OnceRun, started: number): Promise<Summary> {
  const { processes } = running
  const say = run.onProgress ?? (() => {})
  const eventId = `opening-night-${run.seed}`
  const plan = await announce(house, eventId, run.seats)
  for (let i = 0; run.processes > 1 && i < run.processes; i += 1) {
    processes.push(
      startBuyers({
        ...house,
        program: run.program ?? (process.argv[1] as string),
        ...(run.execArgv === undefined ? {} : { execArgv: run.execArgv }),
      }),
    )
  }
  await Promise.all(processes.map(({ ready }) => ready))
  house.receipts.start()
  await house.reports.start()
  say(`${plan.seats} seats, ${run.buyers} buyers`)
  const opened = performance.now()
  running.storm = stormOver(house, run, eventId)
  const selling = sellOut(house, processes, run, eventId, say)
  const endings = await Promise.race([selling, ...(running.storm === undefined ? [] : [running.storm.broken])])
  await running.storm?.stop()
  await lastHoldsEnd(house, eventId)
  await lastPaymentsSettle(house)
  const after = await afterSale(house)
  const closed = performance.now()

  const figures = new Figures()
  figures.add(house.figures.dump())
  const traffic = [trafficOf(house.hf)]
  for (const buyers of processes.splice(0)) {
    const counted = await buyers.close()
    figures.add(counted.figures)
    traffic.push(counted.traffic)
  }
  await run.beforeAudit?.(house, eventId)
  say('comparing the books')
  const { audit, checks, counts } = await compare(house, eventId, figures)
  return summaryOf({
    run: { buyers: run.buyers, seats: plan.seats, seed: run.seed, processes: run.processes, server: house.server },
    counts,
    endings,
    figures,
    traffic: allTraffic(traffic),
    storm: running.storm?.struck ?? null,
    changes: audit.changes,
    receipts: after.receipts,
    invariants: [...checks, ...(await checkAfterSale(house, after)), ...audit.invariants],
    saleMs: closed - opened,
    wholeMs: performance.now() - started,
  })
}

/** `work`, or the signal's reason as soon as it fires; what becomes of the work then is nobody's business. */
async function unless<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work
  work.catch(() => {})
  const fired = new Promise<never>((_, reject) => {
    const fire = () => reject(signal.reason)
    if (signal.aborted) fire()
    signal.addEventListener('abort', fire, { once: true })
  })
  return Promise.race([work, fired])
}

function stormOver({ group, namespace }: House, run: OnceRun, eventId: string): Storm | undefined {
  if (run.onStorm === undefined) return undefined
  if (group === undefined) throw new Error('A storm needs a group of servers of our own.')
  // The server that sells this night is the one to hit.
  const aim = () => `{${namespace}:seats:${eventId}}`
  return startStorm({ group, aim, calmMs: STORM_CALM_MS, random: seededRandom(run.seed), say: run.onStorm })
}

/** Puts the night into the catalogue. */
async function announce(house: House, eventId: string, seats: number) {
  const plan = drawPlan('round', seats)
  const prices = pricesFor('GBP', plan.levels.length, 1)
  await house.db.query(
    `insert into events (id, venue_id, artist, title, genre, about, starts_at, currency, seats, prices)
     values ($1, $2, 'Everybody', 'Opening Night', 'Gala', 'One night, sold to the end.', $3, 'GBP', $4, $5)`,
    [eventId, VENUE, new Date(Date.now() + 30 * 86_400_000), plan.seats, prices],
  )
  await house.catalogue.changed(eventId)
  await house.nights.open(eventId)
  return plan
}

async function sellOut(
  house: House,
  processes: readonly BuyerProcess[],
  run: OnceRun,
  eventId: string,
  say: (what: string) => void,
): Promise<Map<number, Ending>> {
  const endings = new Map<number, Ending>()
  let waiting = Array.from({ length: run.buyers }, (_, number) => number)
  for (let round = 0; round < ROUNDS && waiting.length > 0; round += 1) {
    const share = (buyers: readonly number[], atOnce: number): Share => ({
      eventId,
      seed: run.seed,
      buyers,
      round,
      atOnce,
      ...(run.onStorm === undefined ? {} : { thinkMs: STORM_THINK_MS }),
    })
    const parts =
      processes.length === 0
        ? [sell(house, share(waiting, AT_ONCE))]
        : processes.map((buyers, index) =>
            buyers.sell(
              share(
                waiting.filter((_, i) => i % processes.length === index),
                Math.ceil(AT_ONCE / processes.length),
              ),
            ),
          )
    for (const part of await Promise.all(parts)) for (const [buyer, ending] of part) endings.set(buyer, ending)
    const { free, held } = await countsOf(house, eventId)
    say(`round ${round + 1}: ${free} seats free, ${held} held`)
    if (free + held === 0) break
    await lastHoldsEnd(house, eventId)
    waiting = waiting.filter((buyer) => ['refused', 'nothing-free'].includes(endings.get(buyer) ?? ''))
  }
  return endings
}

async function countsOf(house: House, eventId: string): Promise<Counts> {
  const night = await house.nights.open(eventId)
  if (night === undefined) throw new Error(`There is no event ${eventId}.`)
  const { free, held, sold } = await night.seats.counts()
  return { free, held, sold }
}

/** Nobody pays any more, so every hold ends by itself; asked by the map, because that is what people see. */
async function lastHoldsEnd(house: House, eventId: string): Promise<void> {
  const until = Date.now() + LONGEST_WAIT_MS
  while (Date.now() < until && (await countsOf(house, eventId)).held > 0) await pause(50)
}

/** Nobody asks any more how his payment ended, so all that was left in the middle is carried to its end. */
async function lastPaymentsSettle(house: House): Promise<void> {
  const until = Date.now() + LONGEST_WAIT_MS
  do {
    await house.settler.run(0)
    if ((await house.ledger.pending(0)).length === 0) return
    await pause(50)
  } while (Date.now() < until)
}

async function compare(
  house: House,
  eventId: string,
  figures: Figures,
): Promise<{ audit: Audit; checks: Invariant[]; counts: Counts }> {
  const night = await house.nights.open(eventId)
  if (night === undefined) throw new Error(`There is no event ${eventId}.`)
  const verdict = await night.seats.verify()
  const counts = await countsOf(house, eventId)
  const [row] = await house.db.query<{ seats: string[] | null }>(
    'select array_agg(seat_id order by seat_id) as seats from sales where event_id = $1',
    [eventId],
  )
  const sold = (await night.seats.map()).seats.filter((seat) => seat.state === 'sold').map((seat) => seat.id)
  const missing = difference(sold, row?.seats ?? [])
  const extra = difference(row?.seats ?? [], sold)
  const audit = await auditNight({ ...house, eventId, plan: night.plan })
  const checks: Invariant[] = [
    { name: "the library's own verify", problems: verdict.problems },
    {
      name: 'the map as pages read it = SQL',
      problems: [...missing.map((seat) => `${seat} is not in SQL`), ...extra.map((seat) => `${seat} is only in SQL`)],
    },
    { name: 'no hold is left over', problems: counts.held === 0 ? [] : [`${counts.held} seats are still held`] },
    {
      name: 'no request ended in a fault',
      problems: figures.of('faults') === 0 ? [] : [`${figures.of('faults')} did`],
    },
  ]
  return { audit, checks, counts }
}

function difference(all: readonly string[], without: readonly string[]): string[] {
  const known = new Set(without)
  return all.filter((one) => !known.has(one))
}
