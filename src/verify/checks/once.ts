import { type Check, expectEqual, timed, upTo } from '../stage.ts'

export const once: Check = {
  id: 'once',
  title: 'Run once',
  promise: 'of all callers of all processes one runs it, and all get its result',
  async run({ hf, rival, name, step }) {
    let ran = 0
    const work = async () => {
      ran++
      await step('running')
      return `run ${ran}`
    }
    const call = (one: typeof hf) => one.once(name, work, { ttl: '1m' })
    const answers = await Promise.all(upTo(10).map((i) => call(i % 2 === 0 ? hf : rival)))
    await step('kept')
    answers.push(await call(rival))
    expectEqual('how often 11 callers have run it', ran, 1)
    expectEqual('what they got', [...new Set(answers)], ['run 1'])
    return timed('result', 10, () => call(hf))
  },
}
