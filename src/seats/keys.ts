import type { Key, Keyspace } from '../redis/keyspace.ts'

/**
 * The keys of one event, all of one hash tag, so that they change in one step. None has a TTL: an event lasts until `remove()`.
 *
 *     {shop:seats:abc123}          hash    what is counted and agreed; `hold:<id>` each hold's record; `customer:<name>` seats he has
 *     {shop:seats:abc123}:map      string  one byte a seat, rows joined by '|'
 *     {shop:seats:abc123}:due      zset    hold field by the moment it ends, or is forgotten
 *     {shop:seats:abc123}:log      stream  one entry a change; its id is the version
 *     {shop:seats:abc123}:layout   string  sections, prices and limits as JSON
 */
export interface EventKeys {
  readonly event: Key
  readonly map: Key
  readonly due: Key
  readonly log: Key
  readonly layout: Key
}

export function eventKeys(keyspace: Keyspace, id: string): EventKeys {
  const event = keyspace.entity('seats', id)
  return {
    event,
    map: `${event}:map` as Key,
    due: `${event}:due` as Key,
    log: `${event}:log` as Key,
    layout: `${event}:layout` as Key,
  }
}

/** Where the event's doorbell rings. */
export const eventChannel = (keyspace: Keyspace, id: string): string => keyspace.channel('seats', id)

/** The keys of every event, as a pattern for ACL rules. */
export const eventPattern = (keyspace: Keyspace): string => `{${keyspace.stem('seats')}*`
export const channelPattern = (keyspace: Keyspace): string => `${keyspace.channel('seats', '')}*`

const HOLD = 'hold:'
const CUSTOMER = 'customer:'

/** A hold's field in the event; its name in `due` and in the log too. */
export const holdField = (id: string): string => HOLD + id
export const customerField = (customer: string): string => CUSTOMER + customer
export const holdOf = (field: string): string | undefined =>
  field.startsWith(HOLD) ? field.slice(HOLD.length) : undefined
export const customerOf = (field: string): string | undefined =>
  field.startsWith(CUSTOMER) ? field.slice(CUSTOMER.length) : undefined

/** The member of `due` that stays, so that the key always exists: while a slot moves, a missing key would stop the sale. */
export const DUE_SENTINEL = ''
