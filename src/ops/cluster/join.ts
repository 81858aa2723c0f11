import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { monotonicMs } from '../../base/clock.ts'
import { ConfigError } from '../../base/errors.ts'
import { type Address, parseAddress } from '../../redis/address.ts'
import type { Node } from '../../redis/node.ts'
import { type Crew, command, find, isPrimary, isServing, type Member, type Picture, primaries, viewOf } from './crew.ts'
import { ChangeRefusedError } from './errors.ts'
import { follow } from './follow.ts'
import type { View } from './view.ts'

export interface AddOptions {
  /** The primary whose replica it becomes, by id or address. Default: a primary of its own, without slots. */
  readonly replicaOf?: string
}

/** A handshake that was lost is begun anew after so long: nodes give one up after their node-timeout, 15 s by default. */
const MEET_AGAIN_MS = 3_000

/** A server that may become a member. */
export interface Candidate {
  readonly id: string
  readonly node: Node
  /** It was introduced before: by a call that was broken off, say. */
  readonly isMember: boolean
  /** Whose replica it is to be. */
  readonly primary: Member | undefined
}

/** Looks whether the server can become a member. throws  ChangeRefusedError when it is one of another cluster, or not empty */
export async function candidate(
  crew: Crew,
  picture: Picture,
  address: string,
  { replicaOf }: AddOptions,
): Promise<Candidate> {
  const primary = replicaOf === undefined ? undefined : find(picture, replicaOf, 'replicaOf')
  if (primary !== undefined && !isPrimary(primary))
    throw new ConfigError('replicaOf', 'a primary', `a replica, ${primary.address}`)
  const node = crew.nodeAt(parse(address))
  const own = await viewOf(node)
  const { id } = own.self
  const isMember = picture.members.some((member) => member.id === id)
  if (!isMember) await expectAlone(address, node, own)
  return { id, node, isMember, primary }
}

/**
 * Makes a server that runs alone a member. It may be called again when it was broken off.
 *
 * answers its id, when every node knows it, and a replica has its primary's data
 */
export async function addNode(crew: Crew, address: string, options: AddOptions): Promise<string> {
  const picture = await crew.look()
  const { id, node, isMember, primary } = await candidate(crew, picture, address, options)
  await joinWell(crew, node, id)
  if (!isMember && primary === undefined) await copyFunctions(picture, node)
  if (primary !== undefined) await follow(crew, id, primary)
  return id
}

function parse(text: string): Address {
  const address = parseAddress(text)
  if (address?.port === undefined) throw new ConfigError('address', "'host:port' of the server to add", text)
  return { host: address.host, port: address.port }
}

async function expectAlone(address: string, node: Node, own: View): Promise<void> {
  const others = own.nodes.length - 1
  if (others > 0)
    throw new ChangeRefusedError('add', `${address} knows ${others} other nodes: it is of another cluster`)
  if (own.self.ranges.length > 0) throw new ChangeRefusedError('add', `${address} has slots: it is a cluster by itself`)
  const keys = Number(await command(node, 'DBSIZE'))
  if (keys > 0) throw new ChangeRefusedError('add', `${address} holds ${keys} keys; a new member must be empty`)
}

/** Introduces the node to every member: by gossip alone it would take the others seconds to hear of it. */
async function joinWell(crew: Crew, node: Node, id: string): Promise<void> {
  let askedMs = Number.NEGATIVE_INFINITY
  await crew.agree('add', async ({ members }) => {
    const asked = members.filter(({ view }) => view !== undefined)
    const strangers = asked.filter((member) => member.id !== id && !member.view?.nodes.some((seen) => seen.id === id))
    const known = asked.find((member) => member.id === id)
    if (known !== undefined && strangers.length === 0) {
      const unsure = asked.find(({ view }) => nameOf(view, id) !== nameOf(known.view, id))
      if (unsure !== undefined) return `${unsure.address} does not know the hostname of ${known.address} yet`
      return (await isServing(known)) ? undefined : `${known.address} does not serve yet`
    }
    if (monotonicMs() - askedMs > MEET_AGAIN_MS) {
      askedMs = monotonicMs()
      await Promise.all(strangers.map(async (member) => meet(node, await busOf(member))))
    }
    return `${(strangers[0] ?? asked[0])?.address} does not know ${node.address} yet`
  })
}

/** Where hostnames are announced, a member that does not know one yet sends clients to `?`. */
const nameOf = (view: View | undefined, id: string) => view?.nodes.find((seen) => seen.id === id)?.hostname

const meet = (node: Node, { host, port, busPort }: Address & { readonly busPort: number }) =>
  command(node, 'CLUSTER', 'MEET', host, port, busPort)

/** Where nodes reach a member: an IP address, since the engine resolves no names. */
async function busOf({ seen, node }: Member): Promise<Address & { readonly busPort: number }> {
  const host = seen.ip !== '' ? seen.ip : node.settings.host
  const ip = isIP(host) > 0 ? host : (await lookup(host)).address
  return { host: ip, port: seen.port, busPort: seen.busPort }
}

/** A new primary must know the functions that the others have: they are copied to replicas, not among primaries. */
async function copyFunctions(picture: Picture, node: Node): Promise<void> {
  const source = primaries(picture).find(({ view, seen }) => view !== undefined && seen.ranges.length > 0)
  if (source === undefined) return
  const options = { operation: 'cluster.add', repeat: true, bytes: true, needs: '+function|dump +function|restore' }
  const functions = (await source.node.call('FUNCTION', ['DUMP'], options)) as Buffer
  await node.call('FUNCTION', ['RESTORE', functions, 'REPLACE'], options)
}
