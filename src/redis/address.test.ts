import { expect, test } from 'vitest'
import { parseAddress, resolveAddressMap, showAddress } from './address.ts'

test('maps the most exact entry: host and port, then host, then the smallest block', () => {
  const map = resolveAddressMap({
    '172.30.0.0/24': '127.0.0.1',
    '172.30.0.8/30': 'near',
    '172.30.0.11': 'own',
    '172.30.0.11:7001': 'outside:9001',
    'redis-1.internal': '127.0.0.1:7001',
    '[::1]:7001': 'six:1',
    'fd00::/8': 'v6',
  })
  expect(map('172.30.0.11', 7001)).toEqual({ host: 'outside', port: 9001 })
  expect(map('172.30.0.11', 7002)).toEqual({ host: 'own', port: 7002 })
  expect(map('172.30.0.9', 7002)).toEqual({ host: 'near', port: 7002 })
  expect(map('172.30.0.99', 7002)).toEqual({ host: '127.0.0.1', port: 7002 })
  expect(map('redis-1.internal', 7005)).toEqual({ host: '127.0.0.1', port: 7001 })
  expect(map('::1', 7001)).toEqual({ host: 'six', port: 1 })
  expect(map('fd00::5', 1)).toEqual({ host: 'v6', port: 1 })
  expect(map('192.168.0.1', 6379)).toEqual({ host: '192.168.0.1', port: 6379 })
})

test('maps by a function, which may leave an address alone and must answer an address', () => {
  const map = resolveAddressMap((host: string, port: number) =>
    host === 'known' ? { host: '127.0.0.1', port: port + 1 } : undefined,
  )
  expect(map('known', 1)).toEqual({ host: '127.0.0.1', port: 2 })
  expect(map('other', 1)).toEqual({ host: 'other', port: 1 })
  for (const wrong of ['127.0.0.1', { host: '', port: 1 }, { host: 'h' }, { host: 'h', port: 0 }])
    expect(() => resolveAddressMap(() => wrong)('h', 1)).toThrow(/addressMap: expected \{ host, port \} for h:1/)
})

test('reads and shows addresses of both families', () => {
  expect(parseAddress('h')).toEqual({ host: 'h' })
  expect(parseAddress('h:1')).toEqual({ host: 'h', port: 1 })
  expect(parseAddress('[::1]:1')).toEqual({ host: '::1', port: 1 })
  expect(parseAddress('fe80::1')).toEqual({ host: 'fe80::1' })
  for (const wrong of ['', ':1', 'h:0', 'h:70000', 'h:x', 'a@b', 'a b']) expect(parseAddress(wrong)).toBeUndefined()
  expect(showAddress({ host: '::1', port: 1 })).toBe('[::1]:1')
})
