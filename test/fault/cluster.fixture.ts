import { connect as connectTo, type Holdfast } from '../../src/index.ts'
import type { TestCluster } from '../../src/testing/index.ts'

export { startCluster, type TestCluster, type TestServer } from '../../src/testing/index.ts'

/** The library, connected to a cluster whose nodes announce names that do not resolve. */
export const connect = ({ url, addressMap }: TestCluster): Promise<Holdfast> =>
  connectTo(url, { addressMap, timeout: '10s' })
