import { setTimeout as wait } from 'node:timers/promises'
import { connect } from '../../index.ts'
import type { TestCluster } from '../../testing/index.ts'

/** Callers that set and read back through the library until they are stopped. */
export interface Load {
  /** Ends the callers and says what they saw. */
  stop(): Promise<{ readonly done: number; readonly failed: readonly string[]; readonly wrong: readonly string[] }>
}

export async function startLoad(cluster: TestCluster, callers: number): Promise<Load> {
  const hf = await connect(cluster.url, { timeout: '10s', addressMap: cluster.addressMap, namespace: 'load' })
  const cache = hf.cache<string>('thing', { ttl: '1h' })
  const failed: string[] = []
  const wrong: string[] = []
  let done = 0
  let isOver = false
  const call = async (caller: number) => {
    for (let n = 0; !isOver; n++) {
      // Keys of its own, each written again and again while slots move.
      const key = `${caller}:${n % 500}`
      const value = `${caller}:${n}`
      try {
        await cache.set(key, value)
        const found = await cache.peek(key)
        if (found !== value) wrong.push(`${key}: wrote ${value}, read ${found}`)
        done++
        // Leaves the cores to the servers that move slots.
        await wait(3)
      } catch (error) {
        failed.push(`${key}: ${(error as Error).message}`)
      }
    }
  }
  const running = Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  return {
    async stop() {
      isOver = true
      await running
      await hf.close()
      return { done, failed, wrong }
    },
  }
}
