import { type Check, expectEqual, timed } from '../stage.ts'

const LEAST = 3

export const quorum: Check = {
  id: 'quorum',
  title: 'Redlock on independent servers',
  promise: 'one holder at a time among all processes, by a majority of servers that know nothing of each other',
  skip: ({ servers }) =>
    servers.length < LEAST ? `needs ${LEAST} servers that know nothing of each other: shards, or --quorum` : undefined,
  async run({ hf, rival, name, servers, step, after }) {
    const [near, far] = [hf, rival].map((one) => one.quorum(servers, { serverTimeout: '1s' }))
    if (near === undefined || far === undefined) throw new Error('no quorum')
    after(() => Promise.all([near.close(), far.close()]))
    const held = await near.lock(name).acquire()
    await step('held')
    const second = await far.lock(name).tryAcquire()
    expectEqual('what a second caller gets while it is held', second === undefined ? 'nothing' : 'the lock', 'nothing')
    await held.release()
    return timed('taken and released', 10, async () => (await far.lock(name).acquire()).release())
  },
}
