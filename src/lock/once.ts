import { backoffMs } from '../base/backoff.ts'
import { monotonicMs, sleep } from '../base/clock.ts'
import { decode, encode } from '../base/codec.ts'
import { randomId } from '../base/id.ts'
import { Observed } from '../base/observe.ts'
import type { Key } from '../redis/keyspace.ts'
import { isOutage } from '../redis/redis.ts'
import { LockLostError, LockTimeoutError, OnceConflictError, OnceFailedError, type OnceFailure } from './errors.ts'
import { Hold } from './hold.ts'
import { inboxPrefix, lockKey } from './keys.ts'
import { type BeginOnceReply, beginOnceScript, finishOnceScript, renewOnceScript } from './lua.generated.ts'
import { momentNow } from './moment.ts'
import { type CheckedOnce, checkLockName, checkOnce, type OnceOptions, type Term } from './options.ts'
import type { Renewal, Renewer, Tell } from './renewer.ts'
import type { Holdable } from './resource.ts'
import type { LockRoom } from './room.ts'

/** Who waits for a result looks for it this often, should the message be lost or whoever runs it die. */
const LOOK_MS = 500

const OBSERVED = new Observed('lock.once')
const BEGIN = { operation: 'lock.once', repeat: true } as const

/** What runs once for a key in the whole fleet. */
export class Once {
  readonly #room: LockRoom
  readonly #renewer: Renewer
  /** Those who wait, by key. */
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(room: LockRoom) {
    this.#room = room
    this.#renewer = { renew: (renewals, timeoutMs, tell) => this.#renew(renewals, timeoutMs, tell) }
    room.inbox.on('once', (words) => this.#wake(words.slice(1).join(' ')))
    room.inbox.onUp(() => {
      for (const key of [...this.#waiting.keys()]) this.#wake(key)
    })
  }

  #wake(key: string): void {
    for (const wake of [...(this.#waiting.get(key) ?? [])]) wake()
  }

  async run<T>(name: string, work: (term: Term) => Promise<T> | T, options: OnceOptions): Promise<T> {
    checkLockName(name)
    const checked = checkOnce(options)
    const key = lockKey(this.#room.redis.keyspace, 'once', name)
    return OBSERVED.run({ key: name }, async (operation) => {
      const untilMs = monotonicMs() + checked.waitMs
      const token = randomId()
      for (;;) {
        this.#room.enter(key)
        const asked = momentNow()
        const { fingerprint, leaseMs } = checked
        const args = { token, leaseMs, fingerprint, inbox: this.#room.inbox.id }
        const reply = await beginOnceScript.run(this.#room.redis, { once: key }, args, BEGIN).catch((error) => {
          if ((error as { code?: unknown }).code !== 'SERVER_FULL') throw error
          return this.#stored(key, fingerprint, error)
        })
        operation.outcome = reply[0]
        switch (reply[0]) {
          case 'run': {
            const holdable = this.#holdable(key, name)
            const request = { token, ttlMs: leaseMs, owner: '', permits: 1 }
            const hold = new Hold(this.#room.keeper, holdable, request, BigInt(reply[1]), asked, leaseMs, true)
            return this.#work(hold, work, checked)
          }
          case 'done':
            return decode(reply[1], reply[2]) as T
          case 'failed':
            throw new OnceFailedError(name, JSON.parse(reply[1]) as OnceFailure)
          case 'conflict':
            throw new OnceConflictError(name)
          case 'pending':
            await this.#next(key, Math.min(reply[1] + 2, LOOK_MS), untilMs, name, checked)
        }
      }
    })
  }

  /** A full server refuses to begin anything, and can still say what became of what has ended. */
  async #stored(key: Key, fingerprint: string, refusal: unknown): Promise<BeginOnceReply> {
    const options = { operation: 'lock.once', repeat: true }
    const reply = await this.#room.redis.call(key, 'HMGET', [key, 's', 'p', 'j', 'y'], options)
    const [state, print, json, types] = reply as readonly (string | null)[]
    if (state !== null && print !== fingerprint) return ['conflict']
    if (state === 'd') return ['done', json as string, types as string]
    if (state === 'e') return ['failed', json as string]
    throw refusal
  }

  /** Resolves when it pays to look again. */
  async #next(key: Key, inMs: number, untilMs: number, name: string, checked: CheckedOnce): Promise<void> {
    const leftMs = untilMs - monotonicMs()
    if (leftMs <= 0) throw new LockTimeoutError(name, checked.waitMs, 'somebody else still runs it')
    this.#room.inbox.listen()
    const woken = new AbortController()
    const wake = () => woken.abort()
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(wake))
    const stopped = this.#room.onClose(async () => wake())
    const signal = checked.signal === undefined ? woken.signal : AbortSignal.any([woken.signal, checked.signal])
    try {
      await sleep(Math.min(inMs, leftMs), signal).catch(() => {})
    } finally {
      stopped()
      waiting.delete(wake)
      if (waiting.size === 0) this.#waiting.delete(key)
    }
    checked.signal?.throwIfAborted()
  }

  async #work<T>(hold: Hold, work: (term: Term) => Promise<T> | T, checked: CheckedOnce): Promise<T> {
    let value: T
    let encoded: { readonly json: string; readonly types: string }
    try {
      value = await work(hold)
      encoded = encode(value)
    } catch (error) {
      const kept = checked.keepErrors && hold.loss === undefined
      const json = kept ? JSON.stringify(failureOf(error)) : ''
      await this.#finish(hold, kept ? 'e' : 'x', { json, types: '' }, checked.ttlMs).catch(() => {})
      throw error
    }
    if (await this.#finish(hold, 'd', encoded, checked.ttlMs)) return value
    throw hold.loss ?? new LockLostError(hold.resource.name, hold.fence, 'somebody else has run it meanwhile')
  }

  /** Tried again for as long as nobody else may run it: a result that is not kept would be worked for twice. */
  async #finish(
    hold: Hold,
    state: 'd' | 'e' | 'x',
    { json, types }: { readonly json: string; readonly types: string },
    ttlMs: number,
  ): Promise<boolean> {
    const { redis } = this.#room
    const { key } = hold.resource
    const channel = inboxPrefix(redis.keyspace)
    const args = { token: hold.request.token, state, json, types, ttlMs, channel, name: key }
    for (let attempt = 0; ; attempt++)
      try {
        const [word] = await finishOnceScript.run(redis, { once: key }, args, BEGIN)
        if (word === 'lost') hold.lose('somebody else may have run it meanwhile')
        this.#room.keeper.letGo(hold)
        return word === 'finished'
      } catch (error) {
        if (!isOutage(error) || !hold.valid()) throw error
        await sleep(backoffMs(attempt, 20, 500))
      }
  }

  #holdable(key: Key, name: string): Holdable {
    return {
      key,
      name,
      renewer: this.#renewer,
      release: async () => 'gone',
    }
  }

  #renew(renewals: readonly Renewal[], timeoutMs: number, tell: Tell): void {
    const options = { operation: 'lock.renew', repeat: true, timeoutMs }
    renewals.forEach(({ key, token, ttlMs }, at) => {
      renewOnceScript.run(this.#room.redis, { once: key }, { token, leaseMs: ttlMs }, options).then(
        ([word]) => tell(at, word === 'renewed'),
        (error) => tell(at, undefined, error),
      )
    })
  }
}

function failureOf(error: unknown): OnceFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { code } = error as { code?: unknown }
  return { name: error.name, message: error.message, ...(typeof code === 'string' ? { code } : {}) }
}
