import type { Holdfast } from 'holdfast'
import { beforeEach, expect, it } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const place = new Place({ values: true })
/** So many values lie on every one of three servers, but once in a million runs. */
const NAMES = Array.from({ length: 36 }, (_, i) => `product ${i}`)
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

it('keeps each value with its log on one server, and values on all of them', async () => {
  await Promise.all(NAMES.map((name, i) => hf.value<number>(name).update(() => i, { log: () => ({ name }) })))
  const keys = await place.keys(`*${place.namespace}:value:*`)
  expect(keys).toHaveLength(2 * NAMES.length)
  expect(new Set(keys.map(hashTag)).size).toBe(NAMES.length)
  for (const witness of place.all) expect((await witness.keys(`*${place.namespace}:value:*`)).length).toBeGreaterThan(0)
  const other = await place.connect()
  for (const [i, name] of NAMES.entries()) {
    expect(await other.value(name).get()).toBe(i)
    expect((await other.value(name).log()).map(({ entry }) => entry)).toEqual([{ name }])
  }
})

it('sells no more of any product than there is, from several instances at once', async () => {
  const all = [hf, await place.connect(), await place.connect()]
  const products = NAMES.slice(0, 6)
  await Promise.all(products.map((name) => hf.value<number>(name).set(10)))
  const buy = async (one: Holdfast, name: string): Promise<boolean> => {
    let sold = false
    await one.value<number, string>(name).update(
      (stock = 0) => {
        sold = stock > 0
        return sold ? stock - 1 : undefined
      },
      { retries: 500, log: (before, after) => `${before} to ${after}` },
    )
    return sold
  }
  const sold = await Promise.all(
    products.flatMap((name) => Array.from({ length: 18 }, (_, i) => buy(all[i % 3] as Holdfast, name))),
  )
  expect(sold.filter(Boolean)).toHaveLength(10 * products.length)
  for (const name of products) {
    const value = hf.value<number, string>(name)
    expect(await value.get()).toBe(0)
    const expected = Array.from({ length: 10 }, (_, i) => `${i + 1} to ${i}`)
    expect((await value.log()).map(({ entry }) => entry)).toEqual(expected)
  }
})

it('takes any name, and keeps them apart', async () => {
  const names = ['', ' ', '{', '}', '{a}b', 'a}:log', 'a', 'a:log', '*', '\n', '%7B', 'Ünal 🎭', 'x'.repeat(512)]
  for (const [i, name] of names.entries()) await hf.value(name).set(i)
  await hf.value('a').delete()
  for (const [i, name] of names.entries()) expect(await hf.value(name).get()).toBe(name === 'a' ? undefined : i)
})

it('holds for as long as it was told to, and a deleted one is remembered for a while and no longer', async () => {
  await hf.value('short', { ttl: '1h' }).update(() => 1, { log: () => 'made' })
  await hf.value('gone').set(1)
  await hf.value('gone').delete()
  const keys = await place.keys(`*${place.namespace}:value:*`)
  expect(keys).toHaveLength(3)
  for (const key of keys) expect(await place.command<number>('PTTL', key)).toBeGreaterThan(500_000)
  expect(await hf.value('gone').get()).toBeUndefined()
})
