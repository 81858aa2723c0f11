import { type Check, expectEqual, expectTrue } from '../stage.ts'

const EVERY_MS = 100

export const schedules: Check = {
  id: 'schedules',
  title: 'Schedules',
  promise: 'each slot of a schedule has one job, however many processes run jobs',
  async run({ hf, rival, name, step, until, heard, after }) {
    const slots: number[] = []
    const both = [hf, rival].map((one) => one.queue<string>(name, { lease: '5s' }))
    const workers = both.map((one) =>
      one.process(async ({ id }) => {
        slots.push(Number(id.split('@')[1]))
      }),
    )
    after(() => Promise.all(workers.map((worker) => worker.close({ timeout: 0 }))))
    await both[0]?.repeat('tick', { every: EVERY_MS }, 'tick')
    await step('scheduled')
    await until(
      'the jobs of two slots',
      () => {
        // What adds the jobs of slots has nobody to throw its errors to.
        for (const { stats } of both) if (stats.lastError !== undefined) heard(stats.lastError)
        return slots.length >= 2
      },
      () => `${slots.length} jobs`,
    )
    await both[1]?.unrepeat('tick')
    await Promise.all(workers.map((worker) => worker.close()))
    expectEqual('the slots that had more than one job', slots.length - new Set(slots).size, 0)
    expectTrue(
      'the slots',
      slots.every((ms) => ms % EVERY_MS === 0),
      `multiples of ${EVERY_MS} ms`,
      slots,
    )
    expectEqual('schedules that are left', (await both[0]?.schedules())?.length, 0)
    return { name: 'slots with a job each', value: slots.length, unit: '' }
  },
}
