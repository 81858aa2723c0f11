/** The command line, and what it means. */

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { SmtpOptions } from './mail/post.ts'
import type { RedisAddress } from './servers/address.ts'
import type { Layout } from './servers/ground.ts'

export interface Options {
  readonly port: number
  /** How many simulated buyers are about at once. */
  readonly crowd: number
  /** Where SQL is kept; undefined is in memory. */
  readonly dataDir: string | undefined
  /** A Postgres server for SQL; undefined is PGlite. */
  readonly databaseUrl: string | undefined
  /** Sends receipts; undefined keeps all of them as files. */
  readonly smtp: SmtpOptions | undefined
  /** Servers of the user's; undefined is private ones. */
  readonly redis: RedisAddress | undefined
  /** Which private ones. */
  readonly layout: Layout
  /** Break them meanwhile. */
  readonly storm: boolean
  readonly once: OnceOptions | undefined
  /** A CSV file of own events, instead of the invented nights. */
  readonly events: string | undefined
  /** Look at that file, and open nothing. */
  readonly check: boolean
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
  --events FILE   sell the events of a CSV file instead of the invented nights; what is wrong is told line by line,
                  and the good lines are sold. Columns: apps/box-office/own-events/README.md
    --check       only look at the file; exit code 1 when a line is wrong
  --keep          keep orders in ${KEPT_IN}; --data DIR for another place
  --once          sell one night and verify it
    --buyers N    how many buyers (2000)
    --seats N     how many seats, 300 to 2000 (1200)
    --seed N      another crowd (1)
    --processes N buyers in so many processes (1)
  --cluster       on a private Cluster of 3 primaries and 3 replicas
  --sentinel      on a private Sentinel group of a primary and 2 replicas
    --storm       meanwhile kill servers, stop them and fail over, one after the other
  --json          figures of --once as JSON
  --help          this

  REDIS_URL       use this server, Sentinel group, Cluster or shards, in a namespace of our own; else private
                  servers are started. Forms: redis://host, redis+sentinel://host,host/name,
                  redis+cluster://host,host, redis+shards://name=host,name=host
  DATABASE_URL    keep orders on this Postgres server, in a schema of our own (box_office; one that is removed at the end
                  with --once): postgres://user:password@host:port/database
  SMTP_URL        send receipts by this mail server: smtp://user:password@host:port; else they are files. MAIL_FROM says
                  who they are from, REPORTS_TO who is sent the nightly report. Not with --once
  REDIS_ADDRESS_MAP
                  where to reach servers that announce another address: announced=reached,announced=reached,
                  each a host or host:port
`

/** Thrown for a command line that is not understood: a message for the person, no stack. */
export class UsageError extends Error {}

export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const values = parse(args)
  const whole = (name: keyof typeof values & string, fallback: number, min: number, max: number) =>
    number(name, values[name] as string | undefined, fallback, min, max)
  const redis = addressIn(env)
  const databaseUrl = databaseIn(env, values)
  const layout = layoutOf(values, redis)
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
    databaseUrl,
    smtp: smtpIn(env),
    redis,
    layout,
    storm: stormOn(layout, values.storm ?? false),
    once: values.once ? once : undefined,
    events: eventsIn(values),
    check: values.check ?? false,
    json: values.json ?? false,
    help: values.help ?? false,
  }
}

/** An environment often has the name without a value. */
function addressIn(env: NodeJS.ProcessEnv): RedisAddress | undefined {
  const { REDIS_URL: url, REDIS_ADDRESS_MAP: map } = env
  if (!url) return undefined
  if (!map) return { url }
  const pairs = map.split(',').map((pair) => pair.trim().split('='))
  if (pairs.some((pair) => pair.length !== 2 || pair.some((side) => !/^[^\s/]+$/.test(side))))
    throw new UsageError(`REDIS_ADDRESS_MAP: expected announced=reached, separated by commas, received '${map}'`)
  return { url, addressMap: Object.fromEntries(pairs) }
}

function eventsIn({
  events,
  check,
  once,
}: {
  readonly events?: string
  readonly check?: boolean
  readonly once?: boolean
}): string | undefined {
  if (check && events === undefined) throw new UsageError('--check looks at the file of --events FILE')
  if (events === '') throw new UsageError("--events: expected a file, received ''")
  if (once && events !== undefined)
    throw new UsageError('--once sells a night of its own, and --events opens the shop: one of them')
  return events
}

function databaseIn(
  { DATABASE_URL: url }: NodeJS.ProcessEnv,
  { keep, data }: { readonly keep?: boolean; readonly data?: string },
): string | undefined {
  if (!url) return undefined
  // What came is not repeated: it may hold a password.
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError('DATABASE_URL: expected postgres://user:password@host:port/database')
  if (keep || data !== undefined)
    throw new UsageError(
      '--keep and --data keep orders here, and DATABASE_URL on a server: unset it, or leave them out',
    )
  return url
}

function smtpIn({ SMTP_URL: url, MAIL_FROM: from, REPORTS_TO: to }: NodeJS.ProcessEnv): SmtpOptions | undefined {
  if (!url) return undefined
  if (!/^smtps?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError('SMTP_URL: expected smtp://user:password@host:port')
  return { url, from: from || undefined, reportsTo: to || undefined }
}

function layoutOf(
  { cluster, sentinel }: { readonly cluster?: boolean; readonly sentinel?: boolean },
  redis: RedisAddress | undefined,
): Layout {
  if (cluster && sentinel) throw new UsageError('--cluster and --sentinel: one of them')
  const layout = cluster ? 'cluster' : sentinel ? 'sentinel' : 'server'
  if (layout !== 'server' && redis !== undefined)
    throw new UsageError(
      `--${layout} starts private servers, and REDIS_URL names others: unset it, or leave out --${layout}`,
    )
  return layout
}

function stormOn(layout: Layout, storm: boolean): boolean {
  if (storm && layout === 'server')
    throw new UsageError('--storm breaks private servers where others take over: with --cluster or --sentinel only')
  return storm
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
        cluster: { type: 'boolean' },
        sentinel: { type: 'boolean' },
        storm: { type: 'boolean' },
        events: { type: 'string' },
        check: { type: 'boolean' },
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
