/** The shop that `npm start` opens: pages, live maps, the crowd, and the settling of what was left in the middle. */

import { setMaxListeners } from 'node:events'
import { type Crowd, startCrowd } from './crowd/crowd.ts'
import { statusOf } from './figures/status.ts'
import { type House, type OnFault, openHouse } from './house.ts'
import { createHub } from './live/hub.ts'
import { createApp } from './web/app.tsx'
import { createHoldings } from './web/holdings.ts'
import { createSealer } from './web/seal.ts'
import { listen } from './web/server.ts'

export interface ShopOptions {
  readonly port: number
  readonly crowd: number
  readonly redisUrl: string | undefined
  readonly dataDir: string | undefined
  readonly onFault: OnFault
}

export interface OpenShop {
  readonly url: string
  readonly house: House
  stop(): Promise<void>
}

export async function openShop({ port, crowd: size, redisUrl, dataDir, onFault }: ShopOptions): Promise<OpenShop> {
  const house = await openHouse({ redisUrl, dataDir, onFault })
  const ending = new AbortController()
  // One for each open stream, as many as the server lets in.
  setMaxListeners(0, ending.signal)
  const hub = createHub(house.nights, onFault)
  let crowd: Crowd | undefined
  const status = () =>
    statusOf({
      figures: house.figures,
      hub,
      crowd: () => crowd?.size() ?? 0,
      server: house.server,
      database: house.db.lasting ? 'PGlite, kept on disk' : 'PGlite, in memory',
    })
  const app = createApp(
    {
      ...house,
      hub,
      status,
      sealer: createSealer(house.secret),
      holdings: createHoldings(),
      ending: ending.signal,
    },
    onFault,
  )
  try {
    const server = await listen(app, port)
    house.settler.start()
    if (size > 0) crowd = startCrowd(size, house, hub, onFault)
    return {
      url: server.url,
      house,
      async stop() {
        ending.abort()
        await Promise.all([crowd?.stop(), server.stop()])
        await hub.stop()
        await house.close()
      },
    }
  } catch (error) {
    await house.close()
    throw error
  }
}
