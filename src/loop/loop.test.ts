import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ConfigError } from '../base/errors.ts'
import { Loop } from './loop.ts'

const HOOKS = fileURLToPath(new URL('../../scripts/typescript.mjs', import.meta.url))

const open: Loop[] = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((loop) => loop.stop()))
  vi.useRealTimers()
})

const start = (turn: (signal: AbortSignal) => Promise<void> | void, every: number, jitter = 0): Loop => {
  const loop = new Loop(turn, { every, jitter }).start()
  open.push(loop)
  return loop
}

/** A turn that ends when told to, and counts. */
function heldTurn() {
  const waiting: (() => void)[] = []
  const held = {
    turns: 0,
    atOnce: 0,
    most: 0,
    end: () => waiting.shift()?.(),
    turn: async () => {
      held.turns++
      held.most = Math.max(held.most, ++held.atOnce)
      await new Promise<void>((resolve) => waiting.push(resolve))
      held.atOnce--
    },
  }
  return held
}

test('takes a turn each time the wait is over, counted from the end of the last', async () => {
  let turns = 0
  start(() => void turns++, 100)
  await vi.advanceTimersByTimeAsync(99)
  expect(turns).toBe(0)
  await vi.advanceTimersByTimeAsync(1)
  expect(turns).toBe(1)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(turns).toBe(11)
})

test('never lets turns overlap, however long one lasts', async () => {
  const held = heldTurn()
  const loop = start(held.turn, 10)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(held.turns).toBe(1)
  void loop.runNow()
  held.end()
  await vi.advanceTimersByTimeAsync(5)
  held.end()
  await vi.advanceTimersByTimeAsync(10)
  expect(held).toMatchObject({ turns: 3, most: 1 })
  held.end()
})

test('varies each wait by its share, so that processes do not move in step', async () => {
  const waits: number[] = []
  let lastMs = performance.now()
  start(
    () => {
      waits.push(performance.now() - lastMs)
      lastMs = performance.now()
    },
    1_000,
    0.1,
  )
  await vi.advanceTimersByTimeAsync(200_000)
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(899)
  expect(Math.max(...waits)).toBeLessThanOrEqual(1_101)
  expect(new Set(waits.map(Math.round)).size).toBeGreaterThan(50)
})

test('goes on after a turn that fails, at once or later, and tells of it', async () => {
  const told: unknown[] = []
  const failures = [new Error('later'), new Error('at once')]
  let turns = 0
  const loop = new Loop(
    () => {
      if (turns++ === 0) return Promise.reject(failures[0])
      if (turns === 2) throw failures[1]
    },
    { every: 10, jitter: 0, onError: (error) => told.push(error) },
  ).start()
  open.push(loop)
  await vi.advanceTimersByTimeAsync(35)
  expect(told).toEqual(failures)
  expect(turns).toBe(3)
})

test('runs exactly one more turn when asked during a turn, however often it is asked', async () => {
  const held = heldTurn()
  const loop = start(held.turn, 1_000)
  await vi.advanceTimersByTimeAsync(1_000)
  let done = 0
  const asked = [1, 2, 3].map(() => loop.runNow().then(() => done++))
  held.end()
  await vi.advanceTimersByTimeAsync(1)
  expect(held.turns).toBe(2)
  expect(done).toBe(0)
  held.end()
  await Promise.all(asked)
  expect(held.turns).toBe(2)
})

test('runs the turn that was asked for also when the one under way fails', async () => {
  const fail = Promise.reject(new Error('no'))
  fail.catch(() => {})
  let turns = 0
  const loop = start(async () => {
    if (turns++ === 0) await fail
  }, 1_000)
  const first = loop.runNow()
  await Promise.all([first, loop.runNow()])
  expect(turns).toBe(2)
})

test('counts the wait anew from a turn that was asked for', async () => {
  let turns = 0
  const loop = start(() => void turns++, 100)
  await vi.advanceTimersByTimeAsync(90)
  await loop.runNow()
  await vi.advanceTimersByTimeAsync(90)
  expect(turns).toBe(1)
  await vi.advanceTimersByTimeAsync(10)
  expect(turns).toBe(2)
})

test('brings the next turn forward, and never puts it off', async () => {
  let turns = 0
  const loop = start(() => void turns++, 100)
  loop.within(10)
  await vi.advanceTimersByTimeAsync(10)
  expect(turns).toBe(1)
  for (let i = 0; i < 20; i++) {
    // Asked again and again for a turn that is further away than the one that is due.
    loop.within(90)
    await vi.advanceTimersByTimeAsync(5)
  }
  expect(turns).toBe(2)
})

test('remembers what was asked for while a turn was under way', async () => {
  const held = heldTurn()
  const loop = start(held.turn, 1_000)
  await vi.advanceTimersByTimeAsync(1_000)
  loop.within(20)
  await vi.advanceTimersByTimeAsync(5)
  held.end()
  await vi.advanceTimersByTimeAsync(16)
  expect(held.turns).toBe(2)
  held.end()
})

test('waits longer than the longest timer of Node', async () => {
  let turns = 0
  start(() => void turns++, 30 * 86_400_000)
  await vi.advanceTimersByTimeAsync(29 * 86_400_000)
  expect(turns).toBe(0)
  await vi.advanceTimersByTimeAsync(1.1 * 86_400_000)
  expect(turns).toBe(1)
})

test('lets the turn under way end when it is stopped, tells it so, and runs nothing after', async () => {
  const held = heldTurn()
  let signal: AbortSignal | undefined
  const loop = start((given) => {
    signal = given
    return held.turn()
  }, 10)
  await vi.advanceTimersByTimeAsync(10)
  let stopped = false
  const asked = loop.runNow()
  const stop = loop.stop().then(() => {
    stopped = true
  })
  await vi.advanceTimersByTimeAsync(5)
  expect(signal?.aborted).toBe(true)
  expect(stopped).toBe(false)
  held.end()
  await Promise.all([stop, asked])
  loop.start()
  loop.within(1)
  await loop.runNow()
  await vi.advanceTimersByTimeAsync(100)
  expect(held.turns).toBe(1)
})

test('can be stopped twice, and before it was started', async () => {
  const loop = new Loop(() => {}, { every: '1s' })
  await Promise.all([loop.stop(), loop.stop()])
  await loop.stop()
})

test('refuses a wait that is no duration', () => {
  expect(() => new Loop(() => {}, { every: 'soon' as never })).toThrow(ConfigError)
})

test('does not keep the process alive', async () => {
  vi.useRealTimers()
  const file = fileURLToPath(new URL('./loop.ts', import.meta.url))
  const program = `import { Loop } from ${JSON.stringify(file)}; new Loop(() => {}, { every: '1h' }).start()`
  await promisify(execFile)(process.execPath, ['--import', HOOKS, '--input-type=module', '-e', program], {
    timeout: 10_000,
  })
})
