import type { Key } from './keyspace.ts'
import type { Node } from './node.ts'
import type { KeyWatcher, Subscriber } from './subscriber.ts'
import type { Topology } from './topology.ts'

/** News of one server's keys, as far as it can be trusted. */
export interface KeyStream {
  /** True when nothing that happened to its keys up to the stated bound before `nowMs` can be missing here. */
  trusted(nowMs: number): boolean
}

/** Somebody who wants to know which keys under some prefixes change, wherever they live. */
export interface Watcher {
  readonly prefixes: readonly string[]
  /** A key changed, expired, was evicted or went to another server. */
  onKey(key: string): void
  /** Changes of some keys may have been missed: forget all that depends on having seen each one. `undefined`: of any key. */
  onGap(missed: ((key: string) => boolean) | undefined): void
}

/** A server that could not be heard is asked again so much later, as long as somebody listens. */
const AGAIN_MS = 1_000
const SILENT: KeyStream = { trusted: () => false }

interface Ear {
  readonly subscriber: Subscriber
  readonly unwatch: Map<Watcher, () => void>
}

interface Hearing {
  readonly channel: string
  readonly near: Key | undefined
  readonly handler: (message: string) => void
  readonly stops: Map<Node, Promise<() => void>>
  /** Set while a server could not be heard. */
  again: NodeJS.Timeout | undefined
}

/**
 * All that this process listens to: one listening connection to each server that has something to say, opened when the first one
 * asks, moved along when keys move.
 */
export class Listeners {
  readonly #topology: Topology
  readonly #open: (node: Node) => Subscriber
  readonly #ears = new Map<Node, Ear>()
  readonly #watchers = new Set<Watcher>()
  readonly #hearings = new Set<Hearing>()
  #closed = false

  constructor(topology: Topology, open: (node: Node) => Subscriber) {
    this.#topology = topology
    this.#open = open
    topology.onChange((moved) => this.#onChange(moved))
  }

  /** Watch keys from now on; the watcher is told of a gap first, and may trust what it keeps only while the key's stream is trusted. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    for (const node of this.#topology.primaries()) this.#watchOn(node, watcher)
    return () => {
      this.#watchers.delete(watcher)
      for (const { unwatch } of this.#ears.values()) {
        unwatch.get(watcher)?.()
        unwatch.delete(watcher)
      }
    }
  }

  #watchOn(node: Node, watcher: Watcher): void {
    const ear = this.#earOf(node)
    if (ear.unwatch.has(watcher)) return
    const own: KeyWatcher = {
      prefixes: watcher.prefixes,
      onKey: (key) => watcher.onKey(key),
      onGap: () => watcher.onGap(this.#allOn(node)),
    }
    ear.unwatch.set(watcher, ear.subscriber.watch(own))
  }

  /** The keys of one server; all of them where there is but one. */
  #allOn(node: Node): ((key: string) => boolean) | undefined {
    if (this.#topology.primaries().length <= 1) return undefined
    return (key) => this.#topology.nodeOf(key as Key) === node
  }

  /** True when the news of at least one server can be trusted. */
  hears(nowMs: number): boolean {
    for (const { subscriber } of this.#ears.values()) if (subscriber.trusted(nowMs)) return true
    return false
  }

  /** True where a key has one server for ever, and so one stream. */
  get areFixed(): boolean {
    return !this.#topology.canMove
  }

  /** The stream that tells of `key` now. */
  streamOf(key: Key): KeyStream {
    const node = this.#topology.nodeOf(key)
    const ear = node === undefined ? undefined : this.#ears.get(node)
    return ear !== undefined && this.#topology.isSettled(key) ? ear.subscriber : SILENT
  }

  /**
   * Hear a channel on which scripts publish that work on `near`, or on any key; resolves when a server has confirmed it, or rejects
   * within the timeout. Messages are best effort: a doorbell, never a letter. The answer stops it.
   */
  async listen(channel: string, handler: (message: string) => void, near?: Key): Promise<() => void> {
    const hearing: Hearing = { channel, near, handler, stops: new Map(), again: undefined }
    this.#hearings.add(hearing)
    const stop = () => {
      this.#hearings.delete(hearing)
      clearTimeout(hearing.again)
      for (const node of [...hearing.stops.keys()]) this.#hush(hearing, node)
    }
    try {
      await this.#tune(hearing)
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  /** Hears the channel where it is published now, and nowhere else. */
  async #tune(hearing: Hearing): Promise<void> {
    let stations = this.#topology.stations(hearing.near)
    if (stations.length === 0) {
      await this.#topology.ready()
      stations = this.#topology.stations(hearing.near)
    }
    for (const node of [...hearing.stops.keys()]) if (!stations.includes(node)) this.#hush(hearing, node)
    for (const node of stations)
      if (!hearing.stops.has(node)) {
        const heard = this.#earOf(node).subscriber.listen(hearing.channel, hearing.handler)
        hearing.stops.set(node, heard)
        heard.catch(() => {
          hearing.stops.delete(node)
          this.#tuneAgain(hearing)
        })
      }
    await Promise.any(hearing.stops.values()).catch((error: AggregateError) => {
      throw error.errors[0]
    })
  }

  /** One timer for all its servers: a timer for each would try each as often as there are servers, and that twice as often every time. */
  #tuneAgain(hearing: Hearing): void {
    if (hearing.again !== undefined || !this.#hearings.has(hearing)) return
    hearing.again = setTimeout(() => {
      hearing.again = undefined
      this.#tune(hearing).catch(() => {})
    }, AGAIN_MS).unref()
  }

  #hush(hearing: Hearing, node: Node): void {
    hearing.stops.get(node)?.then(
      (stop) => stop(),
      () => {},
    )
    hearing.stops.delete(node)
  }

  #earOf(node: Node): Ear {
    let ear = this.#ears.get(node)
    if (ear === undefined) {
      ear = { subscriber: this.#open(node), unwatch: new Map() }
      this.#ears.set(node, ear)
      if (this.#closed) ear.subscriber.close()
    }
    return ear
  }

  #onChange(moved: (key: string) => boolean): void {
    if (this.#closed) return
    const primaries = this.#topology.primaries()
    for (const [node, { subscriber }] of this.#ears) {
      if (primaries.includes(node)) continue
      this.#ears.delete(node)
      subscriber.close()
      for (const hearing of this.#hearings) hearing.stops.delete(node)
    }
    for (const watcher of this.#watchers) {
      watcher.onGap(moved)
      for (const node of primaries) this.#watchOn(node, watcher)
    }
    for (const hearing of this.#hearings) this.#tune(hearing).catch(() => {})
  }

  close(): void {
    this.#closed = true
    for (const { again } of this.#hearings) clearTimeout(again)
    this.#hearings.clear()
    for (const { subscriber } of this.#ears.values()) subscriber.close()
  }
}
