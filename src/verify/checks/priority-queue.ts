import { type Check, expectEqual, timed } from '../stage.ts'

/** Shuffled, as jobs come. */
const PRIORITIES = [3, 900, -5, 42, 7, 42]

export const priorityQueue: Check = {
  id: 'priority-queue',
  title: 'Priority queue',
  promise: 'jobs come by priority, the highest first, and of one priority in the order in which they were added',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf, rival].map((one) => one.queue<string>(name, { mode: 'priority', lease: '5s' }))
    if (near === undefined || far === undefined) throw new Error('no queue')
    const dataOf = (priority: number, i: number) => `${priority} as number ${i}`
    await near.addMany(PRIORITIES.map(dataOf), (_, i) => ({ priority: PRIORITIES[i] as number }))
    await near.add('moved up', { id: 'moved', priority: -9 })
    expectEqual('moving a job that waits', await far.reprioritize('moved', 1_000), true)
    await step('added')
    const came: string[] = []
    for (let job = await far.take(); job !== undefined; job = await far.take()) {
      came.push(job.data)
      await job.complete()
    }
    const expected = ['moved up', '900 as number 1', '42 as number 3', '42 as number 5', '7 as number 4']
    expectEqual('the order in which jobs came', came, [...expected, '3 as number 0', '-5 as number 2'])
    return timed('added, taken and done', 10, async () => {
      await near.add('one')
      await (await far.take())?.complete()
    })
  },
}
