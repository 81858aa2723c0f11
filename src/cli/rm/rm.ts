import { removeNamespace, surveyNamespace } from '../../ops/namespace/index.ts'
import type { Context } from '../context.ts'
import { connectOptions, type ServerFlags } from '../flags.ts'
import { showSurvey } from '../keys/keys.ts'
import { count, plural } from '../terminal/figures.ts'
import { printable } from '../terminal/printable.ts'

export interface RemoveFlags extends ServerFlags {
  readonly namespace: string
  readonly yes: boolean
}

export async function rm(this: Context, flags: RemoveFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { json, namespace, yes } = flags
  const signal = this.interruption.handle()
  const place = { timeout: '2s', ...connectOptions(this, flags), namespace, signal } as const
  const survey = await surveyNamespace(place)
  if (!yes) {
    if (json) return terminal.json({ ...survey, removed: 0 })
    terminal.data(showSurvey(survey, terminal.paint))
    return terminal.note(survey.keys === 0 ? 'There is nothing to remove.' : 'Nothing was removed; --yes removes them.')
  }
  const { removed } = await removeNamespace({
    ...place,
    onProgress: (gone) =>
      terminal.progress(`removing keys: ${count(gone)} of ${count(survey.keys)}`, gone >= survey.keys),
  })
  if (json) terminal.json({ ...survey, removed })
  else terminal.data(`Removed ${plural(removed, 'key')} of ${printable(namespace)}.`)
}
