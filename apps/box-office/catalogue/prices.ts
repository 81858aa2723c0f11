/** Prices in the venue's currency: minor units, as that currency counts them (a yen has no hundredth). */

/** What one euro of our price list is there, roughly, and the step to which a price is rounded, in major units. */
const CURRENCIES: Record<string, { readonly rate: number; readonly step: number }> = {
  AED: { rate: 4, step: 5 },
  ARS: { rate: 1_500, step: 1_000 },
  AUD: { rate: 1.7, step: 1 },
  BRL: { rate: 6, step: 5 },
  CAD: { rate: 1.55, step: 1 },
  CHF: { rate: 1, step: 1 },
  CZK: { rate: 25, step: 10 },
  DKK: { rate: 7.46, step: 5 },
  EUR: { rate: 1, step: 0.5 },
  GBP: { rate: 0.86, step: 0.5 },
  HKD: { rate: 8.8, step: 10 },
  HUF: { rate: 400, step: 100 },
  INR: { rate: 95, step: 50 },
  ISK: { rate: 145, step: 100 },
  JPY: { rate: 165, step: 100 },
  KRW: { rate: 1_550, step: 1_000 },
  MXN: { rate: 20, step: 10 },
  NOK: { rate: 11.7, step: 5 },
  NZD: { rate: 1.85, step: 1 },
  PLN: { rate: 4.3, step: 5 },
  SEK: { rate: 11.2, step: 5 },
  SGD: { rate: 1.5, step: 1 },
  USD: { rate: 1.1, step: 0.5 },
  VND: { rate: 29_000, step: 10_000 },
  ZAR: { rate: 20, step: 10 },
}

/** In euros: the front, and what each level behind it costs of that. */
const FRONT = 118
const STEPS = [1, 0.68, 0.44, 0.29]

/** How many digits after the point the currency has. */
export function digitsOf(currency: string): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
}

/** One price a level, dearest first. `weight` moves them all. */
export function pricesFor(currency: string, levels: number, weight: number): readonly bigint[] {
  const { rate, step } = CURRENCIES[currency] ?? { rate: 1, step: 1 }
  const minor = 10 ** digitsOf(currency)
  return Array.from({ length: levels }, (_, level) => {
    const euros = FRONT * weight * (STEPS[Math.min(level, STEPS.length - 1)] ?? 1)
    return BigInt(Math.max(1, Math.round((euros * rate) / step)) * Math.round(step * minor))
  })
}

/** The same steps below a price of one's own: one price a level, in whole minor units. */
export function pricesBelow(front: bigint, levels: number): readonly bigint[] {
  return Array.from({ length: levels }, (_, level) => {
    const price = (front * BigInt(Math.round((STEPS[Math.min(level, STEPS.length - 1)] ?? 1) * 100))) / 100n
    return price > 0n ? price : 1n
  })
}

const formats = new Map<string, Intl.NumberFormat>()

/** For people: '€49.50', '¥8,200'. */
export function formatMoney(amount: bigint, currency: string): string {
  let format = formats.get(currency)
  if (format === undefined) {
    format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'narrowSymbol' })
    formats.set(currency, format)
  }
  const digits = digitsOf(currency)
  // Through text, so that no amount is rounded by a float on its way.
  const text = amount.toString().padStart(digits + 1, '0')
  const major = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
  return format.format(major as unknown as number)
}
