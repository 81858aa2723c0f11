import testSuite, { keyvIteratorTests } from '@keyv/test-suite'
import { Keyv } from 'keyv'
import * as vitest from 'vitest'
import { connect, type Holdfast } from '../index.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import { HoldfastKeyv } from './store.ts'

const { afterAll, beforeAll, describe, expect, it } = vitest

let server: TestServer
let hf: Holdfast

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { namespace: testNamespace('keyv') })
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

// The suite asks for the store anew in each test, and for one whose options it can set.
const store = () => new HoldfastKeyv(hf)

describe("Keyv's own suite", () => {
  testSuite(vitest as never, Keyv, store as never)
  keyvIteratorTests(vitest as never, Keyv, store as never)
})

describe('the store', () => {
  const keyv = (namespace: string, name?: string) =>
    new Keyv({ store: new HoldfastKeyv(hf, name), namespace, throwOnErrors: true })

  it('writes and reads many, each with its time', async () => {
    const one = keyv('many')
    expect(
      await one.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: { x: [2] }, ttl: 60_000 },
      ]),
    ).toEqual([true, true])
    expect(await one.getMany(['a', 'b', 'c'])).toEqual([1, { x: [2] }, undefined])
    expect(await one.hasMany(['a', 'c'])).toEqual([true, false])
    expect(await one.deleteMany(['c'])).toBe(false)
    expect(await one.deleteMany(['a', 'c'])).toBe(true)
    const keys = await server.command<string[]>('KEYS', '*many*')
    expect(keys).toHaveLength(1)
    expect(await server.command<number>('PTTL', keys[0] as string)).toBeGreaterThan(50_000)
  })

  it('clears and iterates its own namespace and name, whatever they look like', async () => {
    const all = [keyv('n'), keyv('n*'), keyv('nn'), keyv('n', 'other'), keyv('{n}')]
    for (const [i, one] of all.entries()) for (const key of ['k', '*', 'ü {1}']) await one.set(key, i)
    await hf.cache('n', { ttl: '1m' }).set('n:k', 'cached')
    await (all[1] as Keyv).clear()
    for (const [i, one] of all.entries()) {
      const found: unknown[] = []
      for await (const pair of (one.iterator as NonNullable<typeof one.iterator>)({})) found.push(pair)
      expect(found, one.namespace).toHaveLength(i === 1 ? 0 : 3)
      if (i !== 1) expect(found).toContainEqual(['ü {1}', i])
    }
    await (all[3] as Keyv).clear()
    expect(await (all[0] as Keyv).get('k')).toBe(0)
    expect(await hf.cache('n', { ttl: '1m' }).peek('n:k')).toBe('cached')
  })

  it('refuses what it cannot keep', async () => {
    await expect(store().set('k', { value: 1 })).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'value' })
    await expect(store().set('k', 'v', -1)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'ttl' })
    expect(() => new HoldfastKeyv({} as never)).toThrow(expect.objectContaining({ option: 'hf' }))
    expect(() => new HoldfastKeyv(hf, 7 as never)).toThrow(expect.objectContaining({ option: 'name' }))
  })
})
