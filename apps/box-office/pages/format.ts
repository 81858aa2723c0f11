/** Dates as they are said where the venue is. */

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${name}`
  let made = formats.get(key)
  if (made === undefined) {
    made = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone })
    formats.set(key, made)
  }
  return made
}

/** 'Friday 4 December 2026' */
export function longDate(at: Date, zone: string): string {
  return format(zone, 'long', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
    .format(at)
    .replace(',', '')
}

/** 'Fri 4 Dec' */
export function shortDate(at: Date, zone: string): string {
  return format(zone, 'short', { weekday: 'short', day: 'numeric', month: 'short' }).format(at).replace(',', '')
}

/** '19:30' */
export function clock(at: Date, zone: string): string {
  return format(zone, 'clock', { hour: '2-digit', minute: '2-digit' }).format(at)
}

/** '4 Dec, 19:30 UTC': what a server knows of a moment, where nobody told it of a zone. */
export function moment(at: Date): string {
  const day = format('UTC', 'day', { day: 'numeric', month: 'short' }).format(at)
  return `${day}, ${clock(at, 'UTC')} UTC`
}

/** '2026-12' and 'December 2026': the month in which it takes place there. */
export function monthOf(at: Date, zone: string): { readonly key: string; readonly label: string } {
  const parts = format(zone, 'month-key', { year: 'numeric', month: '2-digit' }).formatToParts(at)
  const get = (type: string) => parts.find((part) => part.type === type)?.value ?? ''
  return {
    key: `${get('year')}-${get('month')}`,
    label: format(zone, 'month', { month: 'long', year: 'numeric' }).format(at),
  }
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`
}

/** 'row 3, seat 7' of 'A-3-7'. */
export function seatName(id: string): string {
  const [section, row, seat] = id.split('-')
  return `Section ${section}, row ${row}, seat ${seat}`
}
