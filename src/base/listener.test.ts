import { once } from 'node:events'
import { expect, test } from 'vitest'
import { guarded } from './listener.ts'

test('tells whoever listens, and warns of what he throws or rejects with', async () => {
  const told: unknown[][] = []
  guarded('onError', (...words: unknown[]) => told.push(words))(1, 'two')
  expect(told).toEqual([[1, 'two']])
  guarded('onError', undefined)()
  for (const deaf of [
    () => {
      throw Object.create(null)
    },
    () => Promise.reject(new Error('deaf')),
  ]) {
    const warned = once(process, 'warning')
    guarded('onError of a test', deaf)()
    expect((await warned)[0]).toMatchObject({
      code: 'HOLDFAST_ON_ERROR',
      message: expect.stringContaining('onError of a test threw'),
    })
  }
})
