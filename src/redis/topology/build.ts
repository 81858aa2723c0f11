import type { HoldfastError } from '../../base/errors.ts'
import { type Address, showAddress } from '../address.ts'
import type { Calls } from '../calls.ts'
import type { ConnectionSettings } from '../connection.ts'
import { openIoredisWire } from '../ioredis.ts'
import { Keyspace } from '../keyspace.ts'
import type { Node } from '../node.ts'
import type { Settings } from '../settings.ts'
import { Subscriber } from '../subscriber.ts'
import type { NodeWish, Topology } from '../topology.ts'
import { ClusterTopology } from './cluster.ts'
import { SentinelTopology } from './sentinel.ts'
import { ShardsTopology } from './shards.ts'
import { SingleTopology } from './single.ts'

/** The topology that the settings ask for. */
export function buildTopology(
  settings: Settings,
  calls: Calls,
  make: (address: string, connection: ConnectionSettings, wish: NodeWish) => Node,
  refuse: (error: HoldfastError) => void,
): Topology {
  const { place, connection, mapAddress } = settings
  const makeNode = (address: Address, wish: NodeWish = {}) =>
    make(showAddress(address), { ...connection, ...address }, wish)
  const ground = { calls, makeNode, refuse }
  switch (place.kind) {
    case 'single':
      return new SingleTopology(make(settings.address, connection, {}))
    case 'sentinel': {
      const { sentinels, primaryName, login } = place
      const { username: _username, password: _password, ...common } = connection
      const sentinelServer = { ...common, ...login, db: 0 }
      const makeSentinel = (address: Address) =>
        make(showAddress(address), { ...sentinelServer, ...address }, { sentinel: true })
      const makeListener = (sentinel: Node) =>
        new Subscriber(sentinel.settings, openIoredisWire, undefined, settings.timeoutMs)
      return new SentinelTopology({ ...ground, makeSentinel, makeListener, primaryName }, sentinels, mapAddress)
    }
    case 'cluster':
      return new ClusterTopology(ground, place.seeds, mapAddress)
    case 'shards':
      return new ShardsTopology(ground, place.shards, mapAddress, new Keyspace(settings.namespace))
  }
}
