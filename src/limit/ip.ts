import { isIP } from 'node:net'
import { checkInteger, checkKnown } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'

export interface IpKeyOptions {
  /** Leading bits of an IPv6 address that count, 1 to 128: what one customer is given. Default 56. */
  readonly ipv6Prefix?: number
}

/**
 * An address as the id of a limiter. An IPv6 host may take any address of its network, so that its network is the id; an IPv4 address
 * that is written as IPv6 (`::ffff:1.2.3.4`, as a server that listens on both has it) is an IPv4 address, and no network of all.
 *
 * returns  `1.2.3.4`, or `2001:db8:1:200::/56`: the same for every spelling
 * throws   ConfigError for what is no address: a port, a list, or nothing
 */
export function ipKey(ip: string, options: IpKeyOptions = {}): string {
  checkKnown('options', options, ['ipv6Prefix'])
  const prefix = checkInteger('ipv6Prefix', options.ipv6Prefix ?? 56, 1, 128)
  const version = typeof ip === 'string' ? isIP(ip) : 0
  if (version === 0) throw new ConfigError('ip', 'an IPv4 or IPv6 address', ip)
  if (version === 4) return ip
  const words = wordsOf(ip.replace(/%.*$/, ''))
  const [high, low] = [words[6] as number, words[7] as number]
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff)
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  const masked = words.map((word, i) => {
    const bits = Math.min(16, Math.max(0, prefix - 16 * i))
    return word & (0xffff << (16 - bits)) & 0xffff
  })
  return `${spell(masked)}/${prefix}`
}

/** The eight words of an address that is known to be one. */
function wordsOf(ip: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(ip)
  const hex = (high: unknown, low: unknown) => (Number(high) * 256 + Number(low)).toString(16)
  const text = dotted === null ? ip : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
  const [head = '', tail] = text.split('::')
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const [before, after] = [parse(head), parse(tail ?? '')]
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** Without the zeros at its end, which is where a network has them. */
function spell(words: readonly number[]): string {
  let end = words.length
  while (end > 0 && words[end - 1] === 0) end--
  const shown = words
    .slice(0, end)
    .map((word) => word.toString(16))
    .join(':')
  return end >= 7 ? words.map((word) => word.toString(16)).join(':') : `${shown}::`
}
