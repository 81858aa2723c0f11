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
