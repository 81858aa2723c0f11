/** The shop that `npm start` opens: pages, live maps, the crowd, and the settling of what was left in the middle. */

import { setMaxListeners } from 'node:events'
import { createAudience } from './audience/audience.ts'
import { watchedDesk } from './audience/watched-desk.ts'
import { type Crowd, startCrowd } from './crowd/crowd.ts'
import { seededRandom } from './crowd/random.ts'
import { createBoard } from './figures/board.ts'
import { statusOf } from './figures/status.ts'
import { type House, type OnFault, openHouse, type PaymentTimes } from './house.ts'
import { createHub } from './live/hub.ts'
import type { SmtpOptions } from './mail/post.ts'
import { createNear } from './near/near.ts'
import type { RedisAddress } from './servers/address.ts'
import type { Layout } from './servers/ground.ts'
import { type Storm, startStorm } from './storm/storm.ts'
import { createApp } from './web/app.tsx'
import { createHoldings } from './web/holdings.ts'
import { createSealer } from './web/seal.ts'
import { listen } from './web/server.ts'
import { accountSessions } from './web/visitor.ts'

export interface ShopOptions {
  readonly port: number
  readonly crowd: number
  readonly redis: RedisAddress | undefined
  /** What is started where no server is given. Default one server. */
  readonly layout?: Layout
  readonly dataDir: string | undefined
  /** A Postgres server for SQL, which keeps it; the URL. */
  readonly databaseUrl?: string | undefined
  readonly smtp?: SmtpOptions | undefined
  readonly payments?: PaymentTimes
  /** Told of each fault of a storm; left out, there is none. Only over a group of our own. */
  readonly onStorm?: (what: string) => void
  /** Fills the house, before anybody is let in, instead of the invented nights. */
  readonly fill?: (house: House) => Promise<unknown>
  readonly onFault: OnFault
}

export interface OpenShop {
  readonly url: string
  readonly house: House
  stop(): Promise<void>
}

/** Long enough between two faults to look at a page that has come through one. */
const CALM_MS = [4_000, 10_000] as const

export async function openShop(options: ShopOptions): Promise<OpenShop> {
  const { port, crowd: size, redis, layout = 'server', dataDir, databaseUrl, smtp, fill, onFault } = options
  const postgres = databaseUrl === undefined ? undefined : { url: databaseUrl, kept: true }
  const opened = await openHouse({
    ...{ redis, layout, dataDir, postgres, smtp, invented: fill === undefined, onFault },
    ...(options.payments === undefined ? {} : { payments: options.payments }),
  })
  const audience = createAudience(opened.hf, opened.catalogue)
  const near = createNear(opened.hf, opened.catalogue)
  const house: House = { ...opened, desk: watchedDesk(opened.desk, audience) }
  const ending = new AbortController()
  // One for each open stream, as many as the server lets in.
  setMaxListeners(0, ending.signal)
  const hub = createHub({ ...house, onFault })
  let crowd: Crowd | undefined
  let storm: Storm | undefined
  const board = createBoard(opened)
  const status = async () =>
    statusOf({
      board: await board(),
      redis: house.hf,
      figures: house.figures,
      hub,
      audience: await audience.report(),
      crowd: () => crowd?.size() ?? 0,
      server: house.server,
      database: postgres
        ? 'the Postgres server of DATABASE_URL'
        : dataDir
          ? 'PGlite, kept on disk'
          : 'PGlite, in memory',
    })
  const app = createApp(
    {
      ...house,
      hub,
      audience,
      near,
      status,
      sealer: createSealer(house.secret),
      holdings: createHoldings(),
      sessions: accountSessions(house.hf),
      ending: ending.signal,
    },
    onFault,
  )
  try {
    await fill?.(house)
    await near.fill()
    const server = await listen(app, port)
    house.settler.start()
    house.receipts.start()
    // Who looks at a shop that is gone tomorrow should see one all the same.
    await house.reports.start(house.isKept ? undefined : '1m')
    if (size > 0) crowd = startCrowd(size, house, hub, onFault)
    if (options.onStorm !== undefined) storm = stormOver(house, options.onStorm, onFault)
    return {
      url: server.url,
      house,
      async stop() {
        ending.abort()
        await Promise.all([crowd?.stop(), server.stop()])
        await hub.stop()
        await storm?.abandon()
        await house.close()
      },
    }
  } catch (error) {
    await house.close()
    throw error
  }
}

function stormOver({ group }: House, say: (what: string) => void, onFault: OnFault): Storm {
  if (group === undefined) throw new Error('A storm needs a group of servers of our own.')
  const random = seededRandom(Date.now() % 2 ** 31)
  const storm = startStorm({ group, aim: () => undefined, calmMs: CALM_MS, random, say })
  storm.broken.catch((error: unknown) => onFault(error, 'the storm has ended'))
  return storm
}
