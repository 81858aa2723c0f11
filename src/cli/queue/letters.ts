import { type Duration, toMs } from '../../base/duration.ts'
import type { DeadLetter, DeadSelection } from '../../queue/index.ts'

/** Which dead letters a verb means. */
export interface LetterFlags {
  readonly id?: readonly string[] | undefined
  readonly reason?: DeadLetter['reason'] | undefined
  readonly since?: Duration | undefined
  readonly match?: string | undefined
}

/** Those that fit all that was said. */
export function chosen({ id, reason, since, match }: LetterFlags): DeadSelection {
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : Date.now() - toMs(since, '--since')
  return {
    ...(id === undefined ? {} : { ids: id }),
    filter: (letter) =>
      (reason === undefined || letter.reason === reason) &&
      letter.diedAtMs >= fromMs &&
      (match === undefined || wordsOf(letter).some((words) => words.includes(match))),
  }
}

const wordsOf = ({ id, error, data }: DeadLetter): readonly string[] => [
  id,
  error === undefined ? '' : `${error.name}: ${error.message}`,
  asJson(data),
]

/** As it is shown; JSON has no bigint. */
export const asJson = (data: unknown): string =>
  JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)) ?? 'undefined'
