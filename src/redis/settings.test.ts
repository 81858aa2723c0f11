import { inspect } from 'node:util'
import fc from 'fast-check'
import { Cluster, Redis as Ioredis } from 'ioredis'
import { afterEach, expect, test, vi } from 'vitest'
import { ConfigError } from '../base/errors.ts'
import { type ConnectOptions, redact, resolveSettings } from './settings.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const target = (url: string | undefined, options: ConnectOptions = {}) => {
  const { address, connection } = resolveSettings(url, options)
  const { name: _name, openTimeoutMs: _open, ...rest } = connection
  return { address, ...rest }
}

const refusal = (url: unknown, options: unknown = {}): ConfigError => {
  try {
    resolveSettings(url as string, options as ConnectOptions)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return error as ConfigError
  }
  throw new Error('it was taken')
}

test('reads every form of address', () => {
  expect(target('redis://h')).toEqual({ address: 'h:6379', host: 'h', port: 6379, db: 0 })
  expect(target('redis://h:7000/3')).toEqual({ address: 'h:7000', host: 'h', port: 7000, db: 3 })
  expect(target('redis://h?db=4')).toMatchObject({ db: 4 })
  expect(target('redis://me:pw@h')).toMatchObject({ host: 'h', username: 'me', password: 'pw' })
  expect(target('redis://:pw@h')).toEqual({ address: 'h:6379', host: 'h', port: 6379, db: 0, password: 'pw' })
  expect(target('redis://me@h')).toEqual({ address: 'h:6379', host: 'h', port: 6379, db: 0, username: 'me' })
  expect(target('rediss://h:1')).toMatchObject({ host: 'h', port: 1, tls: {} })
  expect(target('redis://[::1]:7000/1')).toMatchObject({ address: '[::1]:7000', host: '::1', port: 7000, db: 1 })
  expect(target('redis://[fe80::1]')).toMatchObject({ host: 'fe80::1', port: 6379 })
  expect(target('redis:///2')).toMatchObject({ host: '127.0.0.1', db: 2 })
  expect(target('redis://m%C3%BCller')).toMatchObject({ host: 'müller' })
  expect(target('unix:///run/redis.sock')).toEqual({
    address: '/run/redis.sock',
    host: '',
    port: 0,
    path: '/run/redis.sock',
    db: 0,
  })
  expect(target('unix:///a%20b/r.sock?db=2')).toMatchObject({ path: '/a b/r.sock', db: 2 })
  expect(target('unix://me:pw@/run/r.sock')).toMatchObject({ path: '/run/r.sock', username: 'me', password: 'pw' })
  expect(target('unix://:p%40w@/run/r.sock?db=1')).toMatchObject({ path: '/run/r.sock', password: 'p@w', db: 1 })
})

test('decodes credentials of any letters', () => {
  const text = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((drawn) => !/\p{Surrogate}/u.test(drawn))
  fc.assert(
    fc.property(text, text, (user, password) => {
      const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
      for (const url of [`redis://${login}@h:1/2`, `unix://${login}@/s`])
        expect(target(url)).toMatchObject({ username: user, password })
    }),
  )
})

test('takes REDIS_URL where no address is given, and the local server where that is empty too', () => {
  vi.stubEnv('REDIS_URL', 'redis://:pw@env:1')
  expect(target(undefined)).toMatchObject({ address: 'env:1', password: 'pw' })
  expect(target('redis://h')).not.toHaveProperty('password')
  vi.stubEnv('REDIS_URL', '')
  expect(target(undefined)).toMatchObject({ address: '127.0.0.1:6379' })
  vi.stubEnv('REDIS_URL', undefined)
  expect(target(undefined)).toMatchObject({ address: '127.0.0.1:6379' })
})

test('takes the address among the options too, but not twice', () => {
  expect(target(undefined, { url: 'redis://h:1' })).toMatchObject({ address: 'h:1' })
  expect(refusal('redis://h', { url: 'redis://h' }).option).toBe('url')
  expect(refusal(undefined, { url: 'redis://h', client: new Ioredis({ lazyConnect: true }) }).option).toBe('client')
})

test('sets the password of the options above that of the address', () => {
  const password = () => 'fresh'
  expect(target('redis://:pw@h', { password: 'own' })).toMatchObject({ password: 'own' })
  expect(target('redis://:pw@h', { password })).toMatchObject({ password })
  expect(refusal('redis://h', { password: 5 })).toMatchObject({ option: 'password', received: "'number'" })
})

test('has defaults: a namespace, a second, a name that says who is connected', () => {
  const settings = resolveSettings('redis://h', {})
  expect(settings).toMatchObject({ namespace: 'hf', timeoutMs: 1_000, lazy: false })
  expect(settings.connection.name).toMatch(new RegExp(`^holdfast:[!-~]+:${process.pid}$`))
  expect(settings.connection.openTimeoutMs).toBe(1_000)
  expect(resolveSettings('redis://h', { timeout: '1m' }).connection.openTimeoutMs).toBe(2_000)
  expect(resolveSettings('redis://h', { timeout: 10 }).connection.openTimeoutMs).toBe(100)
  expect(resolveSettings('redis://h', { name: 'me' }).connection.name).toBe('me')
})

test.each([
  ['', {}, 'url'],
  ['localhost:6379', {}, 'url'],
  ['http://h', {}, 'url'],
  ['redis+cluster://', {}, 'url'],
  ['redis+cluster://h1,,h2', {}, 'url'],
  ['redis+cluster://h1,h2/1', {}, 'url'],
  ['redis+cluster://h1,h1:6379', {}, 'url'],
  ['redis+cluster://h1,h2:port', {}, 'url'],
  ['redis+sentinel://h1,h2', {}, 'url'],
  ['redis+sentinel:///main', {}, 'url'],
  ['redis+sentinel://h1/main/x', {}, 'url'],
  ['redis+shards://a=h1,a=h2', {}, 'url'],
  ['redis+shards://a=h1,b=h1', {}, 'url'],
  ['redis+shards://=h1', {}, 'url'],
  ['redis+shards://a=', {}, 'url'],
  ['redis+other://h1', {}, 'url'],
  ['redis://h', { addressMap: 'h' }, 'addressMap'],
  ['redis://h', { addressMap: { h: 5 } }, "addressMap['h']"],
  ['redis://h', { addressMap: { '10.0.0.0/40': 'h' } }, 'addressMap'],
  ['redis://h', { addressMap: { 'a b': 'h' } }, 'addressMap'],
  ['redis://h', { readFrom: 'nearest' }, 'readFrom'],
  ['redis://h:port', {}, 'url'],
  ['redis://h:0', {}, 'url'],
  ['redis://h:65536', {}, 'url'],
  ['redis://h/x', {}, 'url'],
  ['redis://h/1/2', {}, 'url'],
  ['redis://h/-1', {}, 'url'],
  ['redis://me:%zz@h', {}, 'url'],
  ['unix://', {}, 'url'],
  ['unix:///', {}, 'url'],
  ['unix://tmp/redis.sock', {}, 'url'],
  ['redis://h', { tiemout: 1 }, 'tiemout'],
  ['redis://h', { timeout: 0 }, 'timeout'],
  ['redis://h', { timeout: 'soon' }, 'timeout'],
  ['redis://h', { timeout: '30d' }, 'timeout'],
  ['redis://h', { lazy: 'yes' }, 'lazy'],
  ['redis://h', { tls: 'yes' }, 'tls'],
  ['rediss://h', { tls: false }, 'tls'],
  ['redis://h', { name: 'two words' }, 'name'],
  ['redis://h', { name: 'a\r\nFLUSHALL' }, 'name'],
  ['redis://h', 'options', 'options'],
] as const)('refuses %o with %o, naming %o', (url, options, option) => {
  expect(refusal(url, options).option).toBe(option)
})

const place = (url: string | undefined, options: ConnectOptions = {}) => resolveSettings(url, options).place

test('reads addresses of several servers, with credentials that hold any letter', () => {
  expect(place('redis+cluster://h1:7001,[::1]:7002,h3')).toEqual({
    kind: 'cluster',
    seeds: [
      { host: 'h1', port: 7001 },
      { host: '::1', port: 7002 },
      { host: 'h3', port: 6379 },
    ],
  })
  expect(place('redis+sentinel://me:pw@h1,h2:5/main?sentinelUsername=s&sentinelPassword=p%40%2Fw')).toEqual({
    kind: 'sentinel',
    sentinels: [
      { host: 'h1', port: 26379 },
      { host: 'h2', port: 5 },
    ],
    primaryName: 'main',
    login: { username: 's', password: 'p@/w' },
  })
  expect(target('redis+sentinel://me:pw@h1/main/3')).toMatchObject({ username: 'me', password: 'pw', db: 3 })
  expect(place('redis+shards://a=h1:1,b=h2,h3:3')).toEqual({
    kind: 'shards',
    shards: [
      { name: 'a', host: 'h1', port: 1 },
      { name: 'b', host: 'h2', port: 6379 },
      { name: 'h3:3', host: 'h3', port: 3 },
    ],
  })
  expect(target('rediss+cluster://u:%2C%40%2F@h1,h2')).toMatchObject({ username: 'u', password: ',@/', tls: {} })
})

test("takes a user's Cluster or Sentinel client as the source of addresses, credentials and map", () => {
  const natMap = { '10.0.0.1:7001': { host: 'outside', port: 1 } }
  const cluster = new Cluster([{ host: 'h1', port: 7001 }, 'redis://h2:7002', 7003], {
    lazyConnect: true,
    natMap,
    redisOptions: { username: 'me', password: 'pw' },
  })
  const settings = resolveSettings(undefined, { client: cluster })
  expect(settings.place).toMatchObject({
    kind: 'cluster',
    seeds: [
      { host: 'h1', port: 7001 },
      { host: 'h2', port: 7002 },
      { host: '127.0.0.1', port: 7003 },
    ],
  })
  expect(settings.connection).toMatchObject({ username: 'me', password: 'pw' })
  expect(settings.mapAddress('10.0.0.1', 7001)).toEqual({ host: 'outside', port: 1 })
  const sentinel = new Ioredis({
    sentinels: [{ host: 's1' }, { host: 's2', port: 5 }],
    name: 'main',
    sentinelPassword: 'sp',
    password: 'pw',
    lazyConnect: true,
  })
  expect(resolveSettings(undefined, { client: sentinel })).toMatchObject({
    connection: { password: 'pw' },
    place: {
      kind: 'sentinel',
      primaryName: 'main',
      login: { password: 'sp' },
      sentinels: [
        { host: 's1', port: 26379 },
        { host: 's2', port: 5 },
      ],
    },
  })
})

test("takes a user's ioredis client as the source of address and credentials, and opens none of its connections", () => {
  const client = new Ioredis('redis://me:pw@h:7000/3', { lazyConnect: true })
  expect(target(undefined, { client })).toEqual({
    address: 'h:7000',
    host: 'h',
    port: 7000,
    db: 3,
    username: 'me',
    password: 'pw',
  })
  expect(client.status).toBe('wait')
  expect(target(undefined, { client: new Ioredis('/run/r.sock', { lazyConnect: true }) })).toMatchObject({
    path: '/run/r.sock',
  })
  expect(target(undefined, { client: new Ioredis({ tls: { servername: 'x' }, lazyConnect: true }) })).toMatchObject({
    tls: { servername: 'x' },
  })
})

test('refuses a client whose settings cannot be ours, by name: a prefix, a stranger', () => {
  const of = (options: object) => new Ioredis({ lazyConnect: true, ...options })
  expect(refusal(undefined, { client: of({ keyPrefix: 'app:' }) })).toMatchObject({
    option: 'client.keyPrefix',
    received: "'app:'",
  })
  const prefixed = new Cluster([{ host: 'h' }], { lazyConnect: true, keyPrefix: 'app:' })
  expect(refusal(undefined, { client: prefixed }).option).toBe('client.keyPrefix')
  for (const client of [null, 5, {}, { options: {} }, 'redis://me:s3cret@h'])
    expect(refusal(undefined, { client }).option).toBe('client')
})

test('shows no credentials in any refusal, nor in anything that is printed of one', () => {
  const secret = 's3cr3t'
  const urls = [
    `redis://me:${secret}@h:port`,
    `redis://me:${secret}@h/x`,
    `redis://me:${secret}`,
    `redis://me:${secret}/0`,
    `redis://:${secret}@h/1/2`,
    `redis://me:a@${secret}@h:port`,
    `redis://me:a/${secret}@h:port`,
    `redis://me:a#${secret}@h:port`,
    `redis://me:a?${secret}@h:port`,
    `redis://me:%zz${secret}@h`,
    `http://me:${secret}@h`,
    `redis+sentinel://me:${secret}@h1,h2/m/x?sentinelPassword=${secret}`,
    `redis+cluster://me:${secret}@h1,h2/3`,
    `redis+shards://me:${secret}@a=h1,a=h2`,
    `redis://h/x?password=${secret}`,
    `redis:me:${secret}@h`,
    `me:${secret}@h`,
    secret,
    `unix://me:${secret}@tmp/x`,
    `  redis://me:${secret}@h:port`,
  ]
  for (const url of urls)
    for (const error of [refusal(url), refusal(undefined, { url }), refusal(undefined, { client: url })])
      for (const text of [
        error.message,
        error.stack,
        JSON.stringify(error),
        inspect(error, { depth: 10, showHidden: true }),
      ])
        expect(text, url).not.toContain(secret)
  expect(inspect(refusal('redis://h', { password: { secret } }), { depth: 10 })).not.toContain(secret)
  const odd = new Ioredis({ lazyConnect: true, keyPrefix: 'x', password: secret })
  expect(inspect(refusal(undefined, { client: odd }), { depth: 10 })).not.toContain(secret)
})

test('shows the rest of an address', () => {
  expect(redact('redis://me:pw@h:1/2?x=y')).toBe('redis://…@h:1/2')
  expect(redact('rediss://h:1/2')).toBe('rediss://h:1/2')
  expect(redact('redis://[::1]:6379/x')).toBe('redis://[::1]:6379/x')
  expect(redact('redis://h1:1,h2:2/x')).toBe('redis://h1:1,h2:2/x')
  expect(redact('redis://me:pw@[::1]:port')).toBe('redis://…@…')
  expect(redact(5)).toBe('number')
})
