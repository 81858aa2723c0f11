/** The command line, and what it means. */

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface Options {
  readonly port: number
  /** How many simulated buyers are about at once. */
  readonly crowd: number
  /** Where SQL is kept; undefined is in memory. */
  readonly dataDir: string | undefined
  readonly redisUrl: string | undefined
  readonly once: OnceOptions | undefined
  readonly json: boolean
  readonly help: boolean
}

export interface OnceOptions {
  readonly buyers: number
  readonly seats: number
  readonly seed: number
  readonly processes: number
}

/** Beside the built application, not in it: a new build empties its folder. */
const KEPT_IN = '.build/box-office-data'

export const HELP = `The box office: a ticket shop on Holdfast.

  npm start                       the shop, with a crowd of simulated buyers
  npm start -- --once             one sale to the end, verified; exit code 0 or 1

  --port N        the first port to try (4600)
  --crowd N       simulated buyers at once (24); --no-crowd for none
  --keep          keep orders in ${KEPT_IN}; --data DIR for another place
  --once          sell one night and verify it
    --buyers N    how many buyers (2000)
    --seats N     how many seats, 300 to 2000 (1200)
    --seed N      another crowd (1)
    --processes N buyers in so many processes (1)
  --json          figures of --once as JSON
  --help          this

  REDIS_URL       use this server, in a namespace of our own; else a private one is started
`

/** Thrown for a command line that is not understood: a message for the person, no stack. */
export class UsageError extends Error {}

export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const values = parse(args)
  const whole = (name: keyof typeof values & string, fallback: number, min: number, max: number) =>
    number(name, values[name] as string | undefined, fallback, min, max)
  const once: OnceOptions = {
    buyers: whole('buyers', 2_000, 1, 100_000),
    seats: whole('seats', 1_200, 300, 2_000),
    seed: whole('seed', 1, 0, 2 ** 31),
    processes: whole('processes', 1, 1, 16),
  }
  return {
    port: whole('port', 4_600, 0, 65_000),
    crowd: values['no-crowd'] ? 0 : whole('crowd', 24, 0, 500),
    dataDir: values.data ?? (values.keep ? resolve(KEPT_IN) : undefined),
    redisUrl: env.REDIS_URL === '' ? undefined : env.REDIS_URL,
    once: values.once ? once : undefined,
    json: values.json ?? false,
    help: values.help ?? false,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        crowd: { type: 'string' },
        'no-crowd': { type: 'boolean' },
        keep: { type: 'boolean' },
        data: { type: 'string' },
        once: { type: 'boolean' },
        buyers: { type: 'string' },
        seats: { type: 'string' },
        seed: { type: 'string' },
        processes: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function number(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}, received '${text}'`)
  return value
}
