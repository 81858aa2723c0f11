import { createRequire } from 'node:module'
import { ConfigError } from '../base/errors.ts'

/** What is used of @opentelemetry/api. */
export type Api = Pick<typeof import('@opentelemetry/api'), 'context' | 'metrics' | 'trace'>

/** Looked up when it is asked for: who makes no spans and hands in a meter needs no package. */
export function loadApi(): Api {
  try {
    return createRequire(import.meta.url)('@opentelemetry/api') as Api
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
    throw new ConfigError(
      'tracer',
      'false and a meter, or the package @opentelemetry/api installed beside holdfast (npm install @opentelemetry/api)',
      undefined,
    )
  }
}
