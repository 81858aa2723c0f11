/** The box office put together: Redis, SQL, and everything between, opened in order and closed in the other. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Breaker, connect, type Duration, type Holdfast } from 'holdfast'
import { audienceOf, SOLD } from './audience/audience.ts'
import { removeNamespace } from './audit/namespace.ts'
import { type Catalogue, createCatalogue } from './catalogue/catalogue.ts'
import { createTables } from './catalogue/schema.ts'
import { seedHouse } from './catalogue/seed.ts'
import type { Database } from './database/database.ts'
import { openPglite } from './database/pglite.ts'
import { openPostgres } from './database/postgres.ts'
import { preparedDatabase } from './database/prepared.ts'
import { metricOf } from './figures/board.ts'
import { Figures } from './figures/figures.ts'
import { openPost, type Post, type SmtpOptions } from './mail/post.ts'
import { createDesk, type Desk, type DeskOptions } from './orders/desk.ts'
import { createLedger, type Ledger } from './orders/ledger.ts'
import type { Order } from './orders/order.ts'
import { createSettler, type Settler } from './orders/settler.ts'
import { carefulBank } from './payment/careful-bank.ts'
import { type MoodyBank, moodyBank } from './payment/moody-bank.ts'
import type { PaymentProvider } from './payment/provider.ts'
import { createTestBank } from './payment/test-bank.ts'
import { SCRATCH } from './place.ts'
import { createReceipts, type Receipts, type ReceiptsOptions } from './receipts/receipts.ts'
import { createReports, type Reports } from './reports/reports.ts'
import { createNights, type Nights } from './seating/nights.ts'
import { durabilityOn, type RedisAddress } from './servers/address.ts'
import { type Ground, type Layout, openGround } from './servers/ground.ts'

export type OnFault = (error: unknown, what: string) => void

/** What sells, given Redis and SQL: the same in the shop, in a process of buyers, and in a test. */
export interface Trade {
  readonly hf: Holdfast
  readonly db: Database
  readonly figures: Figures
  readonly catalogue: Catalogue
  readonly ledger: Ledger
  readonly nights: Nights
  readonly bank: PaymentProvider
  /** What stands between the shop and the bank. */
  readonly payments: Breaker
  /** The bank itself, which can be made slow or failing. */
  readonly testBank: MoodyBank
  readonly desk: Desk
}

export interface PaymentTimes {
  /** How long the bank is not asked after it failed. Default 5 s. */
  readonly cooldownMs?: number
  /** How long it is waited for. Default 5 s. */
  readonly answerWithinMs?: number
}

export interface TradeOptions {
  readonly hf: Holdfast
  /** What `hf` is connected to. */
  readonly address: RedisAddress
  readonly db: Database
  readonly onFault: OnFault
  readonly onStep?: DeskOptions['onStep']
  readonly onSold?: DeskOptions['onSold']
  readonly payments?: PaymentTimes
}

/** A status page that moves every second shows what is a second old. */
const MONITOR = { flush: '1s' } as const

/** Long enough for a bank to draw breath, short enough for who waits with seats in hand. */
const COOLDOWN_MS = 5_000

export function openTrade({ hf, address, db, onFault, onStep, onSold, payments: times }: TradeOptions): Trade {
  const figures = new Figures({ time: (name, work) => hf.monitor.time(metricOf(name), work) })
  const catalogue = createCatalogue(hf, db, figures)
  const ledger = createLedger(db)
  const nights = createNights({ hf, durability: durabilityOn(address), db, catalogue, ledger })
  const testBank = moodyBank(createTestBank(db))
  const payments = hf.breaker('payments', {
    ...{ failures: 5, cooldown: times?.cooldownMs ?? COOLDOWN_MS },
    // One for the fleet, which keeps no payment waiting where Redis does.
    shared: { timeout: '200ms' },
  })
  const bank = carefulBank(testBank, payments, times?.answerWithinMs)
  const onSoldOut = (eventId: string) => catalogue.changed(eventId)
  const desk = createDesk({
    hf,
    nights,
    ledger,
    bank,
    figures,
    onSoldOut,
    onFault,
    ...(onStep === undefined ? {} : { onStep }),
    ...(onSold === undefined ? {} : { onSold }),
  })
  return { hf, db, figures, catalogue, ledger, nights, bank, payments, testBank, desk }
}

export interface House extends Trade {
  readonly settler: Settler
  /** Not begun: who opens the house says when receipts are written. */
  readonly receipts: Receipts
  /** Not begun either. */
  readonly reports: Reports
  readonly post: Post
  /** SQL and the letters outlive this run. */
  readonly isKept: boolean
  readonly address: RedisAddress
  readonly namespace: string
  /** For people: which servers hold the seats. */
  readonly server: string
  /** Servers of our own that may be broken on purpose. */
  readonly group: Ground['group']
  /** Signs what browsers carry for us. */
  readonly secret: string
  close(): Promise<void>
}

export interface HouseOptions {
  /** Servers of the user's: used under a namespace of our own. Left out: private ones are started. */
  readonly redis: RedisAddress | undefined
  /** What is started then. Default one server. */
  readonly layout?: Layout
  /** Where SQL is kept. Left out: in memory. */
  readonly dataDir: string | undefined
  /** A Postgres server instead, by its URL. `kept`: the schema outlives this run. */
  readonly postgres?: { readonly url: string; readonly kept: boolean } | undefined
  /** False: an empty house stays empty, for events of one's own. Default true: it gets the invented nights. */
  readonly invented?: boolean
  readonly onFault: OnFault
  /** Deadline of one request to Redis. Default 3 s, and 10 s where a failover must fit in. */
  readonly timeout?: Duration
  /** Sends receipts to those who told an address. Left out, all of them are files. */
  readonly smtp?: SmtpOptions | undefined
  readonly payments?: PaymentTimes
  readonly receipts?: Pick<ReceiptsOptions, 'firstRetryMs' | 'lease'>
  readonly onStep?: DeskOptions['onStep']
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const { redis, layout = 'server', dataDir, postgres, onFault, onStep } = options
  const ground = await openGround(redis, layout)
  const { address, words, group } = ground
  // Orders in memory are gone with this process, and so must be the seats that they sold: a namespace of this run.
  const passing = dataDir === undefined && postgres?.kept !== true
  const namespace = passing ? `box-office-${randomBytes(4).toString('hex')}` : 'box-office'
  const closers: (() => Promise<unknown>)[] = [() => ground.stop()]
  try {
    const { url, ...map } = address
    const hf = await connect(url, { namespace, timeout: options.timeout ?? ground.timeout, monitor: MONITOR, ...map })
    // After the last write: what closes tells figures that it has not told yet.
    if (!ground.isOurs && passing) closers.push(() => removeNamespace(address, namespace))
    closers.push(() => hf.close())
    const sql =
      postgres === undefined
        ? openPglite(dataDir === undefined ? {} : { dataDir })
        : await openPostgres({ ...postgres, schema: namespace.replaceAll('-', '_') })
    const db = preparedDatabase(sql, async (fresh) => {
      await createTables(fresh)
      if (options.invented ?? true) await seedHouse(fresh, new Date())
    })
    closers.push(() => db.close())
    const onSold = ({ seats }: Order) => {
      receipts.nudge()
      void audienceOf(hf).track(SOLD, { seats: seats.length })
    }
    const trade = openTrade({
      ...{ hf, address, db, onFault, onSold },
      ...(onStep === undefined ? {} : { onStep }),
      ...(options.payments === undefined ? {} : { payments: options.payments }),
    })
    const settler = createSettler({ ...trade, onFault })
    const post = openPost({ smtp: options.smtp, folder: lettersIn(dataDir, postgres?.kept) })
    closers.push(() => post.close())
    const receipts = createReceipts({ ...trade, post, onFault, ...options.receipts })
    const reports = createReports({ ...trade, post, to: options.smtp?.reportsTo, onFault })
    closers.push(
      () => reports.stop(),
      () => receipts.stop(),
      () => settler.stop(),
    )
    // What an earlier run left in the middle; there is none when nothing outlives a run.
    if (db.lasting) await settler.run(0)
    return {
      ...trade,
      settler,
      receipts,
      reports,
      post,
      isKept: !passing,
      address,
      namespace,
      server: words,
      group,
      secret: postgres?.kept ? await secretIn(db) : secretOf(dataDir),
      close: () => closeAll(closers),
    }
  } catch (error) {
    await closeAll(closers)
    throw error
  }
}

/** The last that was opened first; one that fails does not keep the others open. */
async function closeAll(closers: (() => Promise<unknown>)[]): Promise<void> {
  let failure: unknown
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error: unknown) => {
      failure ??= error
    })
  }
  if (failure !== undefined) throw failure
}

/** Beside the orders; of a run that keeps none, a folder that ends with it. */
function lettersIn(dataDir: string | undefined, isKept = false): string | undefined {
  if (dataDir !== undefined) return join(dataDir, 'letters')
  return isKept ? join(SCRATCH, 'box-office-data', 'letters') : undefined
}

/** Kept beside the orders that it gives access to; else as short-lived as they are. */
function secretOf(dataDir: string | undefined): string {
  if (dataDir === undefined) return randomBytes(32).toString('hex')
  const path = join(dataDir, 'secret')
  mkdirSync(dataDir, { recursive: true })
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' })
  return readFileSync(path, 'utf8')
}

async function secretIn(db: Database): Promise<string> {
  const fresh = randomBytes(32).toString('hex')
  const put = "insert into house (key, value) values ('secret', $1) on conflict (key) do nothing"
  await db.query(put, [fresh])
  const [row] = await db.query<{ value: string }>("select value from house where key = 'secret'")
  return row?.value ?? fresh
}
