// What a user's compiler takes and refuses. The lines below `@ts-expect-error` are compiled by `npm run types`, never run.
import type { Holdfast, Log, LogEntry, LogWorker, WrittenEntry } from 'holdfast'
import { expectTypeOf, test } from 'vitest'

declare const hf: Holdfast

test('a log is of one type, for its appenders, groups and readers', () => {
  const calls = () => {
    const orders = hf.log<{ order: number }>('orders', { retention: { maxAge: '7d' } })
    expectTypeOf(orders).toEqualTypeOf<Log<{ order: number }>>()
    expectTypeOf(orders.append({ order: 1 }, { key: 'k', id: 'i' })).resolves.toEqualTypeOf<string>()
    expectTypeOf(orders.read({ from: new Date(), limit: 5 })).resolves.toEqualTypeOf<
      readonly LogEntry<{ order: number }>[]
    >()
    const group = orders.group('mail', { from: 'now' })
    const worker = group.process(({ data }, { signal, attempt }) => [data.order, signal.aborted, attempt])
    expectTypeOf(worker).toEqualTypeOf<LogWorker>()
    group.processBatches((entries) => entries.map(({ data }) => data.order), { batch: 10 })
    // @ts-expect-error of the log's type
    orders.append({ order: '1' })
    // @ts-expect-error a batch is for processBatches
    group.process(() => {}, { batch: 10 })
  }
  expectTypeOf(calls).toBeFunction()
})

test('what persists is given entries with write-behind, and an id with a value with write-through', () => {
  const calls = () => {
    hf.cache<number>('a', { ttl: '1m', write: { mode: 'through', persist: (id, value) => [id.length, value + 1] } })
    hf.cache<number>('b', {
      ttl: '1m',
      write: {
        mode: 'behind',
        persist: (entries, { signal }) => {
          expectTypeOf(entries).toEqualTypeOf<readonly WrittenEntry<number>[]>()
          for (const entry of entries) if (!entry.deleted) expectTypeOf(entry.value).toEqualTypeOf<number>()
          signal.throwIfAborted()
        },
      },
    })
    // @ts-expect-error a bound is for write-behind
    hf.cache<number>('c', { ttl: '1m', write: { mode: 'through', persist: () => {}, maxDirtyCount: 10 } })
  }
  expectTypeOf(calls).toBeFunction()
})
