import { type Check, expectEqual, timed } from '../stage.ts'

export const deadLetters: Check = {
  id: 'dead-letters',
  title: 'Dead letters',
  promise: 'what fails too often is kept with its error, runs no more, and has another life when it is redriven',
  async run({ hf, rival, name, step }) {
    const options = { attempts: 2, backoff: { base: 0, jitter: 0 }, lease: '5s' } as const
    const [near, far] = [hf.queue<string>(name, options), rival.queue<string>(name, options)]
    await near.add('poison', { id: 'poison' })
    for (const attempt of [1, 2]) {
      const job = await far.take()
      expectEqual('the attempt that comes', job?.attempt, attempt)
      await job?.fail(new Error(`no ${attempt}`))
    }
    await step('dead')
    expectEqual('what comes after the last attempt', await near.take(), undefined)
    const letters = (await near.deadLetters()).map(({ id, data, attempts, error }) => [
      id,
      data,
      attempts,
      error?.message,
    ])
    expectEqual('the dead letters', letters, [['poison', 'poison', 2, 'no 2']])
    const redriven = await timed('redriven', 1, () => near.redrive())
    const job = await far.take()
    expectEqual('what comes then', [job?.data, job?.attempt], ['poison', 1])
    await job?.complete()
    return redriven
  },
}
