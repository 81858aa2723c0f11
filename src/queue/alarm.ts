import { monotonicMs } from '../base/clock.ts'
import { messageOf } from '../base/errors.ts'

/** One queue says one thing so often at most. */
const EVERY_MS = 60_000

interface Said {
  atMs: number
  /** Since then, and not said. */
  unsaid: number
}

/** Says by process warnings (HOLDFAST_QUEUE) what nobody has asked to be told, and yet must not be missed. */
export class Alarm {
  readonly #queue: string
  readonly #said = new Map<string, Said>()

  constructor(queue: string) {
    this.#queue = queue
  }

  /** Why no job can be had or ended for now. */
  troubled(error: unknown): void {
    this.#say('troubled', (times) => `its workers are held up${times}, and try again: ${messageOf(error)}`)
  }

  /** A job is among the dead letters. */
  buried(id: string, reason: string, error: unknown): void {
    this.#say(
      'buried',
      (times) => `job '${id}' is a dead letter${times}, by reason of '${reason}': ${messageOf(error)}`,
    )
  }

  /** A job is done, and its result was not kept. */
  unkept(id: string, error: unknown): void {
    this.#say('unkept', (times) => `the result of job '${id}' is not kept${times}: ${messageOf(error)}`)
  }

  #say(kind: string, text: (times: string) => string): void {
    const said = this.#said.get(kind)
    const nowMs = monotonicMs()
    if (said !== undefined && nowMs - said.atMs < EVERY_MS) return void said.unsaid++
    const times =
      said === undefined || said.unsaid === 0 ? '' : ` (and ${said.unsaid} times more since the last warning)`
    this.#said.set(kind, { atMs: nowMs, unsaid: 0 })
    process.emitWarning(
      `holdfast: queue '${this.#queue}': ${text(times)}. Give process() an onError to be told of each; this is said once a minute.`,
      { code: 'HOLDFAST_QUEUE' },
    )
  }
}
