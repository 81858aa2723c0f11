import { checkName } from './check.ts'
import { ConfigError } from './errors.ts'

/** The text of bound and built-in functions, which says nothing about what they do. */
const TEXTLESS = /\{\s*\[native code\]\s*\}$/

/** True when two sets of options mean the same; functions are the same when their text is, if they have one. */
export function sameOptions(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a === 'function' && typeof b === 'function') return String(a) === String(b) && !TEXTLESS.test(String(a))
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  for (const key of keys)
    if (!sameOptions((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false
  return true
}

/** The options that are not the same, as users spell them: `ttl`, `load`. */
function othersOf(first: unknown, second: unknown): string {
  const [a, b] = [first, second].map((given) => Object(given) as Dict) as [Dict, Dict]
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !sameOptions(a[key], b[key]))
  return names.map((name) => `\`${name}\``).join(', ')
}

type Dict = Readonly<Record<string, unknown>>

/** Things of one kind by name: the same name with the same options is the same thing, with others it is refused. */
export class Named<Thing, Options> {
  readonly #kind: string
  readonly #known = new Map<string, { readonly thing: Thing; readonly options: Options; readonly given: unknown }>()

  /** `kind`: what errors call it, such as `cache`. */
  constructor(kind: string) {
    this.#kind = kind
  }

  /**
   * options  resolved
   * given    as the user wrote them, for the error
   * throws   ConfigError for a wrong name, or when the name is in use with other options
   */
  get(name: string, options: Options, given: unknown, make: () => Thing): Thing {
    checkName('name', name)
    const known = this.#known.get(name)
    if (known === undefined) {
      const thing = make()
      this.#known.set(name, { thing, options, given })
      return thing
    }
    if (sameOptions(known.options, options)) return known.thing
    const others = othersOf(known.given, given)
    const first = `the options with which the ${this.#kind} '${name}' was made first`
    throw new ConfigError('options', others === '' ? first : `${first} (another ${others})`, given)
  }

  /** The name may be had anew, with other options too. */
  forget(name: string): void {
    this.#known.delete(name)
  }

  get all(): readonly Thing[] {
    return [...this.#known.values()].map(({ thing }) => thing)
  }

  /** What `of` answers for each, by name. */
  map<R>(of: (thing: Thing) => R): Map<string, R> {
    return new Map([...this.#known].map(([name, { thing }]) => [name, of(thing)]))
  }
}
