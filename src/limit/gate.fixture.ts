import { Ground } from '../holdfast.fixture.ts'
import type { Limiter, LimiterOptions } from '../index.ts'

export const HOUR = { limit: 10, per: '1h', algorithm: 'fixed' } as const

/** The ground of limits. */
export class Gate extends Ground {
  constructor() {
    super('limit')
  }

  /** A limiter in a namespace of its own. */
  async limiter(options: LimiterOptions): Promise<Limiter> {
    return (await this.connect()).limiter('api', options)
  }

  /** How often the server has carried a command out. */
  async callsOf(command: string): Promise<number> {
    const stats = String(await this.server.command('INFO', 'commandstats'))
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }
}

export const allowed = async (limiter: Limiter, id: string, cost = 1): Promise<boolean> =>
  (await limiter.consume(id, { cost })).allowed
