export { ValueConflictError } from './errors.ts'
export type { ValueLogEntry } from './inspect.ts'
export type { LogOptions, UpdateOptions, ValueCallOptions, ValueOptions, ValueSetOptions } from './options.ts'
export { Value } from './value.ts'
