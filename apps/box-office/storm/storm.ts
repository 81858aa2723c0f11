/**
 * A storm over servers of our own: one fault after the other, each of them only when the group has settled from the one
 * before. Whoever sells meanwhile must not notice more than a wait.
 */

import type { TestServer } from 'holdfast/testing'
import { pause } from '../crowd/buyer.ts'
import type { Random } from '../crowd/random.ts'
import { FAULTS, type Group } from './faults.ts'

export interface StormOptions {
  readonly group: Group
  /** The key whose server is hit, asked anew for each fault; undefined is any server. */
  readonly aim: () => string | undefined
  /** How long it is calm between two faults. */
  readonly calmMs: readonly [from: number, to: number]
  readonly random: Random
  /** Told of each fault when it begins, and when its consequences are over. */
  readonly say: (what: string) => void
}

/** A fault that is over. */
export interface Struck {
  readonly name: string
  /** From its beginning until the group had settled. */
  readonly ms: number
}

export interface Storm {
  readonly struck: readonly Struck[]
  /** Rejects when a group does not settle; else it never ends by itself. */
  readonly broken: Promise<never>
  /** No further fault; resolves when the last one is over and the group has settled. */
  stop(): Promise<void>
  /** Ends at once, and leaves the group as it is. */
  abandon(): Promise<void>
}

export function startStorm({ group, aim, calmMs, random, say }: StormOptions): Storm {
  const calming = new AbortController()
  const leaving = new AbortController()
  const struck: Struck[] = []
  let restarting: Promise<void> | undefined

  /** A server that is being started must not be left behind. */
  async function restart(server: TestServer): Promise<void> {
    leaving.signal.throwIfAborted()
    restarting = server.restart()
    await restarting
  }

  async function strike(number: number): Promise<void> {
    const fault = FAULTS[number % FAULTS.length] as (typeof FAULTS)[number]
    const began = performance.now()
    await fault.strike({
      ...{ group, key: aim(), random, restart },
      say: (what) => say(`storm: ${what}`),
      pause: (ms) => pause(ms, leaving.signal),
    })
    await group.settled()
    const ms = Math.round(performance.now() - began)
    struck.push({ name: fault.name, ms })
    say(`storm: over after ${(ms / 1_000).toFixed(1)} s`)
  }

  async function blow(): Promise<void> {
    for (let number = 0; !calming.signal.aborted; number += 1) {
      await strike(number)
      await pause(random.between(...calmMs), calming.signal)
    }
  }

  const blowing = blow()
  const broken = new Promise<never>((_, reject) => {
    blowing.catch((error: unknown) => leaving.signal.aborted || reject(error))
  })
  // Who does not ask learns it from `stop`.
  broken.catch(() => {})

  return {
    struck,
    broken,
    async stop() {
      calming.abort()
      await blowing
    },
    async abandon() {
      calming.abort()
      leaving.abort()
      await restarting?.catch(() => {})
    },
  }
}
