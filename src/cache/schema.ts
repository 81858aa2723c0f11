import { createHash } from 'node:crypto'
import { ConfigError, ValueError } from '../base/errors.ts'

/**
 * What a schema of zod, valibot, ArkType and others is, as far as it is used here.
 *
 * source  Standard Schema 1.0 and Standard JSON Schema 1.0, standardschema.dev
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    /** Where the library offers it: the shape in words. */
    readonly jsonSchema?: {
      readonly output: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown>
    }
  }
}

/** What validating answers: a value, which may be another than the one that came (defaults, coercion), or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export function checkSchema(schema: unknown): StandardSchema | undefined {
  if (schema === undefined) return undefined
  const standard = (schema as Partial<StandardSchema> | null)?.['~standard']
  if (standard?.version !== 1 || typeof standard.validate !== 'function')
    throw new ConfigError('encoding.schema', 'a schema of a library that follows Standard Schema 1', schema)
  return schema as StandardSchema
}

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

/** What the schema makes of a value; VALUE_INVALID with the path when it does not fit. */
export async function validate(schema: StandardSchema, id: string, value: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const [first] = result.issues
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  const path = spellPath(first?.path)
  throw new ValueError(
    'VALUE_INVALID',
    path,
    `${first?.message ?? 'it does not fit'}${more}, in the value of '${id}'`,
    {
      issues: result.issues,
    },
  )
}

function spellPath(path: SchemaIssue['path'] = []): string {
  const keys = path.map((step) => (typeof step === 'object' ? step.key : step))
  return `$${keys.map((key) => (typeof key === 'number' ? `[${key}]` : /^\w+$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(String(key))}]`)).join('')}`
}
