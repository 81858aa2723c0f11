import { type Check, expectEqual, timed } from '../stage.ts'

const had = (held: unknown): string => (held === undefined ? 'nothing' : 'it')

export const semaphore: Check = {
  id: 'semaphore',
  title: 'Semaphore',
  promise: 'no more than so many holders among all processes',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf.semaphore(name, { permits: 3 }), rival.semaphore(name, { permits: 3 })]
    const held = await near.acquire({ permits: 2 })
    const other = await far.acquire()
    await step('held')
    expectEqual('what a caller gets while all 3 permits are out', had(await far.tryAcquire()), 'nothing')
    await other.release()
    const third = await near.tryAcquire()
    expectEqual('what a caller gets once one is back', had(third), 'it')
    await Promise.all([held.release(), third?.release()])
    return timed('taken and released', 10, async () => (await far.acquire()).release())
  },
}

export const rwLock: Check = {
  id: 'rw-lock',
  title: 'Readers-writer lock',
  promise: 'many readers, or one writer and nobody else',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf.rwLock(name), rival.rwLock(name)]
    const readers = [await near.read().acquire(), await far.read().acquire()]
    await step('read')
    expectEqual('what a writer gets beside two readers', had(await far.write().tryAcquire()), 'nothing')
    await Promise.all(readers.map((reader) => reader.release()))
    const writer = await far.write().acquire()
    expectEqual('what a reader gets beside a writer', had(await near.read().tryAcquire()), 'nothing')
    await writer.release()
    return timed('read and released', 10, async () => (await near.read().acquire()).release())
  },
}

export const lockSet: Check = {
  id: 'lock-set',
  title: 'Several locks at once',
  promise: 'all of them or none',
  async run({ hf, rival, name, step }) {
    const names = [`${name} a`, `${name} b`, `${name} c`] as const
    const held = await rival.lock(names[1]).acquire()
    await step('held')
    const all = await hf.locks(names).tryAcquire()
    expectEqual('what a caller gets of three of which one is taken', had(all), 'nothing')
    const first = await rival.lock(names[0]).tryAcquire()
    expectEqual('what is left to others of those that were free', had(first), 'it')
    await Promise.all([held.release(), first?.release()])
    return timed('three taken and released', 10, async () => (await hf.locks(names).acquire()).release())
  },
}
