import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { findServerBinary } from './binary.ts'
import { type ClusterOptions, startCluster, type TestCluster, type TestServer } from './index.ts'

const PASSWORD = 'p@ss "w\\ö:rd/'

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster({
    spares: 1,
    announceHostnames: true,
    password: PASSWORD,
    users: { app: 'on >secret ~app:* +get' },
    config: { maxmemory: '50mb' },
  })
})

afterAll(() => cluster?.stop())

const ask = <T extends string | string[]>(node: TestServer, ...args: string[]) => node.command(...args) as Promise<T>

/** The first words of an answer that is an error. */
async function refusal(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => expect.unreachable('it was not refused'),
    (error: Error) => error,
  )
  return error.message
}

/** A name whose slot this node owns. */
async function keyOf(node: TestServer): Promise<string> {
  for (let n = 0; ; n++) if ((await cluster.primaryOf(`key-${n}`)) === node) return `key-${n}`
}

describe('startCluster', () => {
  it('shares the slots among three primaries, each with a replica whose link is up', async () => {
    const primaries = await cluster.primaries()
    expect(primaries).toEqual(cluster.nodes.slice(0, 3))
    for (const [i, primary] of primaries.entries()) {
      expect(await cluster.replicasOf(primary)).toEqual([cluster.nodes[3 + i]])
      expect(await ask(cluster.nodes[3 + i]!, 'INFO', 'replication')).toMatch(/master_link_status:up/)
    }
    for (const node of cluster.nodes) expect(await ask(node, 'CLUSTER', 'INFO')).toMatch(/cluster_slots_ok:16384/)
    expect(await ask(cluster.spares[0]!, 'CLUSTER', 'INFO')).toMatch(/cluster_known_nodes:1\b/)
  })

  it('gives nodes ports below those of outgoing connections, for the bus too', () => {
    const ports = [...cluster.nodes, ...cluster.spares].flatMap(({ port, busPort }) => [port, busPort])
    expect(new Set(ports).size).toBe(14)
    for (const port of ports) expect(port).toBeLessThan(32_768)
  })

  it('answers clients as soon as it is returned: reads, writes, and the list of all nodes', async () => {
    const primary = await cluster.primaryOf('a')
    expect(await primary.command('SET', 'a', 1)).toBe('OK')
    for (const node of cluster.nodes) {
      const rows = (await node.command('CLUSTER', 'SLOTS')) as [number, number, ...[string, number][]][]
      expect(rows.flatMap(([, , ...addresses]) => addresses.map(([, port]) => port)).sort()).toEqual(
        cluster.nodes.map(({ port }) => port).sort(),
      )
    }
  })

  it('announces names that do not resolve, and says in a map where they are', async () => {
    const { addressMap } = cluster
    expect(Object.keys(addressMap)).toHaveLength(7)
    const owner = await cluster.primaryOf('a')
    const stranger = cluster.nodes.slice(0, 3).find((node) => node !== owner)!
    const moved = /MOVED 15495 (node-\d\.[0-9a-f]{12}\.invalid:\d+)$/.exec(await refusal(ask(stranger, 'GET', 'a')))
    expect(addressMap[moved![1]!]).toBe(`127.0.0.1:${owner.port}`)
    const rows = (await stranger.command('CLUSTER', 'SLOTS')) as [number, number, ...[string, number][]][]
    const shown = rows.flatMap(([, , ...addresses]) => addresses.map(([host, port]) => `${host}:${port}`))
    expect(shown.map((address) => addressMap[address]).sort()).toEqual(
      cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).sort(),
    )
  })

  it('asks for the password on every node, has the users, and applies settings', async () => {
    expect(new URL(cluster.url.replace(/,.*/, '')).password).toBe(encodeURIComponent(PASSWORD))
    expect(cluster.url.split('@')[1]?.split(',')).toEqual(cluster.nodes.map(({ port }) => `127.0.0.1:${port}`))
    for (const node of [...cluster.nodes, ...cluster.spares]) {
      expect(await node.command('AUTH', PASSWORD)).toBe('OK')
      expect(await ask(node, 'ACL', 'DRYRUN', 'app', 'SET', 'app:1', 'x')).toMatch(/no permissions/)
      expect(await node.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '52428800'])
    }
  })

  it.each([
    [{ primaries: 2 }, 'primaries'],
    [{ replicas: -1 }, 'replicas'],
    [{ spares: 0.5 }, 'spares'],
    [{ nodeTimeout: '5 parsecs' }, 'nodeTimeout'],
    [{ timeout: 0 }, 'timeout'],
    [{ announceHostnames: 'yes' }, 'announceHostnames'],
    [{ appendOnly: 1 }, 'appendOnly'],
    [{ primary: 3 }, 'startCluster.primary'],
    [{ config: { maxmemoryy: 1 } }, 'config'],
  ])('refuses %j by name', async (options, option) => {
    await expect(startCluster(options as ClusterOptions)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  })

  it('says when there is no server program', async () => {
    await expect(startCluster({ binary: 'no-such-server' })).rejects.toMatchObject({ code: 'NO_SERVER' })
  })

  it('stops those that started when others end at once', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'two-start-'))
    const program = join(dir, 'server')
    const start = (n: number) => `mkdir '${dir}/${n}' 2>/dev/null && echo $$ > '${dir}/${n}/pid' && exec "${real}" "$@"`
    const real = findServerBinary('test')
    writeFileSync(program, `#!/bin/sh\n${start(1)}\n${start(2)}\necho no third one\nexit 1\n`, { mode: 0o700 })
    try {
      await expect(startCluster({ binary: program })).rejects.toThrow(/startCluster: .* no third one/)
      for (const n of [1, 2]) {
        const pid = Number(readFileSync(join(dir, `${n}/pid`), 'utf8'))
        expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
      }
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('says what is missing when time is up', async () => {
    await expect(startCluster({ replicas: 0, timeout: '1s' })).rejects.toMatchObject({
      name: 'NotSettledError',
      code: 'TIMEOUT',
      message: expect.stringMatching(/^startCluster: not within 1000 ms; .* cluster_state:fail/),
    })
  })
})

describe('a cluster', () => {
  it('knows the owner of a key and the id of a node', async () => {
    for (const primary of await cluster.primaries()) {
      const key = await keyOf(primary)
      expect(await ask(primary, 'GET', key)).toBeNull()
    }
    const [node] = cluster.nodes
    const own = (await ask<string>(node!, 'CLUSTER', 'NODES')).split('\n').find((line) => line.includes('myself'))
    expect(await cluster.idOf(node!)).toBe(own!.split(' ')[0])
    expect(await cluster.idOf(node!)).toMatch(/^[0-9a-f]{40}$/)
  })

  it('hands slots over to a replica as planned, and keeps what was written', async () => {
    const [old] = await cluster.primaries()
    const key = await keyOf(old!)
    await old!.command('SET', key, 'kept')
    const successor = await cluster.failover(old!)
    expect(successor).not.toBe(old)
    expect(await cluster.primaryOf(key)).toBe(successor)
    expect(await cluster.replicasOf(successor)).toEqual([old])
    expect(await ask(successor, 'GET', key)).toBe('kept')
    await expect(cluster.failover(old!)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'primary' })
    await cluster.settled()
  })

  it('hands them back, not before the votes of the first time have expired, and survives a kill then', async () => {
    const first = (await cluster.primaries())[1]!
    const successor = await cluster.failover(first)
    const promotedAt = performance.now()
    const back = await cluster.failover(successor)
    expect(back).toBe(first)
    // What the server needs: 2 × 2 × node-timeout. It was seen promoted a moment before the failover was reported.
    expect(performance.now() - promotedAt).toBeGreaterThan(3_500)
    const key = await keyOf(back)
    await back.kill()
    await vi.waitFor(async () => expect(await cluster.primaryOf(key)).toBe(successor), {
      timeout: 15_000,
      interval: 20,
    })
    await cluster.settled()
    await back.restart()
    await cluster.settled()
  })

  it('replaces a primary that was killed, and takes it back as a replica', async () => {
    const primary = (await cluster.primaries())[0]!
    const id = await cluster.idOf(primary)
    const [replica] = await cluster.replicasOf(primary)
    const key = await keyOf(primary)
    await primary.command('SET', key, 'kept')
    await vi.waitFor(async () => expect(await ask(replica!, 'DBSIZE')).toBe(await ask(primary, 'DBSIZE')))
    await primary.kill()
    expect(await cluster.idOf(primary)).toBe(id)
    await vi.waitFor(async () => expect(await cluster.primaryOf(key)).toBe(replica), { timeout: 15_000, interval: 20 })
    await cluster.settled()
    expect(await cluster.replicasOf(replica!)).toEqual([])

    await primary.restart()
    await cluster.settled()
    expect(await cluster.idOf(primary)).toBe(id)
    expect(await cluster.replicasOf(replica!)).toEqual([primary])
    expect(await cluster.primaries()).toContain(replica)
    expect(await ask(replica!, 'GET', key)).toBe('kept')
  })

  it('settles without one that stands still, and with it when it goes on', async () => {
    const primary = (await cluster.primaries())[0]!
    const [replica] = await cluster.replicasOf(primary)
    await primary.pause()
    expect(primary.paused).toBe(true)
    await cluster.settled()
    expect(await cluster.primaries()).toContain(replica)
    await cluster.heal()
    expect(await cluster.replicasOf(replica!)).toEqual([primary])
  })

  it('keeps the place of a node that comes back empty', async () => {
    const primary = (await cluster.primaries())[0]!
    const id = await cluster.idOf(primary)
    const key = await keyOf(primary)
    await primary.command('SET', key, 'lost')
    await primary.restart({ empty: true })
    await cluster.settled()
    expect(await cluster.idOf(primary)).toBe(id)
    expect(await cluster.primaryOf(key)).toBe(primary)
    expect(await ask(primary, 'GET', key)).toBeNull()
  })

  it('takes in a spare that is met, and gives it slots by the usual commands', async () => {
    const spare = cluster.spares[0]!
    const [giver] = await cluster.primaries()
    await giver!.command('CLUSTER', 'MEET', spare.host, spare.port, spare.busPort)
    await vi.waitFor(async () => expect(await cluster.primaries()).toContain(spare), { timeout: 10_000 })
    await cluster.settled()
    const slot = Number(await ask(giver!, 'CLUSTER', 'KEYSLOT', await keyOf(giver!)))
    await giver!.command('FLUSHALL')
    const id = await cluster.idOf(spare)
    for (const node of [spare, ...(await cluster.primaries())])
      await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', id)
    await cluster.settled()
    const moved = (await ask<string>(giver!, 'CLUSTER', 'NODES')).split('\n').find((line) => line.startsWith(id))
    expect(moved).toMatch(new RegExp(` connected ${slot}$`))
  })

  it('settles without a node that was taken out', async () => {
    const spare = cluster.spares[0]!
    const others = (await cluster.primaries()).filter((node) => node !== spare)
    const id = await cluster.idOf(spare)
    const heir = await cluster.idOf(others[0]!)
    const slot = / connected (\d+)$/m.exec(await ask(spare, 'CLUSTER', 'NODES'))![1]!
    for (const node of [...others, spare]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', heir)
    // A soft reset leaves it the highest epoch of all: its news must not pass for the latest.
    await spare.command('CLUSTER', 'BUMPEPOCH')
    await spare.command('CLUSTER', 'RESET', 'SOFT')
    await Promise.all(cluster.nodes.map((node) => node.command('CLUSTER', 'FORGET', id)))
    await cluster.settled()
    expect(await cluster.primaries()).toEqual(others)
  })

  it('tells whom it was not asked about', async () => {
    await expect(cluster.idOf({ port: 1 } as TestServer)).rejects.toMatchObject({ option: 'node' })
  })

  it('leaves neither process nor folder when it is stopped', async () => {
    const { nodes, spares } = cluster
    const all = [...nodes, ...spares]
    const pids = all.map(({ pid }) => pid!)
    const [, dir] = (await nodes[0]!.command('CONFIG', 'GET', 'dir')) as [string, string]
    expect(existsSync(dir)).toBe(true)
    await nodes[1]!.pause()
    await cluster.close()
    await cluster.stop()
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
    expect(existsSync(dir)).toBe(false)
    await expect(cluster.primaries()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  })
})
