import { type Application, ArgumentParseError, buildApplication, buildRouteMap, text_en } from '@stricli/core'
import { HoldfastError } from '../base/errors.ts'
import { benchCommand } from './bench/command.ts'
import { clusterVerbs } from './cluster/verbs.ts'
import type { Context } from './context.ts'
import { exitCodeOf, explain } from './exit.ts'
import { keysCommand } from './keys/command.ts'
import { limitVerbs } from './limit/verbs.ts'
import { lockVerbs } from './lock/verbs.ts'
import { metricsCommand } from './metrics/command.ts'
import { queueVerbs } from './queue/verbs.ts'
import { rmCommand } from './rm/command.ts'
import { sessionVerbs } from './session/verbs.ts'
import { shardsVerbs } from './shards/verbs.ts'
import { statsCommand } from './stats/command.ts'
import { upCommand } from './up/command.ts'
import { verifyCommand } from './verify/command.ts'

/** The whole command line. What a verb does is loaded when it is called. */
export function buildApp(version: string): Application<Context> {
  const root = buildRouteMap({
    routes: {
      ...{ up: upCommand, verify: verifyCommand, bench: benchCommand, cluster: clusterVerbs, shards: shardsVerbs },
      ...{ lock: lockVerbs, limit: limitVerbs, session: sessionVerbs, queue: queueVerbs },
      ...{ stats: statsCommand, metrics: metricsCommand, keys: keysCommand, rm: rmCommand },
    },
    docs: {
      brief: 'Everything an application does with Redis or Valkey.',
      fullDescription: `Everything an application does with Redis or Valkey, by hand.

Results go to stdout, everything else to stderr. --json makes results one JSON document.
Exit codes: 0 ok, 1 failed, 2 usage, 3 no server or not let in, 4 refused, 5 done in part, 130 interrupted.
Environment: REDIS_URL, HOLDFAST_PASSWORD, HOLDFAST_ADDRESS_MAP, NO_COLOR.`,
    },
  })
  return buildApplication(root, {
    name: 'holdfast',
    versionInfo: { currentVersion: version },
    // Behind `--` a word is an argument, whatever it begins with: references of sessions may begin with a dash.
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
    documentation: { caseStyle: 'convert-camel-to-kebab', onlyRequiredInUsageLine: true },
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: (error) => explain(error),
        // Ours name the flag and what came themselves.
        exceptionWhileParsingArguments(error, ansi) {
          const own = error instanceof ArgumentParseError && error.exception instanceof HoldfastError
          return own ? explain(error.exception) : text_en.exceptionWhileParsingArguments.call(this, error, ansi)
        },
      },
    },
    determineExitCode: exitCodeOf,
  })
}
