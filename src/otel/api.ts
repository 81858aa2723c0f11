import { createRequire } from 'node:module'
import { ConfigError } from '../base/errors.ts'

/** What is used of @opentelemetry/api where no tracer or meter is handed in. */
export type Api = Pick<typeof import('@opentelemetry/api'), 'trace' | 'metrics'>

/** Its global providers, looked up when they are asked for: who hands in his own needs no package. */
export function loadApi(): Api {
  try {
    return createRequire(import.meta.url)('@opentelemetry/api') as Api
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
    throw new ConfigError(
      'tracer',
      'a tracer and a meter, or the package @opentelemetry/api installed beside holdfast (npm install @opentelemetry/api)',
      undefined,
    )
  }
}
