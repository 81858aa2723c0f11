import { existsSync, readFileSync } from 'node:fs'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, HoldfastError } from '../base/errors.ts'
import type { AddressMap } from '../redis/address.ts'
import type { Context } from './context.ts'

export interface OutputFlags {
  readonly json: boolean
  readonly color: boolean
}

export const outputFlags = {
  json: { kind: 'boolean', brief: 'One JSON document on stdout', default: false, withNegated: false },
  color: { kind: 'boolean', brief: 'Colours on a terminal', default: true },
} as const

export interface ServerFlags extends OutputFlags {
  readonly url?: string | undefined
  readonly addressMap?: AddressMap | undefined
  readonly timeout?: Duration | undefined
}

const text = (words: string) => words

export const serverFlags = {
  url: { kind: 'parsed', parse: text, brief: 'Address of the servers. Default: REDIS_URL', optional: true },
  addressMap: {
    kind: 'parsed',
    parse: parseAddressMap,
    brief: 'Where announced addresses are: 172.30.0.0/24=127.0.0.1, JSON, or a file of it',
    placeholder: 'map',
    optional: true,
  },
  timeout: {
    kind: 'parsed',
    parse: parseDuration('--timeout'),
    brief: 'How long a server may take for an answer. Default: 2s',
    placeholder: 'duration',
    optional: true,
  },
  ...outputFlags,
} as const

/** What a verb that changes servers takes beside. */
export interface ChangeFlags {
  readonly dryRun: boolean
  readonly yes: boolean
}

export const changeFlags = {
  dryRun: { kind: 'boolean', brief: 'Say what would be done, and do nothing', default: false, withNegated: false },
  yes: { kind: 'boolean', brief: 'Do it, also where something is lost', default: false, withNegated: false },
} as const

export function parseDuration(option: string): (words: string) => Duration {
  return (words) => toMs((/^\d+$/.test(words) ? Number(words) : words) as Duration, option)
}

export function parseInteger(option: string, min: number, max: number): (words: string) => number {
  return (words) => {
    const value = /^-?\d{1,9}$/.test(words) ? Number(words) : Number.NaN
    if (!(value >= min && value <= max)) throw new ConfigError(option, `a whole number of ${min} to ${max}`, words)
    return value
  }
}

/** `from=to,from=to`, a JSON object, or the name of a file that holds one. */
export function parseAddressMap(words: string): AddressMap {
  if (words.trimStart().startsWith('{')) return fromJson(words, 'the text itself')
  if (words.includes('=')) {
    const pairs = words.split(',').map((pair) => pair.split('=').map((side) => side.trim()))
    for (const pair of pairs)
      if (pair.length !== 2 || pair.includes('')) throw new ConfigError('--address-map', FORMS, words)
    return Object.fromEntries(pairs)
  }
  if (!existsSync(words)) throw new ConfigError('--address-map', FORMS, words)
  return fromJson(readFileSync(words, 'utf8'), words)
}

const FORMS = "announced=real pairs such as '172.30.0.0/24=127.0.0.1', a JSON object, or a file that holds one"

function fromJson(json: string, where: string): AddressMap {
  try {
    const map: unknown = JSON.parse(json)
    if (typeof map === 'object' && map !== null && !Array.isArray(map)) return map as AddressMap
  } catch {
    // Said below.
  }
  throw new ConfigError('--address-map', `a JSON object of texts in ${where}`, json)
}

/** Where the servers are and how to log in. A flag stands above the environment. A password is never a flag: others see those. */
export function connectOptions(
  { env }: Pick<Context, 'env'>,
  { url, addressMap, timeout }: Omit<ServerFlags, keyof OutputFlags>,
) {
  const where = url ?? env.REDIS_URL
  if (!where) throw new ConfigError('--url', 'an address here or in REDIS_URL, such as redis://127.0.0.1:6379', 'none')
  const map = addressMap ?? (env.HOLDFAST_ADDRESS_MAP ? parseAddressMap(env.HOLDFAST_ADDRESS_MAP) : undefined)
  return {
    url: where,
    ...(map === undefined ? {} : { addressMap: map }),
    ...(env.HOLDFAST_PASSWORD ? { password: env.HOLDFAST_PASSWORD } : {}),
    ...(timeout === undefined ? {} : { timeout }),
  }
}

/** Refuses what loses something, unless it was said that it may. */
export function confirm(verb: string, what: string, { yes }: Pick<ChangeFlags, 'yes'>): void {
  if (!yes) throw new HoldfastError('CHANGE_REFUSED', `${verb}: ${what}; --yes does it, --dry-run shows it`)
}
