/**
 * One process with locks, started by the tests of locks: `lock-child.ts url`. Each line that it is told is a job, `mode namespace count`;
 * what it tells is one line each, written at once, so that it is told also when the process is stopped or killed right after.
 *
 *   wait       stands in line `count` times, and says `ran` for each
 *   stopped    holds the lock, says so, and stands still until it notices that time has jumped; then, before any timer can have run,
 *              says what its hold tells, and tries a write that the fence guards
 *   contend    takes the lock again and again; while it has it, says `fence before after` each time that it is valid, by a clock that
 *              all processes of the machine share
 *   once       runs something once and never ends
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect, type HeldLock, type Holdfast } from 'holdfast'

const [url = ''] = process.argv.slice(2)
const say = (line: string) => writeSync(1, `${line}\n`)
const nowMicros = () => process.hrtime.bigint() / 1_000n

say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [mode = '', namespace = '', count = '1'] = line.split(' ')
  void work(mode, namespace, Number(count))
}

async function work(mode: string, namespace: string, count: number): Promise<void> {
  const hf = await connect(url, { namespace, timeout: mode === 'contend' ? '300ms' : '10s', lazy: true })
  switch (mode) {
    case 'wait':
      await Promise.all(Array.from({ length: count }, () => hf.lock('l').run(() => void say('ran'))))
      break
    case 'once':
      await hf.once('k', () => new Promise(() => say('running')), { ttl: '1m', lease: '400ms' })
      break
    case 'stopped':
      await standStill(hf, namespace)
      break
    case 'contend':
      await contend(hf)
  }
  await hf.close()
}

async function standStill(hf: Holdfast, namespace: string): Promise<void> {
  const held = await hf.lock('l', { ttl: '400ms' }).acquire()
  const { signal } = held
  const cell = new Int32Array(new SharedArrayBuffer(4))
  // From before it is said: the stop may come at once. A pair of looks has no gap that a third could miss.
  let lastMs = Date.now()
  say(`held ${held.fence}`)
  for (let nowMs = Date.now(); nowMs - lastMs < 300; nowMs = Date.now()) {
    lastMs = nowMs
    Atomics.wait(cell, 0, 0, 5)
  }
  say(JSON.stringify({ valid: held.valid(), aborted: signal.aborted, code: signal.reason?.code }))
  const guard = `local last = tonumber(redis.call('GET', KEYS[1]) or 0)
    if tonumber(ARGV[1]) < last then return 'refused' end
    redis.call('SET', KEYS[1], ARGV[1]) return 'written'`
  say(
    await hf.pool.use(async (own) => String(await own.call('EVAL', guard, 1, `${namespace}:guarded`, `${held.fence}`))),
  )
}

async function contend(hf: Holdfast): Promise<void> {
  for (;;) {
    const lock = hf.lock('l', { ttl: '400ms', wait: '2s' })
    const held = await lock.acquire().catch(() => undefined)
    if (held === undefined) {
      // While the server is away each call fails at once: others must run between two tries.
      await new Promise((resolve) => setTimeout(resolve, 10))
      continue
    }
    await use(held)
    await held.release().catch(() => {})
  }
}

/** For a while, or until the lock is lost. */
async function use(held: HeldLock): Promise<void> {
  const untilMs = performance.now() + Math.random() * 60
  do {
    const before = nowMicros()
    if (!held.valid()) return
    say(`${held.fence} ${before} ${nowMicros()}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  } while (performance.now() < untilMs)
}
