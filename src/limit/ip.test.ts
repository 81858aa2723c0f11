import { expect, it } from 'vitest'
import { ipKey } from './ip.ts'

it.each([
  ['1.2.3.4', '1.2.3.4'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['::FFFF:0102:0304', '1.2.3.4'],
  ['0:0:0:0:0:ffff:255.254.0.1', '255.254.0.1'],
  ['2001:db8:1:2ff:3:4:5:6', '2001:db8:1:200::/56'],
  ['2001:0DB8:0001:0200:0000::', '2001:db8:1:200::/56'],
  ['2001:db8:1:2ff::', '2001:db8:1:200::/56'],
  ['fe80::1%eth0', 'fe80::/56'],
  ['::1', '::/56'],
  ['::1.2.3.4', '::/56'],
])('makes %s the id %s', (ip, id) => {
  expect(ipKey(ip)).toBe(id)
})

it('takes as much of an address as it is told to', () => {
  expect(ipKey('2001:db8:1:2ff:3:4:5:6', { ipv6Prefix: 128 })).toBe('2001:db8:1:2ff:3:4:5:6/128')
  expect(ipKey('2001:db8:1:2ff:3:4:5:6', { ipv6Prefix: 64 })).toBe('2001:db8:1:2ff::/64')
  expect(ipKey('2001:db8:1:2ff:3:4:5:6', { ipv6Prefix: 1 })).toBe('::/1')
  expect(ipKey('a:b:c:d:e:f:1:0', { ipv6Prefix: 112 })).toBe('a:b:c:d:e:f:1:0/112')
})

it.each([
  '',
  '1.2.3',
  '1.2.3.4:80',
  '[::1]',
  '1.2.3.4, 5.6.7.8',
  'unknown',
  '010.1.1.1',
  ' 1.2.3.4',
  '::g',
  '1::2::3',
  undefined,
  7,
])('refuses %j, which is no address', (ip) => {
  expect(() => ipKey(ip as string)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'ip' }))
})

it('refuses a prefix that is none', () => {
  for (const ipv6Prefix of [0, 129, 1.5]) expect(() => ipKey('::1', { ipv6Prefix })).toThrow(/ipv6Prefix/)
})
