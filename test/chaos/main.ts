// npm run chaos -- [--rounds N] [--cluster] [--sentinel] [--locks] [--queue [--standalone] [--jobs N] [--workers N] [--seed N]]
// [--figures [--standalone] [--processes N] [--seed N]]: faults under steady load, for as long as one likes.
import { parseArgs } from 'node:util'
import { showFigures } from './figures/show.ts'
import { type FiguresStory, figuresStory } from './figures/story.ts'
import { movesStory } from './lock-moves.ts'
import { lockStory } from './locks.ts'
import { longStory, showStory, TOPOLOGIES } from './queue/long.ts'
import type { QueueStory } from './queue/story.ts'
import { clusterStory, type Story, sentinelStory, showChapter } from './stories.ts'

const USAGE = `npm run chaos -- [--rounds N] [--cluster] [--sentinel] [--locks] [--json]
npm run chaos -- --queue [--standalone] [--cluster] [--sentinel] [--jobs 20000] [--workers 4] [--seed N] [--json]
npm run chaos -- --figures [--standalone] [--cluster] [--sentinel] [--rounds 3] [--processes 4] [--seed N] [--json]
Without any of these names: all of them.
`

function readWords() {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '3' },
        cluster: { type: 'boolean', default: false },
        sentinel: { type: 'boolean', default: false },
        standalone: { type: 'boolean', default: false },
        locks: { type: 'boolean', default: false },
        queue: { type: 'boolean', default: false },
        figures: { type: 'boolean', default: false },
        processes: { type: 'string', default: '4' },
        jobs: { type: 'string', default: '20000' },
        workers: { type: 'string', default: '4' },
        seed: { type: 'string', default: String(Math.ceil(Math.random() * 1e9)) },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (!values.help) return values
    process.stdout.write(USAGE)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
  process.exit(0)
}

const values = readWords()
/** A whole number from `least`. */
function numberOf(name: 'rounds' | 'jobs' | 'workers' | 'processes' | 'seed', least: number): number {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least) return number
  throw new Error(`--${name}: expected a whole number from ${least}, received ${values[name]}`)
}
const rounds = numberOf('rounds', 1)
const isAnyTopology = values.cluster || values.sentinel || values.standalone
const all = !isAnyTopology && !values.locks && !values.queue && !values.figures
const say = (line: string) => (values.json ? process.stderr : process.stdout).write(`${line}\n`)

let broken = 0
const stories: Story[] = []
for (const [name, isWanted, story] of [
  ['Cluster: 3 + 3 and 2 spares', values.cluster, clusterStory],
  ['Sentinel: 1 + 2 + 3', values.sentinel, sentinelStory],
] as const) {
  if (!all && (!isWanted || values.queue || values.figures)) continue
  say(`\n${name}`)
  const told = await story(rounds, (chapter) => {
    say(`  ${showChapter(chapter)}`)
    for (const complaint of chapter.complaints) say(`    ${complaint}`)
    broken += chapter.failed + chapter.wrong
  })
  stories.push(told)
  const { sales, repeats, redirects, failovers, problems } = told
  say(
    `  ${sales} sales, ${repeats} repeats, ${redirects} redirects, ${failovers} failovers, ${problems.length} problems`,
  )
  for (const problem of problems) say(`    ${problem}`)
  broken += problems.length
}
if (values.locks) {
  const seed = Math.ceil(Math.random() * 1e9)
  say(`\nLocks: three processes, ${rounds} faults, seed ${seed}`)
  const { holds, faults, problems } = await lockStory(rounds, { processes: true, seed })
  say(`  held ${holds} times, ${problems.length} times by two at once, ${JSON.stringify(faults)}`)
  for (const problem of problems) say(`    ${problem}`)
  broken += problems.length + (holds === 0 ? 1 : 0)
  say('\nLocks: a primary that dies before its replica has heard of the last, and slots that move')
  const moves = await movesStory(rounds, (line) => say(`  ${line}`))
  say(`  held ${moves.holds} times while slots moved, ${moves.problems.length} problems`)
  for (const problem of moves.problems) say(`    ${problem}`)
  broken += moves.problems.length + (moves.holds === 0 ? 1 : 0)
}
const queues: QueueStory[] = []
if (values.queue || (values.standalone && !values.figures) || all)
  for (const topology of TOPOLOGIES) {
    if (isAnyTopology && !values[topology]) continue
    const options = { jobs: numberOf('jobs', 100), workers: numberOf('workers', 2), seed: numberOf('seed', 1) }
    say(`\nQueue on ${topology}: ${options.jobs} jobs, ${options.workers} workers, seed ${options.seed}`)
    const told = await longStory(topology, options, (line) => say(`  ${line}`))
    queues.push(told)
    for (const line of showStory(told)) say(`  ${line}`)
    broken += told.problems.length
  }
const figures: FiguresStory[] = []
if (values.figures || all)
  for (const topology of TOPOLOGIES) {
    if (isAnyTopology && !values[topology]) continue
    const options = { rounds, processes: numberOf('processes', 2), seed: numberOf('seed', 1), replaces: true }
    say(`\nFigures on ${topology}: ${options.processes} processes, ${rounds} rounds, seed ${options.seed}`)
    const told = await figuresStory({ topology, ...options }, (line) => say(`  ${line}`))
    figures.push(told)
    for (const line of showFigures(told)) say(`  ${line}`)
    broken += told.problems.length
  }
if (values.json) process.stdout.write(`${JSON.stringify({ ok: broken === 0, stories, queues, figures })}\n`)
// All is closed. Left to end by itself, Node 20 was seen to wait without end, and busily, for a handle in its own clean-up.
process.exit(broken === 0 ? 0 : 1)
