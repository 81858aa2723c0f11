import { ConfigError, ValueError } from './errors.ts'

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

export function checkSchema(option: string, schema: unknown): StandardSchema | undefined {
  if (schema === undefined) return undefined
  const standard = (schema as Partial<StandardSchema> | null)?.['~standard']
  if (standard?.version !== 1 || typeof standard.validate !== 'function')
    throw new ConfigError(option, 'a schema of a library that follows Standard Schema 1', schema)
  return schema as StandardSchema
}

/** What the schema makes of a value; VALUE_INVALID with the path when it does not fit. `what`: whose value it is, for the message. */
export async function validate(schema: StandardSchema, what: string, value: unknown): Promise<unknown> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const [first] = result.issues
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : ''
  const path = spellPath(first?.path)
  throw new ValueError(
    'VALUE_INVALID',
    path,
    `${first?.message ?? 'it does not fit'}${more}, in the value of '${what}'`,
    {
      issues: result.issues,
    },
  )
}

function spellPath(path: SchemaIssue['path'] = []): string {
  const keys = path.map((step) => (typeof step === 'object' ? step.key : step))
  return `$${keys.map((key) => (typeof key === 'number' ? `[${key}]` : /^\w+$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(String(key))}]`)).join('')}`
}
