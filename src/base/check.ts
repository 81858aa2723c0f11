import { ConfigError } from './errors.ts'

/** Small checks of options at construction: each answers the value, or throws a ConfigError that names the option. */

export function checkInteger(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
    throw new ConfigError(option, `a whole number of ${min} to ${max}`, value)
  return value
}

export function checkFraction(option: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1))
    throw new ConfigError(option, 'a number of 0 to 1', value)
  return value
}

export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new ConfigError(option, 'true or false', value)
  return value
}

export function checkFunction<T extends (...args: never[]) => unknown>(
  option: string,
  value: T | undefined,
): T | undefined {
  if (value !== undefined && typeof value !== 'function') throw new ConfigError(option, 'a function', value)
  return value
}

export function checkOneOf<T extends string>(option: string, value: unknown, choices: readonly T[]): T {
  if (!choices.includes(value as T))
    throw new ConfigError(option, choices.map((choice) => `'${choice}'`).join(' or '), value)
  return value as T
}

/** A name that a user gives to a thing: any string, also the empty one, up to 512 bytes. */
export function checkName(option: string, value: unknown): string {
  if (typeof value !== 'string' || value.length > 512 || Buffer.byteLength(value) > 512)
    throw new ConfigError(option, 'a string of at most 512 bytes', value)
  return value
}

/** A name that crosses the wire as text: of half characters (lone surrogates) each would be the same U+FFFD, and so two names one. */
export function checkText(option: string, value: unknown): string {
  const name = checkName(option, value)
  // Of Node 20, and not yet of its types.
  if (!(name as string & { isWellFormed(): boolean }).isWellFormed())
    throw new ConfigError(option, 'text without half a character (a lone surrogate)', name)
  return name
}

/** By what it can do and not by its class: that of another realm (vm, jsdom) is one too. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined
  const { aborted, addEventListener, throwIfAborted } = (signal ?? {}) as Partial<AbortSignal>
  const isSignal = typeof addEventListener === 'function' && typeof throwIfAborted === 'function'
  if (typeof aborted !== 'boolean' || !isSignal) throw new ConfigError('signal', 'an AbortSignal', signal)
  return signal as AbortSignal
}

/** Whether a filter of the user's, or none, chooses a value. An async one would choose them all: a promise is as good as true. */
export function isChosen<T>(filter: ((value: T) => unknown) | undefined, value: T): boolean {
  if (filter === undefined) return true
  const answer = filter(value)
  if (typeof (answer as PromiseLike<unknown> | undefined | null)?.then === 'function')
    throw new ConfigError('filter', 'a function that answers at once', answer)
  return Boolean(answer)
}

/** Refuses options that do not exist: a misspelt name would otherwise be a default that nobody chose. */
export function checkKnown(where: string, options: unknown, known: readonly string[]): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ConfigError(where || 'options', 'an object of options', options)
  for (const name of Object.keys(options))
    if (!known.includes(name)) {
      const near = known.find((one) => isNear(name, one))
      const hint = near === undefined ? '' : ` (did you mean ${near}?)`
      const expected = `an option that exists${hint}: one of ${known.join(', ')}`
      throw new ConfigError(where === '' ? name : `${where}.${name}`, expected, name)
    }
}

/** True for one letter too few, too many or another, or two that changed places; whatever their case. */
function isNear(one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()]
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  let end = 0
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  if (left.length <= 1 && right.length <= 1) return true
  return left.length === 2 && left === `${right[1]}${right[0]}`
}
