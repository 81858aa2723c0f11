import { monotonicMs } from '../../base/clock.ts'
import type { Node } from '../node.ts'
import type { Reply } from '../wire.ts'
import type { LayoutKeys } from './layout.ts'
import { LAND, LIFT, runOn } from './scripts.ts'

/** What is lifted must land within this, or is lifted again: long before its mark of arrival goes. */
const CARRY_MS = 5_000
const MARK_MS = 30_000
/** Keys of one script call, and bytes after which it leaves the rest for the next one. */
const MOST_KEYS = 64
const MOST_BYTES = 1 << 20

export interface PullRequest {
  readonly keys: LayoutKeys
  readonly version: number
  readonly from: Node
  readonly to: Node
  readonly operation: string
  readonly timeoutMs: number
}

/** One key that went from here to there in a pull. */
export interface Carried {
  readonly key: string
  readonly bytes: number
}

/**
 * Brings keys from their old shard to their new one, those that exist. Afterwards they are at the new one only, or nowhere.
 *
 * Each step may be carried out any number of times, by any number of processes, and whoever does it may die between any two:
 * put aside on the old shard (from then on nobody can use it there), restore on the new one unless that has happened, forget on the old one.
 *
 * returns  what was carried; undefined when a server is not, or no more, in this step of the move
 * throws   the error of the server that failed; keys that did not arrive stay aside on the old shard, and are brought by the next pull
 */
export async function pull(request: PullRequest, names: readonly string[]): Promise<readonly Carried[] | undefined> {
  const carried: Carried[] = []
  let left = names
  while (left.length > 0) {
    const lot = left.slice(0, MOST_KEYS)
    const later = await pullLot(request, lot, carried)
    if (later === undefined) return undefined
    left = [...later, ...left.slice(MOST_KEYS)]
  }
  return carried
}

/** Answers the keys that were left for the next call. */
async function pullLot(
  request: PullRequest,
  lot: readonly string[],
  carried: Carried[],
): Promise<readonly string[] | undefined> {
  const { keys, version, from, to, operation, timeoutMs } = request
  const options = { operation, repeat: true, bytes: true, timeoutMs: Math.min(timeoutMs, CARRY_MS) }
  const liftedMs = monotonicMs()
  const pairs = lot.flatMap((key) => [key, keys.parked(key, version)])
  const lifted = (await runOn(from, LIFT, [keys.record, ...pairs], [version, MOST_BYTES], options)) as readonly Reply[]
  if (String(lifted[0]) !== 'lifted') return undefined
  // This process stood still: what it holds may be older than the mark that would keep it from landing.
  if (monotonicMs() - liftedMs > 2 * CARRY_MS) return lot
  const found: { key: string; dump: Buffer; ttlMs: number }[] = []
  const later: string[] = []
  lot.forEach((key, i) => {
    const [dump, ttlMs] = [lifted[1 + 2 * i] as Buffer, Number(lifted[2 + 2 * i])]
    if (ttlMs === -3) later.push(key)
    else if (dump.length > 0 && ttlMs !== -2) found.push({ key, dump, ttlMs })
  })
  if (found.length === 0) return later
  const marks = found.flatMap(({ key }) => [key, keys.arrived(key, version)])
  const values = found.flatMap(({ dump, ttlMs }) => [dump, ttlMs])
  const landed = (await runOn(to, LAND, [keys.record, ...marks], [version, MARK_MS, ...values], options)) as Reply[]
  if (String(landed[0]) !== 'landed') return undefined
  const parked = found.map(({ key }) => keys.parked(key, version))
  await from.call('UNLINK', parked, { operation, repeat: true, timeoutMs, needs: '+unlink' })
  for (const { key, dump } of found) carried.push({ key, bytes: dump.length })
  return later
}
