/**
 * What must be the same in every process that uses a stream: with another number of shards jobs are looked for elsewhere, with another bound
 * of groups their order is lost. It stands behind the lanes in the layout of each shard, as `stream:3:1`.
 */
export interface Shape {
  /** How jobs wait: by lanes of a stream, or by exact ranks. */
  readonly mode: 'stream' | 'priority'
  readonly shards: number
  /** Jobs of one group that may run at the same time. */
  readonly groupConcurrency: number
}

/** In the place of a shape while it is being changed: no process has it, so none uses the stream. */
export const CHANGING = 'changing:0:0'

export const writeShape = ({ mode, shards, groupConcurrency }: Shape): string => `${mode}:${shards}:${groupConcurrency}`

/** The shape that a layout ends with; '' for none. */
export const shapeIn = (layout: string): string => /(?:^|,)([a-z]+:\d+:\d+)$/.exec(layout)?.[1] ?? ''

/** Undefined where there is none, or it is being changed. */
export function readShape(text: string): Shape | undefined {
  const [mode, shards, groupConcurrency] = text.split(':')
  if (mode !== 'stream' && mode !== 'priority') return undefined
  return { mode, shards: Number(shards), groupConcurrency: Number(groupConcurrency) }
}

export interface ShapeDifference {
  readonly option: keyof Shape
  readonly stored: string
  readonly told: string | number
}

/** The first option in which two shapes differ. */
export function differenceOf(stored: string, told: string): ShapeDifference {
  const mine = readShape(told) as Shape
  const there = readShape(stored)
  if (there === undefined) return { option: 'mode', stored: 'none yet: it is being changed', told: mine.mode }
  const option = (['mode', 'shards', 'groupConcurrency'] as const).find((one) => there[one] !== mine[one]) ?? 'mode'
  return { option, stored: JSON.stringify(there[option]), told: mine[option] }
}
