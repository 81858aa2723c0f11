import { type ConnectOptions, connect, type Holdfast } from 'holdfast'
import { type ServerOptions, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { moveShards, type ShardMoveReport, type ShardOptions } from '../../src/ops/shards/index.ts'
import { Rendezvous } from '../../src/redis/rendezvous.ts'

/** Servers under names, and instances in one namespace: all is stopped together. */
export class ShardGroup {
  readonly namespace: string
  readonly #servers = new Map<string, TestServer>()
  readonly #open: Holdfast[] = []

  constructor(namespace = testNamespace('shards')) {
    this.namespace = namespace
  }

  static async start(names: string, options: ServerOptions = {}): Promise<ShardGroup> {
    const group = new ShardGroup()
    await Promise.all([...names].map((name) => group.add(name, options)))
    return group
  }

  async add(name: string, options: ServerOptions = {}): Promise<TestServer> {
    const server = await startServer(options)
    this.#servers.set(name, server)
    return server
  }

  at(name: string): TestServer {
    const server = this.#servers.get(name)
    if (server === undefined) throw new Error(`no shard ${name}`)
    return server
  }

  /** Of shards with names of one letter. */
  url(names: string): string {
    const shards = [...names].map((name) => `${name}=${this.at(name).host}:${this.at(name).port}`)
    return `redis+shards://${shards.join(',')}`
  }

  connect(names: string, options: ConnectOptions = {}): Promise<Holdfast> {
    return this.connectAt(this.url(names), options)
  }

  async connectAt(url: string, options: ConnectOptions = {}): Promise<Holdfast> {
    const hf = await connect(url, { namespace: this.namespace, timeout: '20s', ...options })
    this.#open.push(hf)
    return hf
  }

  get record(): string {
    return `{${this.namespace}:shards}`
  }

  async layoutOn(name: string): Promise<Record<string, unknown> | undefined> {
    const text = await this.at(name).command<string | null>('HGET', this.record, 'layout')
    return text === null ? undefined : (JSON.parse(text) as Record<string, unknown>)
  }

  /** Names of the namespace's own keys on a shard: without the list, and without what a move leaves for a while. */
  async keysOn(name: string): Promise<readonly string[]> {
    const found = await this.at(name).command<string[]>('KEYS', `*{${this.namespace}:*`)
    return found.filter((key) => !key.startsWith(this.record) && !key.startsWith('moved:')).sort()
  }

  cacheKey(id: string, cache = 'it'): string {
    return `{${this.namespace}:cache:${cache}:${id}}`
  }

  /** The first `count` of `id0`, `id1`, … whose key a shard has among `names`. */
  idsOf(name: string, names: string, count: number, keyOf = (id: string) => this.cacheKey(id)): readonly string[] {
    const places = new Rendezvous([...names])
    const ids: string[] = []
    for (let i = 0; ids.length < count; i++)
      if (places.names[places.placeOf(keyOf(`id${i}`))] === name) ids.push(`id${i}`)
    return ids
  }

  idOf(name: string, names: string): string {
    return this.idsOf(name, names, 1)[0] as string
  }

  eventOf(name: string, names: string): string {
    return `night-${this.idsOf(name, names, 1, (id) => `{${this.namespace}:seats:night-${id}}`)[0]}`
  }

  async closeClients(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((hf) => hf.close()))
  }

  async stop(): Promise<void> {
    await this.closeClients()
    await Promise.all([...this.#servers.values()].map((server) => server.stop()))
  }
}

/** Warnings of this library about shards until `work` has ended. */
export async function shardWarnings(work: () => Promise<void>): Promise<readonly string[]> {
  const seen: string[] = []
  const note = (warning: Error & { code?: string }) => {
    if (warning.code === 'HOLDFAST_SHARDS') seen.push(warning.message)
  }
  process.on('warning', note)
  try {
    await work()
    // A warning is emitted in the next tick.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', note)
  }
  return seen
}

/** A move from one list of a group's shards to another. */
export const move = (
  group: ShardGroup,
  from: string,
  to: string,
  more: Partial<ShardOptions> = {},
): Promise<ShardMoveReport> =>
  moveShards({ url: group.url(from), to: group.url(to), namespace: group.namespace, ...more })
