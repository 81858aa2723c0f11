import { BlockList, isIP } from 'node:net'
import { ConfigError } from '../base/errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Where to reach a server that announces an address of its own: a Cluster in containers, Sentinels behind a tunnel.
 *
 * object    by announced `host:port`, `host`, or CIDR block (`172.30.0.0/24`): the `host` or `host:port` to use. The most exact
 *           entry counts. IPv6 with a port is written `[::1]:6379`.
 * function  of the announced host and port; `undefined` leaves the address as it is
 */
export type AddressMap =
  | Readonly<Record<string, string>>
  | ((host: string, port: number) => { readonly host: string; readonly port: number } | undefined)

export type MapAddress = (host: string, port: number) => Address

const FORM = "'host' or 'host:port' by announced 'host', 'host:port' or block such as '172.30.0.0/24'"

/** The map as a function. An address that it does not know stays what it is. */
export function resolveAddressMap(map: unknown): MapAddress {
  if (map === undefined) return (host, port) => ({ host, port })
  if (typeof map === 'function') return (host, port) => checkMapped(host, port, map(host, port))
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw new ConfigError('addressMap', FORM, map)
  const exact = new Map<string, Partial<Address>>()
  const blocks: { readonly bits: number; readonly block: BlockList; readonly target: Partial<Address> }[] = []
  for (const [from, to] of Object.entries(map)) {
    const target = typeof to === 'string' ? parseAddress(to) : undefined
    if (target === undefined) throw new ConfigError(`addressMap['${from}']`, "'host' or 'host:port'", to)
    if (from.includes('/')) blocks.push({ ...parseBlock(from), target })
    else {
      const source = parseAddress(from)
      if (source === undefined) throw new ConfigError('addressMap', FORM, from)
      exact.set(source.port === undefined ? source.host : showAddress(source as Address), target)
    }
  }
  blocks.sort((a, b) => b.bits - a.bits)
  return (host, port) => {
    const family = isIP(host) === 6 ? 'ipv6' : 'ipv4'
    const target =
      exact.get(showAddress({ host, port })) ??
      exact.get(host) ??
      (isIP(host) === 0 ? undefined : blocks.find(({ block }) => block.check(host, family))?.target)
    return { host: target?.host ?? host, port: target?.port ?? port }
  }
}

function checkMapped(host: string, port: number, mapped: unknown): Address {
  if (mapped === undefined || mapped === null) return { host, port }
  const { host: toHost, port: toPort } = mapped as Partial<Address>
  if (typeof toHost !== 'string' || toHost === '' || !isPort(toPort))
    throw new ConfigError('addressMap', `{ host, port } for ${showAddress({ host, port })}`, mapped)
  return { host: toHost, port: toPort as number }
}

function parseBlock(text: string): { readonly bits: number; readonly block: BlockList } {
  const [net = '', bits = ''] = text.split('/')
  const family = isIP(net)
  const block = new BlockList()
  try {
    if (family === 0 || !/^\d{1,3}$/.test(bits)) throw new Error('no block')
    block.addSubnet(net, Number(bits), family === 6 ? 'ipv6' : 'ipv4')
  } catch {
    throw new ConfigError('addressMap', "a block such as '172.30.0.0/24'", text)
  }
  return { bits: Number(bits), block }
}

/** `host`, `host:port`, `[v6]` or `[v6]:port`; undefined for anything else. */
export function parseAddress(text: string): { readonly host: string; readonly port?: number } | undefined {
  const found = isIP(text) === 6 ? [text, text] : /^(?:\[([^\]]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/.exec(text)
  const host = found?.[1] ?? found?.[2]
  if (!found || !host) return undefined
  if (found[3] === undefined) return { host }
  return isPort(Number(found[3])) ? { host, port: Number(found[3]) } : undefined
}

/** `host:port`, with the brackets that IPv6 needs. */
export const showAddress = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

const isPort = (port: unknown): boolean => Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536
