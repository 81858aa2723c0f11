import type { Duration } from '../../base/duration.ts'
import type { Figure, Outcome } from '../../verify/outcome.ts'
import { type VerifyResult, verify as verifyServers } from '../../verify/verify.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { onServers, type TrialFlags } from '../on-servers.ts'
import { plural, seconds } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'

export interface VerifyFlags extends TrialFlags {
  readonly only?: readonly string[] | undefined
  readonly quorum?: readonly string[] | undefined
  readonly namespace?: string | undefined
  readonly deadline?: Duration | undefined
}

/** Titles are as wide as the longest. */
const TITLE = 32

export async function verify(this: Context, flags: VerifyFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { json, only, quorum, namespace, deadline } = flags
  const signal = this.interruption.handle()
  const result = await onServers(this, flags, (connect) =>
    verifyServers({
      ...{ connect, signal },
      ...(only === undefined ? {} : { only }),
      ...(quorum === undefined ? {} : { servers: quorum }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(deadline === undefined ? {} : { deadline }),
      ...(json ? {} : { onOutcome: (outcome) => terminal.data(showOutcome(outcome, terminal.paint)) }),
    }),
  )
  if (json) terminal.json(result)
  else terminal.data(`\n${showSum(result, terminal.paint)}`)
  if (!json && result.left !== undefined)
    terminal.note(`Keys may be left in the namespace ${result.namespace}: ${result.left.code}: ${result.left.message}`)
  this.process.exitCode = result.crosses === 0 ? EXIT.ok : EXIT.failed
}

export function showOutcome(outcome: Outcome, paint: Paint): string {
  const title = outcome.title.padEnd(TITLE)
  switch (outcome.status) {
    case 'tick':
      return `${paint('green', '✓')} ${title} ${paint('dim', showFigure(outcome.figure))}`
    case 'skipped':
      return `${paint('yellow', '–')} ${title} ${paint('dim', outcome.reason)}`
    case 'cross': {
      const { code, message, expected, received, needs } = outcome.cross
      const lines = [
        `${paint('red', '✗')} ${title} ${printable(expected === undefined ? `${code}: ${message}` : message)}`,
      ]
      const below = (label: string, text: string) => `    ${paint('dim', label.padEnd(9))} ${printable(text)}`
      if (expected !== undefined) lines.push(below('expected', expected), below('received', received ?? ''))
      if (needs !== undefined) lines.push(below('grant', needs))
      return lines.join('\n')
    }
  }
}

function showFigure({ name, value, unit }: Figure): string {
  const rounded = value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toPrecision(value < 10 ? 2 : 3)
  return `${name} ${rounded}${unit === '' ? '' : ` ${unit}`}`
}

function showSum(
  { ticks, crosses, skipped, tookMs, removed, product, version, topology }: VerifyResult,
  paint: Paint,
): string {
  const kept = paint(crosses === 0 ? 'green' : 'red', `${plural(ticks, 'promise')} kept, ${crosses} broken`)
  const server = version === undefined ? product : `${product} ${version}`
  return `${kept}, ${skipped} not looked at, on ${server} (${topology}) in ${seconds(tookMs)}. ${plural(removed, 'key')} removed.`
}
