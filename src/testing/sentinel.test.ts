import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type SentinelOptions, startSentinel, type TestSentinel, type TestServer } from './index.ts'

const PASSWORD = 'p@ss "w\\ö:rd/'

let group: TestSentinel

beforeAll(async () => {
  group = await startSentinel({
    primaryName: 'shop-1',
    password: PASSWORD,
    sentinelPassword: 'w@tch "\\me/',
    users: { app: 'on >secret ~app:* +get' },
    config: { maxmemory: '50mb' },
  })
})

afterAll(() => group?.stop())

const roleOf = async (server: TestServer) => ((await server.command('ROLE')) as string[])[0]

async function expectReplica(server: TestServer, primary: TestServer): Promise<void> {
  const [role, host, port, link] = (await server.command('ROLE')) as [string, string, number, string]
  expect([role, host, port, link]).toEqual(['slave', primary.host, primary.port, 'connected'])
}

/** How many Sentinels name this server. */
async function namedBy(sentinels: readonly TestServer[], server: TestServer): Promise<number> {
  const named = await Promise.all(
    sentinels.map((sentinel) => sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'shop-1')),
  )
  return named.filter((address) => (address as string[])[1] === String(server.port)).length
}

describe('startSentinel', () => {
  it('watches a primary with two replicas by three Sentinels that know each other', async () => {
    const [primary, ...replicas] = group.servers
    expect(await group.primary()).toBe(primary)
    expect(await roleOf(primary!)).toBe('master')
    for (const replica of replicas) await expectReplica(replica, primary!)
    for (const sentinel of group.sentinels) {
      expect(await sentinel.command('SENTINEL', 'REPLICAS', 'shop-1')).toHaveLength(2)
      expect(await sentinel.command('SENTINEL', 'SENTINELS', 'shop-1')).toHaveLength(2)
      expect(await sentinel.command('SENTINEL', 'CKQUORUM', 'shop-1')).toMatch(/^OK 3 usable Sentinels/)
    }
  })

  it('gives an address of Sentinels, name and passwords', () => {
    const url = new URL(group.url.replace(/@.*\//, '@sentinels/'))
    expect(url.protocol).toBe('redis+sentinel:')
    expect(decodeURIComponent(url.password)).toBe(PASSWORD)
    expect(url.pathname).toBe('/shop-1')
    expect(url.searchParams.get('sentinelPassword')).toBe('w@tch "\\me/')
    const hosts = group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
    expect(group.url).toContain(`@${hosts}/shop-1?`)
  })

  it('asks for the passwords, has the users, and applies settings', async () => {
    for (const server of group.servers) {
      expect(await server.command('AUTH', PASSWORD)).toBe('OK')
      expect(await server.command('ACL', 'DRYRUN', 'app', 'SET', 'app:1', 'x')).toMatch(/no permissions/)
      expect(await server.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '52428800'])
    }
    for (const sentinel of group.sentinels) {
      expect(await sentinel.command('AUTH', 'w@tch "\\me/')).toBe('OK')
      await expect(sentinel.command('AUTH', PASSWORD)).rejects.toMatchObject({ reply: 'WRONGPASS' })
    }
  })

  it('needs no password, and no more than one Sentinel', async () => {
    await using single = await startSentinel({ replicas: 1, sentinels: 1, appendOnly: false })
    expect(single.url).toBe(`redis+sentinel://127.0.0.1:${single.sentinels[0]!.port}/primary`)
    expect(await single.primary()).toBe(single.servers[0])
  })

  it.each([
    [{ replicas: -1 }, 'replicas'],
    [{ sentinels: 0 }, 'sentinels'],
    [{ downAfter: 'soon' }, 'downAfter'],
    [{ failoverTimeout: 0 }, 'failoverTimeout'],
    [{ primaryName: 'a b' }, 'primaryName'],
    [{ name: 'shop' }, 'startSentinel.name'],
    [{ config: { maxmemoryy: 1 } }, 'config'],
  ])('refuses %j by name', async (options, option) => {
    await expect(startSentinel(options as SentinelOptions)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  })

  it('says when there is no server program, and when it ends at once', async () => {
    await expect(startSentinel({ binary: 'no-such-server' })).rejects.toMatchObject({ code: 'NO_SERVER' })
    await expect(startSentinel({ binary: 'false' })).rejects.toThrow(/^startSentinel: the server ended before/)
  })
})

describe('a Sentinel group', () => {
  it('makes a replica the primary as planned, and the old primary its replica', async () => {
    const old = await group.primary()
    const now = await group.failover()
    expect(now).not.toBe(old)
    expect(await namedBy(group.sentinels, now)).toBe(3)
    expect(await roleOf(now)).toBe('master')
    await group.settled()
    await expectReplica(old, now)
  })

  it('replaces a primary that was killed, and takes it back as a replica', async () => {
    const old = await group.primary()
    await old.command('SET', 'k', 'kept')
    expect(await old.command('WAIT', 2, 5_000)).toBe(2)
    await old.kill()
    await vi.waitFor(async () => expect(await group.primary()).not.toBe(old), { timeout: 20_000, interval: 20 })
    await group.settled()
    expect(await (await group.primary()).command('GET', 'k')).toBe('kept')

    await old.restart()
    await group.settled()
    const now = await group.primary()
    expect(now).not.toBe(old)
    await expectReplica(old, now)
  })

  it('brings a replica back as what it had become', async () => {
    const primary = await group.primary()
    const replica = group.servers.find((server) => server !== primary)!
    await replica.restart()
    expect(await roleOf(replica)).toBe('slave')
    await group.settled()
    expect(await replica.command('GET', 'k')).toBe('kept')
  })

  it('goes on with a Sentinel less, which comes back with what it knew', async () => {
    const [first, ...others] = group.sentinels
    const primary = await group.primary()
    await first!.kill()
    expect(await group.primary()).toBe(primary)
    await others[0]!.pause()
    expect(await group.primary()).toBe(primary)
    await expect(others[1]!.command('SENTINEL', 'CKQUORUM', 'shop-1')).resolves.toMatch(/^OK|NOQUORUM/)
    await group.heal()
    expect(await namedBy([first!], primary)).toBe(1)
    expect(await first!.command('SENTINEL', 'SENTINELS', 'shop-1')).toHaveLength(2)
  })

  it('says what is missing when time is up', async () => {
    await using short = await startSentinel({ replicas: 1, sentinels: 1, timeout: '3s', failoverTimeout: '1s' })
    await short.servers[1]!.kill()
    await expect(short.failover()).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'replicas' })
    await short.servers[0]!.kill()
    await expect(short.settled()).rejects.toMatchObject({
      name: 'NotSettledError',
      code: 'TIMEOUT',
      missing: expect.stringContaining(String(short.servers[0]!.port)),
    })
  })

  it('leaves neither process nor folder when it is stopped', async () => {
    const all = [...group.servers, ...group.sentinels]
    const pids = all.map(({ pid }) => pid!)
    const [, dir] = (await group.servers[0]!.command('CONFIG', 'GET', 'dir')) as [string, string]
    expect(existsSync(dir)).toBe(true)
    await group.close()
    await group.stop()
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
    expect(existsSync(dir)).toBe(false)
    await expect(group.primary()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  })
})
