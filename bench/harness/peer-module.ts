/** Peers run from the sources, where their packages are; only with `--peers`. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Contender } from './rounds.ts'

/** What `openPeers(url)` of a file in bench/peers/ answers. */
export interface PeerModule<Peer> {
  readonly peers: readonly Peer[]
  close(): Promise<void>
}

/** A peer with one verb that is measured. */
export interface OneVerbPeer {
  readonly name: string
  readonly run: (turn: number) => Promise<unknown>
}

/** The peers of `bench/peers/<file>`; without `--peers`, none. */
export async function openPeers<Peer>(file: string, url: string): Promise<PeerModule<Peer>> {
  if (!process.argv.includes('--peers')) return { peers: [], close: async () => {} }
  const module = (await import(pathToFileURL(sourceOf(`peers/${file}`)).href)) as {
    openPeers(url: string): Promise<PeerModule<Peer>>
  }
  return module.openPeers(url)
}

/** Those of a scenario, in the order of the file. */
export const contendersIn = (
  { peers }: PeerModule<OneVerbPeer & { readonly scenario: string }>,
  scenario: string,
): readonly Contender[] => peers.filter((peer) => peer.scenario === scenario)

/** A file of bench/, from the sources and from a build elsewhere in the checkout. */
function sourceOf(path: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, 'bench', path)
    if (existsSync(file)) return file
    if (dirname(folder) === folder) throw new Error(`No bench/${path} above ${import.meta.url}.`)
  }
}
