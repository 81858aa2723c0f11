import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { killGroup, type Shelter, takeShelter } from '../../src/testing/guard.ts'

/** How to make a network namespace, and how to enter it: as root, or as a user who is root in a namespace of his own. */
const WAYS = [
  { make: ['unshare', '--net'], enter: ['--net'] },
  { make: ['unshare', '--user', '--map-root-user', '--net'], enter: ['--user', '--preserve-credentials', '--net'] },
]

const addAddresses = (addresses: readonly string[]): string =>
  ['ip link set lo up', ...addresses.map((address) => `ip address add ${address}/32 dev lo`)].join(' && ')

type Way = (typeof WAYS)[number]

/** The way that this machine allows; or, of each way, why it does not. */
export function findWay(): { readonly way: Way } | { readonly refused: string } {
  const refusals: string[] = []
  for (const way of WAYS) {
    const [program = '', ...args] = way.make
    const inside = `${addAddresses(['172.30.0.1'])} && command -v nsenter`
    const tried = spawnSync(program, [...args, 'sh', '-c', inside], { encoding: 'utf8' })
    if (tried.status === 0) return { way }
    refusals.push(`${way.make.join(' ')}: ${tried.error?.message ?? tried.stderr.trim()}`)
  }
  return { refused: refusals.join('; ') }
}

/**
 * A network of its own, in which these addresses are here and nothing else is anywhere: from outside they cannot be reached, as
 * those of containers cannot. Files, and so unix sockets, are shared. It ends with this process.
 */
export class NetNamespace {
  readonly #way: Way
  readonly #shelter: Shelter = takeShelter()
  #holder: ChildProcess | undefined

  constructor(way: Way) {
    this.#way = way
  }

  async open(addresses: readonly string[]): Promise<void> {
    const file = join(this.#shelter.dir, 'log')
    const log = openSync(file, 'w')
    const [program = '', ...args] = this.#way.make
    const hold = `${addAddresses(addresses)} && echo ready && exec sleep infinity`
    this.#holder = this.#shelter.spawn(program, [...args, 'sh', '-c', hold], log)
    closeSync(log)
    await vi.waitFor(
      () => {
        const said = readFileSync(file, 'utf8')
        if (said !== 'ready\n') throw new Error(`expected a namespace with ${addresses.join(', ')}: ${said}`)
      },
      { timeout: 5_000, interval: 5 },
    )
  }

  /** What starts a program inside: in front of the program's name. */
  get through(): readonly string[] {
    return ['nsenter', '--target', String(this.#holder?.pid), ...this.#way.enter]
  }

  async close(): Promise<void> {
    const holder = this.#holder
    if (holder?.pid !== undefined && holder.exitCode === null && holder.signalCode === null) {
      holder.ref()
      const ended = once(holder, 'exit')
      killGroup(holder.pid)
      await ended
    }
    await this.#shelter.leave()
  }
}
