/** A process of buyers: its own connections to Redis, the parent's SQL, and a share of the crowd at a time. */

import { type ChildProcess, fork } from 'node:child_process'
import { connect } from 'holdfast'
import type { Ending } from '../crowd/buyer.ts'
import type { Database } from '../database/database.ts'
import { parentDatabase, serveDatabase } from '../database/ipc.ts'
import type { FiguresDump } from '../figures/figures.ts'
import { type Traffic, trafficOf } from '../figures/traffic.ts'
import { openTrade } from '../house.ts'
import type { RedisAddress } from '../servers/address.ts'
import { type Share, sell } from './selling.ts'

/** With this as its only argument, the program is a process of buyers. */
export const WORKER_ARGUMENT = '--buyers-of-parent'

/** A sale measures how long Redis takes; on a machine that is busy otherwise, slow is not a fault. */
export const SALE_TIMEOUT = '10s'

/** Nor is a bank that shares the machine. */
export const SALE_PAYMENTS = { answerWithinMs: 60_000 } as const

type Order =
  | { readonly kind: 'open'; readonly address: RedisAddress; readonly namespace: string }
  | ShareOrder
  | { readonly kind: 'close' }
interface ShareOrder {
  readonly kind: 'sell'
  readonly share: Share
}
type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'sold'; readonly endings: ReadonlyMap<number, Ending> }
  | ({ readonly kind: 'figures' } & Counted)
  | { readonly kind: 'failed'; readonly message: string }

/** What a process counted. */
export interface Counted {
  readonly figures: FiguresDump
  readonly traffic: Traffic
}

export interface BuyerProcess {
  readonly pid: number | undefined
  /** Connected, and waiting for buyers. */
  readonly ready: Promise<void>
  sell(share: Share): Promise<ReadonlyMap<number, Ending>>
  /** Ends it; answers what it counted. */
  close(): Promise<Counted>
  kill(): void
}

export interface BuyerProcessOptions {
  /** The program itself: what this process was started with. */
  readonly program: string
  readonly execArgv?: readonly string[]
  readonly address: RedisAddress
  readonly namespace: string
  readonly db: Database
}

export function startBuyers(options: BuyerProcessOptions): BuyerProcess {
  const { program, execArgv, address, namespace, db } = options
  const child = fork(program, [WORKER_ARGUMENT], {
    serialization: 'advanced',
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
  })
  serveDatabase(child, db)

  async function ask<K extends Report['kind']>(order: Order, kind: K): Promise<Extract<Report, { kind: K }>> {
    const answer = nextReport(child)
    child.send(order)
    const report = await answer
    if (report.kind === 'failed') throw new Error(`A process of buyers: ${report.message}`)
    if (report.kind !== kind) throw new Error(`A process of buyers answered ${report.kind}.`)
    return report as Extract<Report, { kind: K }>
  }

  const ready = ask({ kind: 'open', address, namespace }, 'ready').then(() => {})
  ready.catch(() => child.kill('SIGKILL'))
  return {
    pid: child.pid,
    ready,
    sell: async (share) => (await ask({ kind: 'sell', share }, 'sold')).endings,
    async close() {
      const { figures, traffic } = await ask({ kind: 'close' }, 'figures')
      child.disconnect()
      return { figures, traffic }
    },
    kill: () => child.kill('SIGKILL'),
  }
}

function nextReport(child: ChildProcess): Promise<Report> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Report | { kind: 'sql' }) => {
      if (message.kind === 'sql') return
      stop()
      resolve(message)
    }
    const onExit = (code: number | null, signal: string | null) => {
      stop()
      reject(new Error(`A process of buyers ended (${signal ?? code}).`))
    }
    function stop(): void {
      child.off('message', onMessage)
      child.off('exit', onExit)
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}

/** The other side: does what the parent says until it says `close`, or is gone. */
export async function runWorker(): Promise<void> {
  const db = parentDatabase()
  const report = (message: Report) => process.send?.(message)
  // Without a parent there is nobody to sell for. Ctrl-C reaches the whole group; the parent decides.
  process.on('disconnect', () => process.exit())
  process.on('SIGINT', () => {})
  const orders = new Promise<Extract<Order, { kind: 'open' }>>((resolve) => {
    process.once('message', (order: Order) => resolve(order as Extract<Order, { kind: 'open' }>))
  })
  const { address, namespace } = await orders
  const { url, ...map } = address
  const hf = await connect(url, { namespace, timeout: SALE_TIMEOUT, ...map })
  const trade = openTrade({
    hf,
    address,
    db,
    payments: SALE_PAYMENTS,
    onFault: (error, what) => console.error(`buyers: ${what}: ${error instanceof Error ? error.message : error}`),
  })
  process.on('message', async (order: Order | { kind: 'sql-reply' }) => {
    try {
      if (order.kind === 'sell') report({ kind: 'sold', endings: await sell(trade, order.share) })
      if (order.kind === 'close') {
        await hf.close()
        report({ kind: 'figures', figures: trade.figures.dump(), traffic: trafficOf(hf) })
      }
    } catch (error) {
      report({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  report({ kind: 'ready' })
}
