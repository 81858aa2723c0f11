import type { Algorithm, Holdfast, Limiter, RuleOptions } from 'holdfast'
import { beforeEach, describe, expect, it } from 'vitest'
import { Holdfast as Instance } from '../../src/holdfast.ts'
import { inspectLimitUse } from '../../src/limit/inspect.ts'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const EXACT: readonly Algorithm[] = ['gcra', 'bucket', 'fixed', 'log', 'concurrency']
const ALL: readonly Algorithm[] = [...EXACT, 'sliding']
const place = new Place({
  limiters: { ...Object.fromEntries(ALL.map((algorithm) => [algorithm, [algorithm]])), mixed: ALL, '': ['fixed'] },
})
/** So many ids lie on every one of three servers, but once in a million runs. */
const IDS = Array.from({ length: 36 }, (_, i) => `2001:db8:${i}::/56`)
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

const ruleOf = (algorithm: Algorithm, limit: number): RuleOptions => ({ limit, per: '1h', algorithm })
const mixed = (one: Holdfast, limit = 5): Limiter =>
  one.limiter('mixed', { rules: ALL.map((algorithm) => ruleOf(algorithm, limit)) })
const stateKeys = () => place.keys(`*${place.namespace}:limit:*`)

describe.each(EXACT)('%s', (algorithm) => {
  it('admits exactly the limit of each id to several instances at once', async () => {
    const all = [hf, await place.connect(), await place.connect()]
    const limiters = all.map((one) => one.limiter(algorithm, { rules: [ruleOf(algorithm, 20)] }))
    const ids = IDS.slice(0, 6)
    const turns = await Promise.all(
      ids.flatMap((id) => Array.from({ length: 45 }, (_, i) => (limiters[i % 3] as Limiter).consume(id))),
    )
    expect(turns.filter(({ allowed }) => allowed)).toHaveLength(20 * ids.length)
  })
})

it('keeps all rules of an id on one server, ids on all of them, and every key for a time', async () => {
  const limiter = mixed(hf)
  const turns = await Promise.all(IDS.map((id) => limiter.consume(id, { cost: 2 })))
  expect(turns.every(({ allowed, remaining }) => allowed && remaining === 3)).toBe(true)
  const keys = await stateKeys()
  expect(keys).toHaveLength(3 * IDS.length)
  expect(new Set(keys.map(hashTag)).size).toBe(IDS.length)
  for (const witness of place.all) expect((await witness.keys(`*${place.namespace}:limit:*`)).length).toBeGreaterThan(0)
  for (const key of keys) expect(await place.command<number>('PTTL', key)).toBeGreaterThan(3_500_000)
})

it('is all of its rules or none, and gives back, blocks and forgets on whichever server the id is', async () => {
  const [limiter, other] = [mixed(hf), mixed(await place.connect())]
  for (const id of IDS.slice(0, 9)) {
    const turn = await limiter.consume(id, { cost: 4 })
    expect(await other.consume(id, { cost: 2 })).toMatchObject({ allowed: false, remaining: 1 })
    expect((await other.peek(id)).rules.map(({ remaining }) => remaining)).toEqual(ALL.map(() => 1))
    await other.refund(id, 3)
    expect(await turn.extend()).toBe(true)
    await turn.release()
    expect((await limiter.peek(id)).remaining).toBe(4)
    await other.block(id, '1h')
    expect(await limiter.consume(id)).toMatchObject({ allowed: false, blocked: true })
    await limiter.block(id, 0)
    expect((await limiter.consume(id)).allowed).toBe(true)
    await limiter.block(id, '1h')
    await limiter.reset(id)
    expect(await other.consume(id)).toMatchObject({ allowed: true, remaining: 4 })
    for (const key of await stateKeys()) expect(await place.command<number>('PTTL', key)).toBeGreaterThan(0)
  }
})

it('takes any name and id, and keeps them apart', async () => {
  const ids = ['', ' ', '{', '}', '{a}b', 'a}:l3600000000', 'a', 'a:l3600000000', '*', '\n', '%7B', 'Ünal 🎭']
  const one = hf.limiter('', { rules: [{ limit: 1, per: '1h', algorithm: 'fixed' }] })
  const log = hf.limiter('log', { rules: [ruleOf('log', 1)] })
  for (const limiter of [one, log])
    for (const allowed of [true, false])
      for (const id of ids) expect((await limiter.consume(id)).allowed, id).toBe(allowed)
  await one.reset('a')
  for (const id of ids) expect((await one.peek(id)).allowed).toBe(id === 'a')
})

it('tells what an id has used, on whichever server it is, and changes nothing', async () => {
  const limiter = mixed(hf)
  for (const id of IDS.slice(0, 6)) {
    await limiter.consume(id, { cost: 3 })
    for (const scan of [false, true]) {
      const { rules, blockedMs } = await inspectLimitUse(Instance.redisOf(hf), 'mixed', id, { scan })
      const used = rules.map(({ algorithm, perMs, used }) => [algorithm, perMs, Math.round(used)]).sort()
      const shown = ALL.filter((algorithm) => scan || !['log', 'concurrency'].includes(algorithm))
      expect(used).toEqual(shown.map((algorithm) => [algorithm, 3_600_000, 3]).sort())
      expect(blockedMs).toBeUndefined()
    }
    expect((await limiter.peek(id)).remaining).toBe(2)
  }
})

it('forgets all ids of one limiter, wherever they are, and none of another', async () => {
  const [limiter, log] = [mixed(hf), hf.limiter('log', { rules: [ruleOf('log', 5)] })]
  await Promise.all(IDS.flatMap((id) => [limiter.consume(id, { cost: 5 }), log.consume(id)]))
  await limiter.clear()
  expect(await stateKeys()).toHaveLength(IDS.length)
  expect(await limiter.consume(IDS[0]!, { cost: 5 })).toMatchObject({ allowed: true })
  expect(await log.peek(IDS[0]!)).toMatchObject({ remaining: 4 })
})

it('makes room again by the time of the server', async () => {
  const quick = hf.limiter('fixed', { rules: [{ limit: 1, per: 50, algorithm: 'fixed' }] })
  for (const id of IDS.slice(0, 6)) {
    expect((await quick.consume(id)).allowed).toBe(true)
    await expect.poll(async () => (await quick.consume(id)).allowed, { interval: 5 }).toBe(true)
  }
})
