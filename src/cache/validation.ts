import { type StandardSchema, validate } from '../base/schema.ts'
import type { LoadContext } from './load-context.ts'
import { isUnchanged } from './loading.ts'
import { inOrder, type Load, type LoadMany } from './options.ts'

/** A loader of one id whose answer fits; "not there" needs not. */
export function validLoad(schema: StandardSchema, id: string, load: Load<unknown>) {
  return async (context: LoadContext): Promise<unknown> => {
    const value = await load(id, context)
    // The stale value has been through the schema; what that made of it need not fit it again.
    return value === undefined || isUnchanged(context) ? value : validate(schema, id, value)
  }
}

/** A loader of many whose answers all fit: one that does not fails them all, as an error of the loader does. */
export function validLoadMany(schema: StandardSchema, loadMany: LoadMany<unknown>): LoadMany<unknown> {
  return async (ids, context) => {
    const values = inOrder(ids, await loadMany(ids, context))
    return Promise.all(
      values.map((value, i) => (value === undefined ? undefined : validate(schema, ids[i] as string, value))),
    )
  }
}
