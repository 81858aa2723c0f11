import { type Check, codeOf, expectEqual, expectTrue, timed, upTo } from '../stage.ts'

export const monitoring: Check = {
  id: 'monitoring',
  title: 'Performance monitoring',
  promise: 'counts over all processes are exact, and percentiles right to 1.6 %',
  async run({ hf, rival, name, step }) {
    const written = await hf.monitor.record({ [name]: { values: upTo(100).map((n) => n + 1) } })
    expectEqual('whether Redis has what was recorded', written, true)
    const failing = () => Promise.reject(new Error('of the work'))
    expectEqual('what time() throws', await codeOf(rival.monitor.time(name, failing)), 'of the work')
    expectEqual('whether Redis has what was measured', await rival.monitor.flush(), true)
    await step('recorded')
    const { count, errors, min, max, p50, p95 } = await rival.monitor.stats(name, { window: '5m' })
    expectEqual('what was counted', { count, errors, min, max }, { count: 100, errors: 1, min: 1, max: 100 })
    const isNear = (is: number, exact: number) => Math.abs(is - exact) <= exact * 0.016
    expectTrue('the median of 1 to 100', isNear(p50, 50), '50, to 1.6 %', p50)
    expectTrue('the 95th percentile of 1 to 100', isNear(p95, 95), '95, to 1.6 %', p95)
    return timed('ten metrics recorded', 10, () =>
      hf.monitor.record(Object.fromEntries(upTo(10).map((n) => [`${name} ${n}`, { count: 1, value: n }]))),
    )
  },
}
