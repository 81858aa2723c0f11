import { createHash } from 'node:crypto'
import { ConfigError } from '../base/errors.ts'
import type { StandardSchema } from '../base/schema.ts'

/**
 * The shape of a cache's values as a short text, which each entry carries: '' for a cache without a schema.
 *
 * A Standard Schema does not tell its shape. So it is the `version` that the user gives, where he gives one; else the hash of the JSON
 * Schema of what the schema puts out, where its library offers that; else nothing is guessed, and a version is asked for.
 */
export function shapeOf(schema: StandardSchema | undefined, version: unknown): string {
  if (version !== undefined) {
    if (typeof version !== 'string' || version === '' || version.length > 512)
      throw new ConfigError('encoding.version', 'a text of 1 to 512 letters', version)
    return hash(`version ${version}`)
  }
  if (schema === undefined) return ''
  const { jsonSchema, vendor } = schema['~standard']
  const asks = (why: string) =>
    new ConfigError('encoding.version', `a text of your own that you change with the schema, since ${why}`, version)
  if (typeof jsonSchema?.output !== 'function') throw asks(`${vendor} offers no JSON Schema of it`)
  let shape: unknown
  try {
    shape = jsonSchema.output({ target: 'draft-2020-12' })
  } catch (error) {
    throw asks(`${vendor} has none (${(error as Error).message})`)
  }
  return hash(JSON.stringify(shape, sortKeys))
}

const hash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 12)

/** The order in which the fields of a schema were written is no part of its shape. */
function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
