import { escapePart, type Key, type Keyspace } from '../redis/keyspace.ts'

/**
 * The keys of one log, all of one hash tag: a log lives on one server, different logs spread. For the log `orders` in the namespace `shop`:
 *
 *     {shop:log:orders}:entries                   stream  the entries; lasts, and is trimmed as told
 *     {shop:log:orders}:state                     hash    counters, and what is known of each group
 *     {shop:log:orders}:tokens:0, :1              hash    what was appended of late by which call; minutes
 *     {shop:log:orders}:ids:0, :1                 hash    the ids that callers gave; up to twice `dedupe`
 *     {shop:log:orders}:archiver                  string  who archives now; seconds, renewed
 *     {shop:log:orders}:group:mail:consumers      sorted  the leases of its consumers
 *     {shop:log:orders}:group:mail:retry          sorted  what waits for its next try
 *     {shop:log:orders}:group:mail:marks          hash    how often an entry failed
 *     {shop:log:orders}:group:mail:line           sorted  what waits for one before it of its key
 *     {shop:log:orders}:group:mail:dead           stream  what was given up; as long as `keepDead` says
 *     {shop:log:orders}:gone                      sorted  groups that were removed; a day and more
 *     shop:log:orders:bell                        channel there is something new
 */
export class LogKeys {
  readonly entries: Key
  readonly state: Key
  readonly recent: readonly Key[]
  readonly archiver: Key
  readonly gone: Key
  readonly channel: string
  readonly #tag: Key

  constructor(keyspace: Keyspace, name: string) {
    this.#tag = keyspace.entity('log', name)
    this.entries = this.#of('entries')
    this.state = this.#of('state')
    this.recent = ['tokens:0', 'tokens:1', 'ids:0', 'ids:1'].map((part) => this.#of(part))
    this.archiver = this.#of('archiver')
    this.gone = this.#of('gone')
    this.channel = keyspace.channel('log', name, 'bell')
  }

  group(group: string): GroupKeys {
    const of = (part: string) => this.#of(`group:${escapePart(group)}:${part}`)
    return { consumers: of('consumers'), retry: of('retry'), marks: of('marks'), dead: of('dead'), line: of('line') }
  }

  #of(part: string): Key {
    return `${this.#tag}:${part}` as Key
  }
}

/** What one group keeps beside the log. */
export interface GroupKeys {
  readonly consumers: Key
  readonly retry: Key
  readonly marks: Key
  readonly dead: Key
  readonly line: Key
}

/** The keys of every log, as a pattern for ACL rules. */
export const logPattern = (keyspace: Keyspace): string => `{${keyspace.stem('log')}*`

/** The bells of every log, as a pattern for ACL rules. */
export const bellPattern = (keyspace: Keyspace): string => `${keyspace.channel('log', '')}*`
