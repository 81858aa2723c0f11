import { moveShards, planShards, type ShardMoveProgress } from '../../ops/shards/index.ts'
import type { Context } from '../context.ts'
import { type ChangeFlags, confirm } from '../flags.ts'
import { bytes, count, plural, seconds } from '../terminal/figures.ts'
import { type PlanFlags, shardOptions, showPlan } from './plan.ts'

export interface MoveFlags extends PlanFlags, ChangeFlags {
  readonly force: boolean
}

const STEPS: Readonly<Record<ShardMoveProgress['step'], string>> = {
  scan: 'counting keys',
  announce: 'telling every process of the move',
  stop: 'waiting until every process knows',
  move: 'moving keys',
  finish: 'writing the new list',
}

export async function move(this: Context, flags: MoveFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { force, json, dryRun } = flags
  const options = shardOptions(this, flags)
  if (dryRun) {
    const plan = await planShards(options)
    return json ? terminal.json(plan) : terminal.data(showPlan(plan, terminal.paint))
  }
  if (force) confirm('move', '--force goes on although keys are lost', flags)
  const signal = this.interruption.handle()
  let last: ShardMoveProgress['step'] | undefined
  const report = await moveShards({
    ...options,
    force,
    signal,
    onProgress: ({ step, keys, keysInAll, bytes: moved }) => {
      const figures = step === 'move' ? `: ${count(keys)} of ${plural(keysInAll, 'key')}, ${bytes(moved)}` : ''
      // Each step is told of, however short.
      terminal.progress(`${STEPS[step]}${figures}`, step !== last)
      last = step
    },
  })
  if (json) return terminal.json(report)
  const { status, keys, to, tookMs, lost, removed, bigKeys, resumed } = report
  if (status === 'same') return terminal.data(`Nothing to do: ${to.join(', ')} are its shards.`)
  const how = resumed ? 'Went on with a move that had begun, and moved' : 'Moved'
  terminal.data(`${how} ${plural(keys, 'key')}, ${bytes(report.bytes)}, to ${to.join(', ')} in ${seconds(tookMs)}.`)
  for (const big of bigKeys)
    terminal.note(`A big key, which holds up its servers while it moves: ${big.key}, ${bytes(big.bytes)}`)
  if (lost.length > 0) terminal.note(`Lost with their keys: ${lost.join(', ')}`)
  if (removed > 0) terminal.note(`Removed because of --force: ${plural(removed, 'key')}`)
}
