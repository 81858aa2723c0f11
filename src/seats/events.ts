import { ValueError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { Feed } from './feed.ts'
import { type EventKeys, eventChannel } from './keys.ts'
import { Layout } from './layout.ts'
import type { SeatsDurability } from './options.ts'
import { seatsRights } from './rights.ts'
import { Sweeper } from './sweeper.ts'

/** Layouts kept in the process; one of 80,000 seats in twenty sections takes some 100 KB. */
const KEPT_LAYOUTS = 500

/** The events of one process: what they share, and what runs behind them. */
export class Events {
  readonly redis: Redis
  readonly sweeper: Sweeper
  readonly #layouts = new Map<string, Layout>()
  readonly #feeds = new Map<string, Feed>()
  #vetted = false

  constructor(redis: Redis) {
    this.redis = redis
    this.sweeper = new Sweeper(redis)
  }

  /** Looks once whether the server suits seats, behind the first call. */
  vet(id: string, keys: EventKeys, durability: SeatsDurability): void {
    if (this.#vetted) return
    this.#vetted = true
    const { keyspace } = this.redis
    const rights = seatsRights(keyspace, durability)
    this.redis.vet('seats', 'state', rights, keys.event, eventChannel(keyspace, id)).catch(() => {})
  }

  /** The event's layout as far as this process knows. */
  knownLayout(id: string): Layout | undefined {
    return this.#layouts.get(id)
  }

  /** The event's layout as the server has it; undefined where there is no event. */
  async loadLayout(id: string, keys: EventKeys): Promise<Layout | undefined> {
    const json = await this.redis.call(keys.layout, 'GET', [keys.layout], {
      operation: 'seats.layout',
      repeat: true,
    })
    if (json === null) {
      this.#layouts.delete(id)
      return undefined
    }
    return this.keepLayout(id, this.#parse(String(json), keys))
  }

  #parse(json: string, keys: EventKeys): Layout {
    try {
      return Layout.parse(json)
    } catch (error) {
      throw new ValueError('VALUE_UNREADABLE', keys.layout, 'is no layout', error)
    }
  }

  keepLayout(id: string, layout: Layout): Layout {
    this.#layouts.delete(id)
    this.#layouts.set(id, layout)
    if (this.#layouts.size > KEPT_LAYOUTS) this.#layouts.delete(this.#layouts.keys().next().value as string)
    return layout
  }

  /** The layout of this tag, known or loaded. */
  async layoutOf(id: string, keys: EventKeys, tag: string): Promise<Layout> {
    const known = this.#layouts.get(id)
    if (known?.tag === tag) return known
    const loaded = await this.loadLayout(id, keys)
    if (loaded?.tag !== tag) throw new ValueError('VALUE_UNREADABLE', keys.layout, 'is not the layout of the event')
    return loaded
  }

  feed(id: string, keys: EventKeys): Feed {
    let feed = this.#feeds.get(id)
    if (feed === undefined) {
      feed = new Feed(
        this.redis,
        id,
        keys,
        (tag) => this.layoutOf(id, keys, tag),
        () => this.sweeper.touch(id, keys),
      )
      this.#feeds.set(id, feed)
    }
    return feed
  }

  /** Stops all that runs behind one event. */
  closeEvent(id: string): void {
    this.sweeper.forget(id)
    this.#feeds.get(id)?.close()
    this.#feeds.delete(id)
  }

  async close(): Promise<void> {
    for (const feed of this.#feeds.values()) feed.close()
    this.#feeds.clear()
    await this.sweeper.stop()
  }
}
