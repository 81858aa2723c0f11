import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Listeners } from './listeners.ts'
import type { Node } from './node.ts'
import type { Subscriber } from './subscriber.ts'
import type { Topology } from './topology.ts'

const nodes = [{}, {}, {}] as unknown as readonly Node[]
const topology = { onChange: () => {}, stations: () => nodes, primaries: () => nodes } as unknown as Topology

/** Of three servers the first alone can be heard; `tries`: how often each was asked. */
function oneOfThree() {
  const tries = nodes.map(() => 0)
  const open = (node: Node) => {
    const i = nodes.indexOf(node)
    const listen = async () => {
      tries[i] = (tries[i] as number) + 1
      if (i > 0) throw new Error('cannot be heard')
      return () => {}
    }
    return { listen, close: () => {} } as unknown as Subscriber
  }
  return { tries, listeners: new Listeners(topology, open) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('servers that cannot be heard', () => {
  it('are asked again once a second each, however many they are', async () => {
    const { tries, listeners } = oneOfThree()
    await listeners.listen('news', () => {})
    expect(tries).toEqual([1, 1, 1])
    await vi.advanceTimersByTimeAsync(10_500)
    expect(tries).toEqual([1, 11, 11])
  })

  it.each(['the listener has stopped', 'close'])('are not asked again after %s', async (ending) => {
    const { tries, listeners } = oneOfThree()
    const stop = await listeners.listen('news', () => {})
    if (ending === 'close') listeners.close()
    else stop()
    await vi.advanceTimersByTimeAsync(10_500)
    expect(tries).toEqual([1, 1, 1])
  })
})
