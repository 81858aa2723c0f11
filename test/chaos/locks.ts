/**
 * Locks under faults: contenders in processes of their own, or in this one, each behind a network that breaks. Whoever has the lock says
 * again and again that it does, with the time by a clock that all share; from that it is judged whether two ever had it at once.
 */
import { connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { Child } from '../fault/lock.fixture.ts'

export interface LockStory {
  readonly faults: Readonly<Record<string, number>>
  /** How often the lock was held. */
  readonly holds: number
  /** What must not be: two who held it at once, or a fence that fell. */
  readonly problems: readonly string[]
}

/** What one hold told: it was valid from the first moment to the last, both in µs. */
interface Span {
  readonly fence: bigint
  first: bigint
  last: bigint
}

export class Witnesses {
  readonly #spans = new Map<bigint, Span>()

  /** `before` and `after` stand around a look that said yes: it was valid at some moment between them. */
  hear(fence: bigint, before: bigint, after: bigint): void {
    const span = this.#spans.get(fence)
    if (span === undefined) this.#spans.set(fence, { fence, first: after, last: before })
    else if (before > span.last) span.last = before
  }

  get holds(): number {
    return this.#spans.size
  }

  problems(): readonly string[] {
    const spans = [...this.#spans.values()].sort((one, other) => (one.fence < other.fence ? -1 : 1))
    return spans.flatMap((span, i) => {
      const before = spans[i - 1]
      if (before === undefined || before.last <= span.first) return []
      return [`${before.fence} was valid until ${before.last}, and ${span.fence} from ${span.first}`]
    })
  }
}

interface Contender {
  readonly proxy: TestProxy
  child: Child | undefined
}

/**
 * So many faults in a row, by chance that a seed repeats. `processes`: contenders in processes of their own, which are stopped and killed
 * too. `most`: ends after this long, however many faults are left.
 */
export async function lockStory(
  rounds: number,
  options: { readonly processes: boolean; readonly seed: number; readonly mostMs?: number },
): Promise<LockStory> {
  const server = await startServer()
  const namespace = testNamespace('locks')
  const witnesses = new Witnesses()
  const contenders: Contender[] = []
  const ended = new AbortController()
  const working: Promise<void>[] = []
  const hear = (line: string) => {
    const [fence, before, after] = line.split(' ')
    if (after !== undefined) witnesses.hear(BigInt(fence as string), BigInt(before as string), BigInt(after))
  }
  for (let i = 0; i < 3; i++) {
    const proxy = await startProxy({ target: server })
    const contender: Contender = { proxy, child: undefined }
    contenders.push(contender)
    if (options.processes) contender.child = startChild(proxy, namespace, hear)
    else working.push(contend(proxy, namespace, ended.signal, witnesses))
  }
  try {
    await Promise.all(contenders.map(({ child }) => child?.said('ready')))
    const faults = await breakThings(rounds, server, contenders, options, (proxy) => startChild(proxy, namespace, hear))
    return { faults, holds: witnesses.holds, problems: witnesses.problems() }
  } finally {
    ended.abort()
    await Promise.all(contenders.map(({ child }) => child?.kill()))
    await Promise.all(working)
    await Promise.all(contenders.map(({ proxy }) => proxy.close()))
    await server.stop()
  }
}

function startChild(proxy: TestProxy, namespace: string, hear: (line: string) => void): Child {
  const child = new Child(proxy.url, hear)
  child.do('contend', namespace)
  return child
}

async function breakThings(
  rounds: number,
  server: TestServer,
  contenders: readonly Contender[],
  { seed, processes, mostMs = Number.POSITIVE_INFINITY }: { seed: number; processes: boolean; mostMs?: number },
  replace: (proxy: TestProxy) => Child,
): Promise<Record<string, number>> {
  const random = mulberry(seed)
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  const forMs = () => 50 + random() * 600
  const kinds: Record<string, (contender: Contender) => Promise<unknown>> = {
    drop: async ({ proxy }) => proxy.drop(),
    'drop replies': async ({ proxy }) => proxy.dropReplies(),
    delay: async ({ proxy }) => proxy.delay(Math.ceil(random() * 300)),
    'hold back': async ({ proxy }) => proxy.delay(Number.POSITIVE_INFINITY),
    cut: async ({ proxy }) => proxy.cut(),
    refuse: async ({ proxy }) => {
      await proxy.refuse()
      proxy.cut()
    },
    'server stands still': async () => {
      await server.pause()
      await pause(forMs())
      await server.resume()
    },
    'scripts forgotten': () => server.command('SCRIPT', 'FLUSH'),
  }
  if (processes) {
    kinds.stop = async ({ child }) => {
      child?.stop()
      await pause(forMs())
      child?.resume()
    }
    kinds.kill = async (contender) => {
      await contender.child?.kill()
      contender.child = replace(contender.proxy)
    }
  }
  const names = Object.keys(kinds)
  const made: Record<string, number> = {}
  const startMs = performance.now()
  for (let round = 0; round < rounds && performance.now() - startMs < mostMs; round++) {
    const name = names[Math.floor(random() * names.length)] as string
    const contender = contenders[Math.floor(random() * contenders.length)] as Contender
    made[name] = (made[name] ?? 0) + 1
    await kinds[name]?.(contender)
    await pause(forMs())
    if (random() < 0.7) await contender.proxy.heal()
    if (random() < 0.3) await Promise.all(contenders.map(({ proxy }) => proxy.heal()))
  }
  return made
}

async function contend(proxy: TestProxy, namespace: string, signal: AbortSignal, witnesses: Witnesses): Promise<void> {
  const nowMicros = () => process.hrtime.bigint() / 1_000n
  const hf: Holdfast = await connect(proxy.url, { namespace, timeout: '300ms', lazy: true })
  while (!signal.aborted) {
    const held = await hf
      .lock('l', { ttl: '400ms', wait: '1s' })
      .acquire({ signal })
      .catch(() => undefined)
    if (held === undefined) {
      // While the server is away each call fails at once: others must run between two tries.
      await new Promise((resolve) => setTimeout(resolve, 10))
      continue
    }
    const untilMs = performance.now() + Math.random() * 60
    for (;;) {
      const before = nowMicros()
      if (!held.valid()) break
      witnesses.hear(held.fence, before, nowMicros())
      if (performance.now() > untilMs || signal.aborted) break
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await held.release().catch(() => {})
  }
  await hf.close()
}

/** The same numbers for the same seed. */
function mulberry(start: number): () => number {
  let state = start * 2654435761
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
