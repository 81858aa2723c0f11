/** Figures as people read them. */

export const count = (n: number): string => n.toLocaleString('en-US')

/** `1 slot`, `2 slots`. */
export const plural = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? '' : 's'}`

export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = n
  let unit = 0
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`

/** At most `width` characters. */
export const short = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const

/** How long: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`, rounded down. */
export function span(ms: number): string {
  const [unit, name] = UNITS.find(([least]) => ms >= least) ?? ([1, 'ms'] as const)
  return `${Math.floor(ms / unit)} ${name}`
}

/** A time that somebody chose, in the largest unit that it is a whole number of: `90 s`, `1 h`, `1500 ms`. */
export function exactly(ms: number): string {
  const [unit, name] = UNITS.find(([unit]) => ms >= unit && ms % unit === 0) ?? ([1, 'ms'] as const)
  return `${ms / unit} ${name}`
}
