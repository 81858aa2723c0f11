/** The peers of `--peers`: peers/cache.mjs, run from the sources, where its packages are. */

import { isDeepStrictEqual } from 'node:util'
import { openPeers, type PeerModule } from './peer-module.ts'
import type { Contender } from './rounds.ts'

type Load<T> = (id: string) => T

export interface Peer {
  readonly name: string
  readonly hit?: (id: string, load: Load<object>) => Promise<unknown>
  readonly memory?: (id: string, load: Load<object>) => Promise<unknown>
  readonly get?: (id: string) => Promise<unknown>
  readonly set?: (id: string, value: object) => Promise<unknown>
  readonly many?: (ids: readonly string[], load: (ids: readonly string[]) => object[]) => Promise<readonly unknown[]>
  readonly tagged?: (id: string, tags: readonly string[], load: Load<object>) => Promise<unknown>
}

export type Peers = PeerModule<Peer>

export const peersOf = (url: string): Promise<Peers> => openPeers('cache.mjs', url)

const readOf = (peer: Peer) => peer.hit ?? peer.get

/** Hits in Redis: every value is there, and is compared once, so that nobody is measured for answering nothing. */
export async function hitContenders(
  { peers }: Peers,
  ids: readonly string[],
  load: Load<object>,
): Promise<Contender[]> {
  return contenders(peers, readOf, ids, load, async (peer, id) =>
    (peer.hit ?? (() => peer.set?.(id, load(id))))(id, load),
  )
}

export async function memoryContenders(
  { peers }: Peers,
  ids: readonly string[],
  load: Load<object>,
): Promise<Contender[]> {
  return contenders(
    peers,
    (peer) => peer.memory,
    ids,
    load,
    async (peer, id) => peer.memory?.(id, load),
  )
}

async function contenders(
  peers: readonly Peer[],
  read: (peer: Peer) => ((id: string, load: Load<object>) => Promise<unknown>) | undefined,
  ids: readonly string[],
  load: Load<object>,
  fill: (peer: Peer, id: string) => Promise<unknown>,
): Promise<Contender[]> {
  const able = peers.flatMap((peer) => {
    const get = read(peer)
    return get === undefined ? [] : [{ peer, get }]
  })
  for (const { peer, get } of able) {
    for (const id of ids) await fill(peer, id)
    const first = ids[0] as string
    const loads: string[] = []
    const seen = await get(first, (id) => {
      loads.push(id)
      return load(id)
    })
    if (!isDeepStrictEqual(seen, load(first))) throw new Error(`${peer.name} answered another value.`)
    if (loads.length > 0) throw new Error(`${peer.name} loaded what it had.`)
  }
  return able.map(({ peer, get }) => ({
    name: peer.name,
    run: (turn) => get(ids[turn % ids.length] as string, load),
  }))
}

/** Each run a miss that is filled. */
export function missContenders({ peers }: Peers, nextId: () => string, load: Load<object>): Contender[] {
  return peers.map((peer) => ({
    name: peer.name,
    run: async () => {
      const id = nextId()
      if (peer.hit !== undefined) return peer.hit(id, load)
      const found = await peer.get?.(id)
      if (found === undefined) await peer.set?.(id, load(id))
      return found
    },
  }))
}

/** A batch by the peer's own calls; BentoCache and async-cache-dedupe have none. */
export async function manyContenders(
  { peers }: Peers,
  hits: readonly string[],
  ids: () => readonly string[],
  load: Load<object>,
): Promise<Contender[]> {
  const able = peers.flatMap(({ name, many }) => (many === undefined ? [] : [{ name, many }]))
  for (const { many } of able) await many(hits, (missing) => missing.map(load))
  return able.map(({ name, many }) => ({ name, run: () => many(ids(), (missing) => missing.map(load)) }))
}

/** Of a peer with tags: a hit without, the floor, and a hit with two. */
export async function tagContenders(
  { peers }: Peers,
  ids: readonly string[],
  load: Load<object>,
): Promise<Contender[][]> {
  const tagsOf = (id: string) => [`team:${Number(id) % 50}`, `city:${Number(id) % 20}`]
  return Promise.all(
    peers.flatMap(({ name, hit, tagged }) => {
      if (tagged === undefined || hit === undefined) return []
      const fill = async () => {
        for (const id of ids) await Promise.all([hit(id, load), tagged(id, tagsOf(id), load)])
        return [
          { name: `${name}, no tags`, run: (turn: number) => hit(ids[turn % ids.length] as string, load) },
          {
            name: `${name}, two tags`,
            run: (turn: number) => {
              const id = ids[turn % ids.length] as string
              return tagged(id, tagsOf(id), load)
            },
          },
        ]
      }
      return [fill()]
    }),
  )
}
