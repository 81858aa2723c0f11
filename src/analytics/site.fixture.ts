import { Ground } from '../holdfast.fixture.ts'
import type { Analytics, AnalyticsOptions } from '../index.ts'

/** The ground of analytics. */
export class SiteGround extends Ground {
  constructor() {
    super('analytics')
  }

  /** One that is sent when it is told to, or read. */
  async site(options: AnalyticsOptions = {}): Promise<Analytics> {
    const hf = await this.connect()
    return hf.analytics('site', { flush: { every: '1h' }, ...options })
  }
}
