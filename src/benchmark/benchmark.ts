import { monotonicMs, unlessAborted } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, type HoldfastError, TimeoutError } from '../base/errors.ts'
import { type ConnectOptions, Holdfast } from '../holdfast.ts'
import { Trial } from '../trial/trial.ts'
import { measureThroughput, type Throughput } from './closed-loop.ts'
import { type Latency, measureLatency } from './open-loop.ts'
import { RawClient } from './raw.ts'
import type { Ground, Operation, Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

export interface BenchmarkOptions {
  /** Where the servers are, as `connect` takes it. */
  readonly connect: Omit<ConnectOptions, 'namespace' | 'lazy'>
  /** Which scenarios: their ids, or the first word of several. Default all. */
  readonly only?: readonly string[]
  /** How long each scenario takes: half for the throughput, half for the latency. Default `'2s'`. */
  readonly each?: Duration
  /** Callers at the same time, 1 to 1,000. Default 50. */
  readonly clients?: number
  /** Arrivals a second for the latency. Default three tenths of the throughput that was measured. */
  readonly rate?: number
  /** Told of each scenario when it has ended. */
  readonly onRow?: (row: BenchmarkRow) => void
  /** Ends it: what was made is removed, and `signal.reason` is thrown. */
  readonly signal?: AbortSignal
}

export interface BenchmarkRow {
  readonly id: string
  readonly title: string
  /** What the client alone did in its place. */
  readonly floor: string
  readonly throughput?: Throughput
  readonly latency?: Latency
  /** Why there are no figures. */
  readonly error?: unknown
}

/** What was measured on. */
export interface Setting {
  readonly namespace: string
  /** `single`, `sentinel`, `cluster` or `shards`. */
  readonly topology: Trial['topology']
  readonly product: string
  readonly version: string | undefined
  /** Servers that hold keys. */
  readonly servers: number
  /** Median time of a PING, in ms. */
  readonly rttMs: number
  /** The servers are on this very machine, and take from what is measured. */
  readonly sharesMachine: boolean
  readonly clients: number
}

export interface BenchmarkResult extends Setting {
  readonly rows: readonly BenchmarkRow[]
  readonly removed: number
  /** Why keys may be left in the namespace; undefined where none are. */
  readonly left: HoldfastError | undefined
}

/** Above it, one who asks waits for those before him, and the latency tells of that alone. */
const SHARE_OF_THROUGHPUT = 0.3
const PINGS = 50
const LEAST_LANES = 512
/** A scenario that takes so many times its time, and this beside, has got stuck. */
const SLOWEST = 5
const SPARE_MS = 20_000

function chosenScenarios(only: readonly string[] | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS
  const isMeant = (word: string, { id }: Scenario) => id === word || id.startsWith(`${word}-`)
  for (const word of only)
    if (!SCENARIOS.some((one) => isMeant(word, one)))
      throw new ConfigError('only', `some of ${SCENARIOS.map(({ id }) => id).join(', ')}`, word)
  return SCENARIOS.filter((one) => only.some((word) => isMeant(word, one)))
}

/**
 * Measures the library on these servers, in a namespace of its own that is removed at the end: what it gets done beside the client alone, and how
 * long an operation takes at a fixed rate.
 *
 * throws  what `connect` throws when the servers cannot be had; `signal.reason`; ConfigError
 */
export async function benchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const scenarios = chosenScenarios(options.only)
  const { clients = 50, onRow, signal = new AbortController().signal } = options
  if (!(Number.isSafeInteger(clients) && clients >= 1 && clients <= 1_000))
    throw new ConfigError('clients', 'a whole number of 1 to 1000', clients)
  const halfMs = toMs(options.each ?? '2s', 'each', { min: 20 }) / 2
  // A multiple of the callers: turns of two of them never have the same remainder.
  const lanes = clients * Math.ceil(LEAST_LANES / clients)
  const trial = await Trial.begin({ purpose: 'bench', connect: options.connect })
  const rows: BenchmarkRow[] = []
  let setting: Setting
  try {
    const hf = await trial.open()
    const raw = await RawClient.open(hf)
    try {
      setting = await settingOf(hf, trial, clients)
      for (const scenario of scenarios) {
        signal.throwIfAborted()
        const row = await measure(scenario, { hf, raw, lanes }, { halfMs, rate: options.rate, clients, signal })
        rows.push(row)
        onRow?.(row)
      }
    } finally {
      raw.close()
      await hf.close()
    }
  } catch (error) {
    await trial.end()
    throw error
  }
  return { ...setting, rows, ...(await trial.end()) }
}

interface Pace {
  readonly halfMs: number
  readonly rate: number | undefined
  readonly clients: number
  readonly signal: AbortSignal
}

/** The figures of one scenario, or why there are none: also where an operation is never answered. */
async function measure(scenario: Scenario, ground: Ground, pace: Pace): Promise<BenchmarkRow> {
  const { id, title, floor } = scenario
  const { signal } = pace
  const late = new AbortController()
  const mostMs = SLOWEST * 2 * pace.halfMs + SPARE_MS
  const timer = setTimeout(() => late.abort(new TimeoutError(`bench of ${id}`, mostMs, true)), mostMs)
  const stop = AbortSignal.any([signal, late.signal])
  try {
    return { id, title, floor, ...(await unlessAborted(figuresOf(scenario, ground, { ...pace, signal: stop }), stop)) }
  } catch (error) {
    signal.throwIfAborted()
    return { id, title, floor, error }
  } finally {
    clearTimeout(timer)
  }
}

async function figuresOf(scenario: Scenario, ground: Ground, { halfMs, rate, clients, signal }: Pace) {
  const { lanes } = ground
  const { own, raw } = await scenario.prepare(ground)
  let turns = 0
  const counted: Operation = (turn) => {
    turns = Math.max(turns, turn + 1)
    return own(turn)
  }
  const throughput = await measureThroughput(counted, raw, { clients, forMs: halfMs, signal })
  const firstTurn = Math.ceil(turns / lanes) * lanes
  const arrivals = rate ?? Math.max(1, Math.round(throughput.perSecond * SHARE_OF_THROUGHPUT))
  const latency = await measureLatency(own, { rate: arrivals, forMs: halfMs, lanes, firstTurn, signal })
  return { throughput, latency }
}

async function settingOf(hf: Holdfast, { namespace, topology }: Trial, clients: number): Promise<Setting> {
  const nodes = Holdfast.redisOf(hf).topology.primaries()
  const times: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const startMs = monotonicMs()
    await nodes[i % nodes.length]?.call('PING', [], { operation: 'bench', repeat: true })
    times.push(monotonicMs() - startMs)
  }
  times.sort((a, b) => a - b)
  return {
    ...{ namespace, topology, clients, product: hf.server.product, version: hf.server.version, servers: nodes.length },
    rttMs: times[PINGS / 2] as number,
    sharesMachine: nodes.some(({ settings: { host, path } }) => path !== undefined || isLoopback(host)),
  }
}

const isLoopback = (host: string): boolean => /^(127\.|localhost$|::1$|\[::1\]$)/.test(host)
