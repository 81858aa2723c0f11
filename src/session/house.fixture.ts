import { Ground } from '../holdfast.fixture.ts'
import type { ConnectOptions, Holdfast } from '../index.ts'
import { testNamespace } from '../testing/index.ts'

/** The ground of sessions, which knows the namespace of the last instance. */
export class House extends Ground {
  namespace = ''

  constructor() {
    super('session')
  }

  override connect(options: ConnectOptions = {}): Promise<Holdfast> {
    this.namespace = options.namespace ?? testNamespace('session')
    return super.connect({ ...options, namespace: this.namespace })
  }

  override keys(pattern = `*${this.namespace}*`): Promise<readonly string[]> {
    return super.keys(pattern)
  }

  /** While the server refuses every write that does not free. */
  async whileFull(work: () => Promise<void>): Promise<void> {
    await this.server.command('CONFIG', 'SET', 'maxmemory', '1mb')
    try {
      await work()
    } finally {
      await this.server.command('CONFIG', 'SET', 'maxmemory', '0')
    }
  }
}
