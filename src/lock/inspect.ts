import { onEveryServer } from '../redis/everywhere.ts'
import { unescapeName } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import { type LockKind, lockKey, lockSuperset, nameOfKey } from './keys.ts'
import { inspectGateScript, inspectScript } from './lua.generated.ts'

export interface HolderView {
  /** As its `owner` option says. */
  readonly owner: string
  readonly fence: bigint
  readonly permits: number
  /** Since when, by the server's clock. */
  readonly heldForMs: number
  /** Until the lease ends if nobody extends it. */
  readonly leftMs: number
}

export interface WaiterView {
  readonly owner: string
  readonly permits: number
  /** False: nothing was heard of it lately, and it will be passed over. */
  readonly alive: boolean
}

/** A lock at one moment, by the server's clock. */
export interface LockView {
  readonly name: string
  readonly state: 'free' | 'held'
  /** One for a lock; all readers, or all who have permits. */
  readonly holders: readonly HolderView[]
  /** Those who wait, first come first: at most 100 of a lock. */
  readonly queue: readonly WaiterView[]
  /** How many wait in all. */
  readonly waiting: number
}

/** A lock, a leader's seat, or one server's share of a quorum. */
export async function inspectLock(redis: Redis, kind: 'lock' | 'leader' | 'quorum', name: string): Promise<LockView> {
  const lock = lockKey(redis.keyspace, kind, name)
  const options = { operation: 'lock.inspect', repeat: true }
  const [, nowMs, value, waiting] = await inspectScript.run(redis, { lock }, {}, options)
  const [first = '', ...lines] = value.split('\n')
  const leftMs = first[0] === 'h' || first[0] === 'g' ? Number(first.slice(39, 52)) - nowMs : 0
  const fence = BigInt(first.slice(1, 17) || 0)
  const holder = { owner: first.slice(74), fence, permits: 1, heldForMs: agedMs(fence, nowMs), leftMs }
  const queue = lines.map((line) => ({
    owner: line.slice(70),
    permits: 1,
    alive: Number(line.slice(0, 13)) > nowMs,
  }))
  return { name, state: leftMs > 0 ? 'held' : 'free', holders: leftMs > 0 ? [holder] : [], queue, waiting }
}

/** A readers-writer lock or a semaphore. */
export async function inspectGate(redis: Redis, kind: 'rwlock' | 'semaphore', name: string): Promise<LockView> {
  const gate = lockKey(redis.keyspace, kind, name)
  const options = { operation: 'lock.inspect', repeat: true }
  const [, nowMs, ...flat] = await inspectGateScript.run(redis, { gate }, {}, options)
  const holders: HolderView[] = []
  const queue: (WaiterView & { readonly number: number })[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [field, value] = [flat[i] as string, flat[i + 1] as string]
    if (field[0] === 'h') {
      const fence = BigInt(value.slice(1, 17))
      const leftMs = Number(value.slice(17, 30)) - nowMs
      const permits = Number(value.slice(30, 37))
      if (leftMs > 0) holders.push({ owner: value.slice(59), fence, permits, heldForMs: agedMs(fence, nowMs), leftMs })
    } else if (field[0] === 'w') {
      const alive = Number(value.slice(0, 13)) > nowMs
      queue.push({
        owner: value.slice(77),
        permits: Number(value.slice(26, 33)),
        alive,
        number: Number(field.slice(1)),
      })
    }
  }
  queue.sort((one, other) => one.number - other.number)
  return {
    name,
    state: holders.length > 0 ? 'held' : 'free',
    holders: holders.sort((one, other) => (one.fence < other.fence ? -1 : 1)),
    queue: queue.map(({ owner, permits, alive }) => ({ owner, permits, alive })),
    waiting: queue.length,
  }
}

/** A fence is the moment of its grant in µs, or a little more where the clock was set back. */
const agedMs = (fence: bigint, nowMs: number): number => Math.max(0, nowMs - Math.floor(Number(fence) / 1_000))

/** Kinds that somebody has or waits for; of a quorum, the share of these servers. */
export type LookedKind = Exclude<LockKind, 'once'>
export const LOOKED_KINDS: readonly LookedKind[] = ['lock', 'leader', 'rwlock', 'semaphore', 'quorum']

/** Any of them at one moment. */
export const inspectAny = (redis: Redis, kind: LookedKind, name: string): Promise<LockView> =>
  kind === 'rwlock' || kind === 'semaphore' ? inspectGate(redis, kind, name) : inspectLock(redis, kind, name)

export interface ListOptions {
  /** Most that are answered; the search ends there. */
  readonly limit: number
  /** Default all. */
  readonly kinds?: readonly LookedKind[]
}

export interface LockList {
  /** Held or waited for, by kind and name. */
  readonly locks: readonly (LockView & { readonly kind: LookedKind })[]
  /** False: `limit` was reached, and there may be more. */
  readonly complete: boolean
}

/** Looked at side by side. */
const ABREAST = 50

/**
 * Who has what, in the whole namespace: one pass of SCAN over every server, in which each lock's key costs one script more. One that is
 * free keeps its key for an hour, and is left out.
 */
export async function listLocks(redis: Redis, { limit, kinds = LOOKED_KINDS }: ListOptions): Promise<LockList> {
  const { keyspace } = redis
  const seen = new Set<string>()
  const found: (LockView & { readonly kind: LookedKind })[] = []
  const look = async (key: string): Promise<void> => {
    const kind = kinds.find((one) => key.startsWith(`{${keyspace.stem(one)}`))
    if (kind === undefined || seen.has(key) || found.length >= limit) return
    seen.add(key)
    const view = await inspectAny(redis, kind, unescapeName(nameOfKey(keyspace, kind, key)))
    if (view.state === 'held' || view.waiting > 0) found.push({ kind, ...view })
  }
  await onEveryServer(redis, async (node) => {
    for await (const keys of scanKeys(node, lockSuperset(keyspace, kinds), 'lock.list')) {
      for (let i = 0; i < keys.length; i += ABREAST) await Promise.all(keys.slice(i, i + ABREAST).map(look))
      if (found.length >= limit) return
    }
  })
  const order = (view: (typeof found)[number]) => `${view.kind} ${view.name}`
  const locks = found.slice(0, limit).sort((one, other) => (order(one) < order(other) ? -1 : 1))
  return { locks, complete: found.length < limit }
}
