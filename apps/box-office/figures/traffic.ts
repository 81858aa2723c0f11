/** What the way to Redis had to do so that nobody noticed a fault, over all processes of a sale. */

import type { Holdfast } from 'holdfast'

export interface Traffic {
  /** Commands sent again after a connection broke, or because a server could not just then. */
  readonly repeats: number
  /** Commands that went on to the server which another one named. */
  readonly redirects: number
  /** How often another server took over. */
  readonly failovers: number
}

export function trafficOf({ stats }: Pick<Holdfast, 'stats'>): Traffic {
  const { repeats, redirects, failovers } = stats
  return { repeats, redirects, failovers }
}

/** Each process sends its own commands; all of them see the same servers take over, one perhaps later than the end. */
export function allTraffic(parts: readonly Traffic[]): Traffic {
  return {
    repeats: parts.reduce((sum, part) => sum + part.repeats, 0),
    redirects: parts.reduce((sum, part) => sum + part.redirects, 0),
    failovers: Math.max(0, ...parts.map((part) => part.failovers)),
  }
}
