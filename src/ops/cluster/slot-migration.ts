import { sleep } from '../../base/clock.ts'
import { HoldfastError, ServerError } from '../../base/errors.ts'
import type { Reply } from '../../redis/wire.ts'
import { command, type Member } from './crew.ts'
import { toRanges } from './ranges.ts'

/**
 * Slots moved whole by the servers themselves, where they can (Valkey 9.0: `CLUSTER MIGRATESLOTS`): a snapshot, the writes since, and
 * one moment in which the owner changes. Nobody is redirected with ASK, no key stands in anybody's way, and what fails leaves
 * the slots where they were.
 */

const LOOK_MS = 20

/** Both ends know the command, and our user may ask whether they do. */
export async function canMigrateSlots(from: Member, to: Member): Promise<boolean> {
  const known = await Promise.all(
    [from, to].map(({ node }) => command(node, 'COMMAND', 'INFO', 'cluster|migrateslots').catch(unlessRefused)),
  )
  return known.every((reply) => Array.isArray(reply) && reply[0] != null)
}

/**
 * answers  false when the servers gave up, or would not begin: the slots are where they were
 * throws   SlotMigrationCancelled when somebody cancelled it; what a node's absence throws
 */
export async function migrateSlots(from: Member, to: Member, slots: readonly number[]): Promise<boolean> {
  const ranges = toRanges(slots)
  const before = new Set((await jobsOf(from)).map((job) => job.get('name')))
  const begun = await from.node
    .call('CLUSTER', ['MIGRATESLOTS', 'SLOTSRANGE', ...ranges.flat(), 'NODE', to.id], {
      operation: 'cluster.migrateslots',
      repeat: false,
    })
    .catch(unlessRefused)
  if (begun === undefined) return false
  const shown = ranges.map(([first, last]) => `${first}-${last}`).join(' ')
  for (;;) {
    const job = (await jobsOf(from)).find(
      (one) => !before.has(one.get('name')) && one.get('slot_ranges') === shown && one.get('target_node') === to.id,
    )
    const state = String(job?.get('state') ?? 'failed')
    if (state === 'success') return true
    if (state === 'failed') return false
    if (state === 'cancelled') throw new SlotMigrationCancelled(from, to)
    await sleep(LOOK_MS)
  }
}

/** Somebody told the server to stop moving these slots: they stay where they were. */
class SlotMigrationCancelled extends HoldfastError {
  static override readonly kind = 'SlotMigrationCancelled'

  constructor(from: Member, to: Member) {
    super(
      'CHANGE_UNFINISHED',
      `the migration of slots from ${from.address} to ${to.address} was cancelled on the server`,
    )
  }
}

/** Those under way and those that have ended lately, as the source tells of them. */
async function jobsOf({ node }: Member): Promise<readonly ReadonlyMap<string, Reply>[]> {
  const jobs = (await command(node, 'CLUSTER', 'GETSLOTMIGRATIONS')) as readonly (readonly Reply[])[]
  return jobs.map((fields) => {
    const pairs = fields.flatMap((field, i) => (i % 2 === 0 ? [[String(field), fields[i + 1] as Reply] as const] : []))
    return new Map(pairs)
  })
}

function unlessRefused(error: unknown): undefined {
  if (!(error instanceof ServerError)) throw error
}
