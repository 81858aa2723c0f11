import { type Check, codeOf, expectEqual, timed, upTo } from '../stage.ts'

export const queue: Check = {
  id: 'queue',
  title: 'Message queue',
  promise: 'each job is given to one consumer of all processes, is kept until it is done, and is told so once',
  async run({ hf, rival, name, step, until, heard, after }) {
    const [near, far] = [hf.queue<number>(name, { lease: '5s' }), rival.queue<number>(name, { lease: '5s' })]
    await near.addMany(upTo(10))
    await step('added')
    const first = await far.take()
    expectEqual('the job that comes first', first?.data, 0)
    await first?.complete()
    if (first !== undefined) expectEqual('completing it again', await codeOf(first.complete()), 'JOB_LEASE_LOST')
    const done: number[] = []
    for (let job = await far.take(); job !== undefined; job = await far.take()) {
      done.push(job.data)
      await job.complete()
    }
    expectEqual('the jobs that came after it', done, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    const ran: number[] = []
    const workers = [near, far].map((one) =>
      one.process(async ({ data }) => void ran.push(data), { concurrency: 4, onError: heard }),
    )
    after(() => Promise.all(workers.map((worker) => worker.close({ timeout: 0 }))))
    await Promise.all(upTo(40).map((n) => near.add(n)))
    await until(
      '40 jobs done by workers of two processes',
      () => ran.length >= 40,
      () => `${ran.length} jobs`,
    )
    expectEqual(
      'the jobs that were done',
      ran.toSorted((a, b) => a - b),
      upTo(40),
    )
    const sizeBefore = ran.length
    const pickedUp = await timed('added and done', 10, async (turn) => {
      await near.add(turn)
      await until('a job done', () => ran.length > sizeBefore + turn)
    })
    await Promise.all(workers.map((worker) => worker.close()))
    const { waiting, active, dead } = await far.counts()
    expectEqual('what is left', { waiting, active, dead }, { waiting: 0, active: 0, dead: 0 })
    return pickedUp
  },
}
