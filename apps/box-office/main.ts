/** `npm start`: reads the command line, opens the shop or sells one night, and ends cleanly. */

import { once } from 'node:events'
import { HoldfastError } from 'holdfast'
import { NoDatabaseError } from './database/database.ts'
import type { House } from './house.ts'
import { HELP, type Options, readOptions, UsageError } from './options.ts'
import { UnreadableFileError } from './own-events/read.ts'
import { takeEvents } from './own-events/report.ts'
import { runOnce } from './sale/once.ts'
import { printSummary } from './sale/summary.ts'
import { runWorker, WORKER_ARGUMENT } from './sale/worker.ts'
import { openShop } from './shop.ts'

/** Answers the exit code. */
async function serve(options: Options): Promise<number> {
  const closing = askedToClose()
  let refused = 0
  const shop = await openShop({
    port: options.port,
    crowd: options.crowd,
    redis: options.redis,
    layout: options.layout,
    dataDir: options.dataDir,
    databaseUrl: options.databaseUrl,
    smtp: options.smtp,
    ...(options.events === undefined
      ? {}
      : {
          fill: async (house: House) => {
            const loaded = await takeEvents(options.events as string, house.db, closing)
            if (loaded.added + loaded.repeated === 0) throw new UnreadableFileError('No line of the file can be sold.')
            refused = loaded.refused
            await house.catalogue.allChanged()
          },
        }),
    onFault: quietly(),
    ...(options.storm ? { onStorm: (what: string) => console.log(`  ${what}`) } : {}),
  })
  console.log(`
  The box office is open:  ${shop.url}

  Seats in       ${shop.house.server}
  Orders in      ${ordersIn(options)}
  Receipts       ${options.smtp === undefined ? 'as files (SMTP_URL sends them)' : 'by the mail server of SMTP_URL, to who told an address'}
  The crowd      ${options.crowd === 0 ? 'nobody (--crowd N)' : `${options.crowd} simulated buyers (--no-crowd for none)`}

  Try            open one event in two windows and watch seats turn
                 hold seats, pay with 4242 4242 4242 4242, any date and code
                 ${shop.url}/status for live figures
                 npm start -- --once for one sale to the end, verified
                 npm start -- --cluster --storm to break servers meanwhile

  Ctrl-C closes everything.
`)
  if (!closing.aborted) await once(closing, 'abort')
  console.log('Closing.')
  await shop.stop()
  return refused > 0 ? 1 : 0
}

function ordersIn({ databaseUrl, dataDir }: Options): string {
  if (databaseUrl !== undefined) return 'the Postgres server of DATABASE_URL, schema box_office'
  return dataDir === undefined ? 'PGlite, in memory (--keep keeps them)' : `PGlite, kept in ${dataDir}`
}

/** The first signal asks to close; a second one does not wait. */
function askedToClose(): AbortSignal {
  const asked = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (asked.signal.aborted) process.exit(INTERRUPTED)
      asked.abort(new Interrupted())
    })
  return asked.signal
}

class Interrupted extends Error {}
const INTERRUPTED = 130

/** Faults go to stderr, the same one at most once a second: a server that is away is not a flood of lines. */
function quietly(): (error: unknown, what: string) => void {
  const last = new Map<string, number>()
  return (error, what) => {
    const text = error instanceof Error ? error.message : String(error)
    const now = Date.now()
    if (now - (last.get(text) ?? 0) < 1_000) return
    if (last.size > 100) last.clear()
    last.set(text, now)
    console.error(`box office: ${what}: ${text}`)
  }
}

async function main(): Promise<number> {
  if (process.argv[2] === WORKER_ARGUMENT && process.send !== undefined) {
    await runWorker()
    return 0
  }
  const options = readOptions(process.argv.slice(2), process.env)
  if (options.help) {
    process.stdout.write(HELP)
    return 0
  }
  if (options.check && options.events !== undefined) {
    const { refused, added } = await takeEvents(options.events, undefined, askedToClose())
    return refused > 0 || added === 0 ? 1 : 0
  }
  if (options.once === undefined) return serve(options)
  const summary = await runOnce({
    ...options.once,
    redis: options.redis,
    databaseUrl: options.databaseUrl,
    layout: options.layout,
    ...(options.storm ? { onStorm: (what: string) => console.error(`· ${what}`) } : {}),
    onFault: quietly(),
    signal: askedToClose(),
    onProgress: (what) => process.stderr.isTTY && console.error(`· ${what}`),
  })
  if (options.json) console.log(JSON.stringify(summary, null, 2))
  else printSummary(summary)
  return summary.ok ? 0 : 1
}

/** The address may come from a variable that nobody has in mind. */
function fromEnvironment(): string {
  return process.env.REDIS_URL ? '\nThe address is that of REDIS_URL; without it a private server is started.' : ''
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    if (error instanceof Interrupted) {
      process.exitCode = INTERRUPTED
      return
    }
    if (error instanceof UsageError) console.error(`${error.message}\n\n${HELP}`)
    else if (error instanceof HoldfastError) console.error(`box office: ${error.message}${fromEnvironment()}`)
    else if (error instanceof NoDatabaseError || error instanceof UnreadableFileError)
      console.error(`box office: ${error.message}`)
    else console.error(error)
    process.exitCode = error instanceof UsageError ? 2 : 1
  },
)
