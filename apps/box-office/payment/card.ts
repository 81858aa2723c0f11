/** A card as it is typed. The number lives for one request, in memory, and is never stored, logged or printed. */

export interface CardInput {
  readonly number: string
  readonly expiry: string
  readonly cvc: string
}

export class Card {
  readonly brand: string
  readonly last4: string
  readonly #number: string

  constructor(digits: string) {
    this.#number = digits
    this.last4 = digits.slice(-4)
    this.brand = brandOf(digits)
  }

  /** For the provider alone. */
  reveal(): string {
    return this.#number
  }
}

export type CardProblem = { readonly field: keyof CardInput; readonly message: string }

/** The card, or what is wrong with what was typed. */
export function readCard(input: CardInput, now: Date): Card | CardProblem {
  const digits = input.number.replace(/[\s-]/g, '')
  if (!/^\d{12,19}$/.test(digits) || !passesLuhn(digits))
    return { field: 'number', message: 'This is not a card number.' }
  const expiry = /^\s*(\d{1,2})\s*\/\s*(?:20)?(\d{2})\s*$/.exec(input.expiry)
  const month = Number(expiry?.[1])
  if (expiry === null || month < 1 || month > 12) return { field: 'expiry', message: 'Write the expiry date as MM/YY.' }
  // Good to the end of its month, wherever in the world that is.
  if (Date.UTC(2000 + Number(expiry[2]), month, 2) < now.getTime())
    return { field: 'expiry', message: 'This card has expired.' }
  if (!/^\d{3,4}$/.test(input.cvc.trim())) return { field: 'cvc', message: 'The security code has 3 or 4 digits.' }
  return new Card(digits)
}

function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index])
    const doubled = index % 2 === 0 ? digit : digit * 2
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

function brandOf(digits: string): string {
  if (digits.startsWith('4')) return 'Visa'
  if (/^(5[1-5]|2[2-7])/.test(digits)) return 'Mastercard'
  if (/^3[47]/.test(digits)) return 'American Express'
  return 'Card'
}
