import type { Duration } from '../../base/duration.ts'
import { type BenchmarkResult, type BenchmarkRow, benchmark } from '../../benchmark/benchmark.ts'
import type { Context } from '../context.ts'
import { EXIT, explain } from '../exit.ts'
import { onServers, type TrialFlags } from '../on-servers.ts'
import { count, plural } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { type Column, table } from '../terminal/table.ts'

export interface BenchFlags extends TrialFlags {
  readonly only?: readonly string[] | undefined
  readonly seconds?: Duration | undefined
  readonly clients?: number | undefined
  readonly rate?: number | undefined
}

export async function bench(this: Context, flags: BenchFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { json, only, seconds, clients, rate } = flags
  const signal = this.interruption.handle()
  const result = await onServers(this, flags, (connect) =>
    benchmark({
      ...{ connect, signal },
      ...(only === undefined ? {} : { only }),
      ...(seconds === undefined ? {} : { each: seconds }),
      ...(clients === undefined ? {} : { clients }),
      ...(rate === undefined ? {} : { rate }),
      onRow: ({ title }) => terminal.progress(`measured: ${title}`),
    }),
  )
  const failed = result.rows.filter(({ error }) => error !== undefined)
  if (json) terminal.json(asJson(result))
  else {
    terminal.data(showBenchmark(result, terminal.paint))
    if (result.sharesMachine)
      terminal.note(
        '\nThe servers share this machine, and take from it what is measured: elsewhere it is another figure.',
      )
    for (const { title, error } of failed) terminal.note(`No figures for "${title}": ${explain(error)}`)
    if (result.left !== undefined)
      terminal.note(`Keys may be left in the namespace ${result.namespace}: ${explain(result.left)}`)
  }
  this.process.exitCode = failed.length === 0 ? EXIT.ok : EXIT.failed
}

const asJson = ({ rows, left, ...rest }: BenchmarkResult) => ({
  ...rest,
  rows: rows.map(({ error, ...row }) => (error === undefined ? row : { ...row, error: explain(error) })),
  ...(left === undefined ? {} : { left: explain(left) }),
})

const right = (title: string): Column => ({ title, align: 'right' })
const COLUMNS: readonly Column[] = [
  ...[{ title: 'OPERATION' }, right('/S'), right('CLIENT ALONE'), right('RATIO'), right('AT /S')],
  ...['P50', 'P95', 'P99', 'P99.9', 'MAX'].map(right),
]

export function showBenchmark(result: BenchmarkResult, paint: Paint): string {
  const { product, version, topology, servers, rttMs, clients, rows } = result
  const server = version === undefined ? product : `${product} ${version}`
  const head = `${server}, ${topology}, ${plural(servers, 'server')}, ${ms(rttMs)} away, ${plural(clients, 'caller')}`
  const measured = rows.filter(({ error }) => error === undefined)
  return [paint('bold', head), '', table(COLUMNS, measured.map(cellsOf), paint)].join('\n')
}

function cellsOf({ title, throughput, latency }: BenchmarkRow): readonly string[] {
  if (throughput === undefined || latency === undefined) return [title]
  const { perSecond, rawPerSecond, ratio } = throughput
  const { rate, p50, p95, p99, p999, max } = latency
  const rates = [count(Math.round(perSecond)), count(Math.round(rawPerSecond)), ratio.toFixed(2), count(rate)]
  return [title, ...rates, ...[p50, p95, p99, p999, max].map(ms)]
}

const ms = (value: number): string => `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ms`
