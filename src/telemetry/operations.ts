import { HoldfastError } from '../base/errors.ts'

/** One operation, as its channel `tracing:holdfast:<name>` tells of it. */
export interface OperationFacts {
  /** The field that names what it was done to: a cache, a lock. Ids are never labels. */
  readonly subject: string
  /** The words of `outcome`; beside them those of errors, and `done` where it says nothing. */
  readonly outcomes: readonly string[]
  readonly what: string
}

const of = (subject: string, outcomes: string, what: string): OperationFacts => ({
  subject,
  outcomes: outcomes === '' ? [] : outcomes.split(' '),
  what,
})

/** Every operation that reports. The table in docs/telemetry.md is made of it, and a test holds it to the sources. */
export const OPERATIONS: Readonly<Record<string, OperationFacts>> = {
  'cache.get': of('cache', 'hit stale miss joined request without-redis', 'One value; a hit in memory is counted only'),
  'cache.getMany': of('cache', 'hit partial miss', 'Many values'),
  'cache.peek': of('cache', 'hit stale request miss', 'One value, without a load'),
  'cache.set': of('cache', '', 'A value is written, and persisted where the cache does so'),
  'cache.delete': of('cache', '', 'A value is removed'),
  'cache.refresh': of('cache', '', 'A value is loaded anew'),
  'cache.mutate': of('cache', '', 'A change of the system of record, with its entries closed'),
  'cache.warm': of('cache', '', 'Many rows are written in batches'),
  'cache.invalidateTag': of('cache', '', 'Values of a tag become stale'),
  'cache.invalidatePattern': of('cache', '', 'Values of a pattern are removed'),
  'cache.clear': of('cache', '', 'All values are removed'),
  'lock.acquire': of('lock', 'held', 'A lock or permit is waited for'),
  'lock.tryAcquire': of('lock', 'held taken', 'A lock or permit is taken if it is free'),
  'lock.run': of('lock', 'done', 'Work under a lock or permit, with the wait for it'),
  'lock.once': of('', 'run done pending failed conflict', 'Work that is done once in the fleet, or the wait for it'),
  'limit.consume': of('limiter', 'allowed refused blocked', 'A turn is asked for; `source` says who answered'),
  'limit.peek': of('limiter', 'allowed refused blocked', 'What a turn would be answered'),
  'limit.refund': of('limiter', '', 'A cost is taken back'),
  'limit.block': of('limiter', '', 'An id is blocked or freed'),
  'limit.reset': of('limiter', '', 'An id is forgotten'),
  'session.create': of('sessions', 'session taken', 'A session begins'),
  'session.load': of('sessions', 'session gone', 'A session is read and kept alive'),
  'session.update': of('sessions', 'session gone too-large', 'Fields of a session are changed'),
  'session.regenerate': of('sessions', 'session superseded gone', 'A session gets another id'),
  'session.destroy': of('sessions', 'destroyed gone', 'A session ends'),
  'session.listFor': of('sessions', '', "A user's sessions are listed"),
  'session.revoke': of('sessions', '', 'One session of a user ends'),
  'session.revokeAll': of('sessions', '', 'All sessions of a user end'),
  'value.get': of('value', '', 'A value is read'),
  'value.set': of('value', '', 'A value is written'),
  'value.delete': of('value', '', 'A value ends'),
  'value.update': of('value', 'written left', 'A value is compared and set'),
  'value.log': of('value', '', "A value's log is read"),
  'queue.add': of('queue', '', 'A job is added'),
  'queue.take': of('queue', 'taken none', 'A job is taken, if there is one'),
  'queue.process': of('queue', '', 'A handler works on a job'),
  'log.append': of('log', '', 'Events are appended'),
  'log.read': of('log', '', 'Events are read'),
  'analytics.read': of('analytics', '', 'Figures of a site are read'),
  'geo.add': of('geo', '', 'Places are put'),
  'geo.remove': of('geo', '', 'Places are removed'),
  'geo.nearby': of('geo', '', 'Places that are near are looked for'),
  'seats.create': of('event', 'created exists', 'An event is opened'),
  'seats.hold': of('event', 'held taken limit invalid no-event paused', 'Seats are held'),
  'seats.confirm': of('event', 'confirmed expired gone paused', 'A hold is sold'),
  'seats.release': of('event', 'released expired sold gone', 'A hold ends'),
  'seats.map': of('event', 'open paused no-event', 'The map is read'),
  'seats.counts': of('event', 'open paused no-event', 'The counts are read'),
  'seats.verify': of('event', 'ok problems', 'An event is verified'),
  'seats.pause': of('event', 'set same no-event', 'An event is paused or opened'),
  'seats.remove': of('event', 'removed no-event', 'An event is removed'),
  'breaker.run': of('breaker', 'succeeded failed refused left', 'A call behind a breaker'),
  'monitor.record': of('', 'written kept', 'Metrics are added'),
  'monitor.stats': of('metric', '', 'A metric is read'),
}

/** How a call ended, in one word of a small set: for one that threw, the code of an error of ours, `error` for any other. */
export function outcomeOf({ outcome, error }: { readonly outcome?: unknown; readonly error?: unknown }): string {
  if (error !== undefined) return error instanceof HoldfastError ? error.code : 'error'
  return typeof outcome === 'string' ? outcome : 'done'
}
