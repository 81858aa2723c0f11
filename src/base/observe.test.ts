import { tracingChannel } from 'node:diagnostics_channel'
import { expect, test } from 'vitest'
import { Observed, type Operation } from './observe.ts'

/** Everything that one channel says while `work` runs. */
async function hear(name: string, work: () => Promise<unknown>): Promise<[event: string, message: Operation][]> {
  const said: [string, Operation][] = []
  const note = (event: string) => (message: unknown) => void said.push([event, { ...(message as Operation) }])
  const channel = tracingChannel<Operation, Operation>(`holdfast:${name}`)
  const ears = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  }
  channel.subscribe(ears)
  await work().catch(() => {})
  channel.unsubscribe(ears)
  return said
}

test('reports one call once, with the outcome it said', async () => {
  const observed = new Observed('room.verb')
  const said = await hear('room.verb', () =>
    observed.run({ key: '42' }, async (operation) => {
      operation.outcome = 'hit'
      return 1
    }),
  )
  expect(said.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  expect(said.at(-1)?.[1]).toMatchObject({ key: '42', outcome: 'hit', result: 1 })
})

test('reports a failure with its very error, and passes it on', async () => {
  const observed = new Observed('room.fails')
  const error = new Error('no')
  const said = await hear('room.fails', async () => {
    await expect(observed.run({}, () => Promise.reject(error))).rejects.toBe(error)
  })
  expect(said.find(([event]) => event === 'error')?.[1].error).toBe(error)
})

test('runs the work as it is when nobody listens', async () => {
  const observed = new Observed('room.silent')
  expect(observed.heard).toBe(false)
  const fields = { key: '1' }
  expect(await observed.run(fields, async (operation) => operation === fields)).toBe(true)
})
