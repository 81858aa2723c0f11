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

/** The peers of `bench/peers/<file>`; without `--peers`, none, and with names behind it, such as `bullmq,bee-queue`, those alone. */
export async function openPeers<Peer extends { readonly name: string }>(
  file: string,
  url: string,
): Promise<PeerModule<Peer>> {
  const at = process.argv.indexOf('--peers')
  if (at < 0) return { peers: [], close: async () => {} }
  const module = (await import(pathToFileURL(sourceOf(`peers/${file}`)).href)) as {
    openPeers(url: string): Promise<PeerModule<Peer>>
  }
  const { peers, close } = await module.openPeers(url)
  const wanted = namesIn(process.argv[at + 1])
  const isWanted = ({ name }: Peer) => wanted.some((word) => plain(name).startsWith(plain(word)))
  const chosen = wanted.length === 0 ? peers : peers.filter(isWanted)
  if (chosen.length === 0) {
    await close()
    throw new Error(
      `--peers: expected some of ${peers.map(({ name }) => name).join(', ')}, received ${wanted.join(',')}`,
    )
  }
  return { peers: chosen, close }
}

const namesIn = (word: string | undefined): readonly string[] =>
  word === undefined || word.startsWith('-') ? [] : word.split(',').filter((name) => name !== '')

/** `bee-queue`, `Bee Queue` and `beequeue` are one. */
const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

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
