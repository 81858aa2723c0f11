// Random histories of one log and two groups, one of them by key, against what the documentation says: nothing is trimmed that somebody has
// not done, and all else is; of a key one at a time, in order; nothing stays behind. And what is told of a group that is behind.
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { connect, Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { GroupView } from './index.ts'
import { LogKeys } from './keys.ts'
import { appendScript, openScript, seekScript, trimScript, turnScript } from './lua.generated.ts'

const SOON = { timeout: 15_000, interval: 5 }
const KEEP_DEAD = 3
const OPTIONS = { operation: 'log.model', repeat: false } as const
let server: TestServer
let hf: Holdfast

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { namespace: testNamespace('log') })
})
beforeEach(() => server.command('FLUSHALL'))
afterAll(async () => {
  await hf?.close()
  await server?.stop()
})

const which = fc.constantFrom('key' as const, 'none' as const)
const op = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant('append' as const),
      keys: fc.array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      verb: fc.constant('turn' as const),
      which,
      who: fc.nat(1),
      want: fc.nat(8),
      says: fc.array(
        fc.constantFrom('done' as const, 'done' as const, 'failed' as const, 'back' as const, 'dead' as const),
        {
          maxLength: 5,
        },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('die' as const), which, who: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('seek' as const), which, to: fc.nat(30) }) },
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('trim' as const), length: fc.nat(3) }) },
)
type Op = typeof op extends fc.Arbitrary<infer O> ? O : never

/** One group as the model knows it: of each entry from `from` on whether it has ended, and who has it. */
class Group {
  readonly order: 'key' | 'none'
  readonly ended = new Set<string>()
  readonly held = new Map<string, string>()
  readonly consumers = ['', '']
  dead = 0

  constructor(order: 'key' | 'none') {
    this.order = order
  }
}

class History {
  readonly #redis = Holdfast.redisOf(hf)
  readonly #keys: LogKeys
  readonly #name: string
  readonly entries: { readonly id: string; readonly key: string }[] = []
  readonly groups = [new Group('key'), new Group('none')]
  /** So many of the first are gone. */
  trimmed = 0
  #names = 0

  constructor(name: string) {
    this.#name = name
    this.#keys = new LogKeys(this.#redis.keyspace, name)
  }

  async begin(): Promise<void> {
    const { entries, state, gone } = this.#keys
    for (const { order: group } of this.groups)
      await openScript.run(this.#redis, { entries, state, gone }, { group, from: 'first', dropMs: -1 }, OPTIONS)
  }

  groupOf(order: 'key' | 'none'): Group {
    return this.groups.find((group) => group.order === order) as Group
  }

  async append(keys: readonly string[]): Promise<void> {
    const { entries, state, recent, channel } = this.#keys
    const items = keys.flatMap((key) => ['', key, '1', ''])
    const args = { token: `t${this.#names++}`, eraMs: 60_000, keepMs: 60_000, channel, items }
    const [, ...ids] = await appendScript.run(this.#redis, { entries, state, recent }, args, OPTIONS)
    for (const [i, id] of ids.entries()) this.entries.push({ id, key: keys[i] as string })
  }

  async turn(group: Group, who: number, want: number, says: readonly string[]): Promise<number> {
    const { entries, state, gone } = this.#keys
    const { dead, consumers, retry, marks, line } = this.#keys.group(group.order)
    const isNew = group.consumers[who] === ''
    if (isNew) group.consumers[who] = `c${this.#names++}`
    const consumer = group.consumers[who] as string
    const own = [...group.held].filter(([, holder]) => holder === consumer).map(([id]) => id)
    const settled = says.slice(0, own.length).map((word, i) => [word, own[i] as string, '0', 'failed', 'no'])
    // What two consumers have died beside is given to one that has nothing else.
    const idle = own.length === settled.length ? '1' : '0'
    const reply = await turnScript.run(
      this.#redis,
      { entries, state, consumers, retry, marks, dead, line, gone },
      {
        ...{ group: group.order, consumer, leaseMs: 60_000, joined: isNew ? '0' : '1', want, idle },
        ...{ ordered: group.order === 'key' ? 'key' : '0', crashes: 1_000, doubt: '0', keep: KEEP_DEAD },
        settled: settled.flat(),
      },
      OPTIONS,
    )
    if (reply[0] === 'lost') {
      group.consumers[who] = ''
      return 0
    }
    expect(reply[0]).toBe('turned')
    for (const [word, id] of settled as [string, string][]) {
      group.held.delete(id)
      if (word === 'done' || word === 'dead') group.ended.add(id)
      if (word === 'dead') group.dead++
    }
    const given = (reply as readonly unknown[]).slice(3).map(String)
    for (let i = 0; i < given.length; i += 8) {
      const id = given[i] as string
      expect(group.held.has(id) || group.ended.has(id)).toBe(false)
      if (group.order === 'key') expect(this.#before(group, id)).toEqual([])
      group.held.set(id, consumer)
    }
    return given.length / 8
  }

  /** What is in the way of an entry: those before it of its key. */
  #before(group: Group, id: string): readonly string[] {
    const at = this.entries.findIndex((entry) => entry.id === id)
    const { key } = this.entries[at] as { key: string }
    if (key === '') return []
    const earlier = this.entries.slice(0, at).filter((entry) => entry.key === key && !group.ended.has(entry.id))
    return earlier.map((entry) => entry.id)
  }

  async die(group: Group, who: number): Promise<void> {
    const consumer = group.consumers[who] as string
    if (consumer === '') return
    group.consumers[who] = ''
    await server.command('ZADD', this.#keys.group(group.order).consumers, '1', consumer)
    for (const [id, holder] of group.held) if (holder === consumer) group.held.delete(id)
    // Whoever comes next hands on what it had.
    await this.turn(group, 1 - who, 0, [])
  }

  async seek(group: Group, to: number): Promise<void> {
    const { entries, state, channel } = this.#keys
    const { consumers, retry, marks, line } = this.#keys.group(group.order)
    const point = this.entries[to]?.id
    const args = { group: group.order, from: point ?? 'now', channel }
    const own = [consumers, retry, marks, line]
    const reply = await seekScript.run(this.#redis, { entries, state, own }, args, OPTIONS)
    const at = point === undefined ? this.entries.length : to
    group.ended.clear()
    group.held.clear()
    for (const { id } of this.entries.slice(0, Math.max(at, this.trimmed))) group.ended.add(id)
    expect(reply).toEqual(['sought', this.entries.length - Math.max(at, this.trimmed)])
    for (const who of [0, 1]) if (group.consumers[who] !== '') await this.turn(group, who, 1, [])
    expect(group.consumers).toEqual(['', ''])
  }

  async trim(length: number): Promise<void> {
    const { entries, state } = this.#keys
    const args = { ageMs: -1, length, upTo: '', list: '0' } as const
    const reply = await trimScript.run(this.#redis, { entries, state }, args, OPTIONS)
    const firstOpen = this.groups.map(({ ended }) => this.entries.findIndex(({ id }) => !ended.has(id)))
    const bounds = firstOpen.map((at) => (at < 0 ? this.entries.length : at))
    const before = this.trimmed
    this.trimmed = Math.max(before, Math.min(this.entries.length - length, ...bounds))
    expect(reply.slice(0, 2)).toEqual(['trimmed', this.trimmed - before])
    const [first] = (await server.command('XRANGE', entries, '-', '+', 'COUNT', '1')) as [string, unknown][]
    expect(first?.[0]).toBe(this.entries[this.trimmed]?.id)
  }

  /** All is done, whatever came before. */
  async end(): Promise<void> {
    for (const group of this.groups) {
      for (let idle = 0; idle < 3; ) {
        let given = 0
        for (const who of [0, 1])
          given += await this.turn(
            group,
            who,
            5,
            Array.from({ length: 99 }, () => 'done'),
          )
        idle = given === 0 ? idle + 1 : 0
      }
      expect(this.entries.filter(({ id }) => !group.ended.has(id))).toEqual([])
      expect(await hf.log(this.#name).group(group.order).inspect()).toMatchObject({
        ...{ lag: 0, held: 0, retrying: 0, active: 0, dropped: 0, dead: Math.min(group.dead, KEEP_DEAD) },
      })
      expect(await server.command('HLEN', this.#keys.group(group.order).marks)).toBe(0)
    }
  }
}

async function play(history: History, step: Op): Promise<void> {
  if (step.verb === 'append') return history.append(step.keys)
  if (step.verb === 'trim') return history.trim(step.length)
  const group = history.groupOf(step.which)
  if (step.verb === 'turn') {
    await history.turn(group, step.who, step.want, step.says)
    return history.trim(0)
  }
  if (step.verb === 'die') return history.die(group, step.who)
  return history.seek(group, step.to)
}

it('keeps what somebody has not done, gives of a key one at a time, and leaves nothing behind', async () => {
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 10, maxLength: 50 }), async (steps) => {
      const history = new History(`log ${runs++}`)
      await history.begin()
      for (const step of steps) await play(history, step)
      await history.end()
    }),
    { numRuns: 12 },
  )
})

it('keeps the last dead entries that it may, until they are purged', async () => {
  const log = hf.log<number>('few')
  const group = log.group('g', { retry: { attempts: 1 }, keepDead: 2 })
  await log.appendMany([1, 2, 3, 4, 5])
  const worker = group.process(() => {
    throw new Error('no')
  })
  await vi.waitFor(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 2 }), SOON)
  const dead = await group.deadLetters()
  expect(dead.map(({ data }) => data)).toEqual([4, 5])
  expect(await group.purge({ ids: [dead[1]?.id as string, '1-1'] })).toBe(1)
  expect((await group.deadLetters()).map(({ data }) => data)).toEqual([4])
  expect(await group.purge()).toBe(1)
  await worker.close()
})

it('asks for nothing while all its places are taken, whatever is due', async () => {
  const log = hf.log<string>('busy')
  const group = log.group('g', { retry: { base: 10, max: 10 } })
  await log.appendMany(['fails', 'long'])
  let release: (() => void) | undefined
  const handle = (data: string, attempt: number) => {
    if (data === 'fails' && attempt === 1) throw new Error('no')
    if (data === 'long')
      return new Promise<void>((resolve) => {
        release = resolve
      })
    return undefined
  }
  const worker = group.process(({ data }, { attempt }) => handle(data, attempt), { ordered: false })
  await vi.waitFor(() => expect(release).toBeDefined(), SOON)
  // Each turn renews a lease, and nothing else here does.
  const turns = async () => {
    const stats = await server.command<string>('INFO', 'commandstats')
    return Number(/cmdstat_zadd:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  const before = await turns()
  for (let i = 0; i < 400; i++) await group.inspect()
  expect((await turns()) - before).toBeLessThan(10)
  release?.()
  await vi.waitFor(async () => expect(await group.inspect()).toMatchObject({ lag: 0 }), SOON)
  await worker.close()
})

it('says when a group is too far behind, once, and when it is not any more', async () => {
  const log = hf.log<number>('slow')
  const group = log.group('g')
  expect(() => group.alarm({ onAlarm: () => {} })).toThrow(expect.objectContaining({ option: 'lag' }))
  const told: string[] = []
  const tell = (word: string) => (view: GroupView) => void told.push(`${word} ${view.lag}`)
  const alarm = group.alarm({ lag: 2, every: 10, onAlarm: tell('behind'), onClear: tell('clear') })
  const aged = group.alarm({ age: 1, every: 10, onAlarm: tell('old') })
  await log.appendMany([1, 2])
  await group.open()
  await vi.waitFor(() => expect(told).toEqual(['old 2']), SOON)
  await log.append(3)
  await vi.waitFor(() => expect(told).toEqual(['old 2', 'behind 3']), SOON)
  expect(alarm.rings).toBe(true)
  const worker = group.process(() => {})
  await vi.waitFor(() => expect(told[2]).toMatch(/^clear [0-2]$/), SOON)
  await vi.waitFor(() => expect(alarm.rings).toBe(false), SOON)
  await aged.close()
  await worker.close()
})
