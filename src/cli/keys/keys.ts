import { type FoundKeys, findKeys, type NamespaceSurvey, surveyNamespace } from '../../ops/namespace/index.ts'
import type { Context } from '../context.ts'
import { connectOptions } from '../flags.ts'
import { bytes, count, plural, span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import type { SpaceFlags } from '../with-holdfast.ts'

export interface KeysFlags extends SpaceFlags {
  readonly limit?: number | undefined
}

export async function keys(this: Context, flags: KeysFlags, kind?: string, ...names: string[]): Promise<void> {
  const terminal = this.terminal(flags)
  const { json, limit = 100, namespace = 'hf' } = flags
  const place = { timeout: '2s', ...connectOptions(this, flags), namespace } as const
  if (kind === undefined) {
    const survey = await surveyNamespace(place)
    return json ? terminal.json(survey) : terminal.data(showSurvey(survey, terminal.paint))
  }
  const found = await findKeys({ ...place, kind, names, limit })
  if (json) return terminal.json(found)
  terminal.data(showFound(found, terminal.paint))
  if (!found.complete) terminal.note(`There may be more: the search ended with --limit ${limit}.`)
}

export function showSurvey({ namespace, keys, kinds, unknown }: NamespaceSurvey, paint: Paint): string {
  const strange = unknown === 0 ? [] : ['', paint('yellow', unknownOf(unknown))]
  const head = `${paint('bold', printable(namespace))}: ${plural(keys, 'key')}`
  if (kinds.length === 0) return [head, ...strange].join('\n')
  const columns = [{ title: 'KIND' }, { title: 'NAME' }, { title: 'KEYS', align: 'right' as const }]
  const rows = kinds.map((one) => [one.kind, printable(one.name ?? ''), count(one.keys)])
  return [head, '', table(columns, rows, paint), ...strange].join('\n')
}

export const unknownOf = (unknown: number): string =>
  `Beside these, ${plural(unknown, 'key')} of no kind that this version makes: not touched.`

function showFound({ kind, names, key, slot, keys: found }: FoundKeys, paint: Paint): string {
  const what = printable([kind, ...names].join(' '))
  const at = key === undefined ? '' : ` is ${paint('bold', key)}, slot ${slot}`
  const head = `${what}${at}: ${plural(found.length, 'key')}`
  if (found.length === 0) return head
  const isSpread = new Set(found.map(({ server }) => server)).size > 1
  const columns = [
    ...[{ title: 'KEY' }, { title: 'TYPE' }, { title: 'ENDS IN', align: 'right' as const }],
    ...[{ title: 'MEMORY', align: 'right' as const }, { title: 'SERVER' }],
  ]
  const rows = found.map((one) => [
    printable(one.key),
    one.type,
    one.endsInMs === undefined ? 'never' : span(one.endsInMs),
    one.bytes === undefined ? '' : bytes(one.bytes),
    isSpread ? one.server : '',
  ])
  return [head, '', table(columns, rows, paint)].join('\n')
}
