// What the compose files promise, read as Compose reads them.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { announcedBy, DEPLOY, type Layout, readLayout, type Service, serversOf, serviceOf } from './layout.fixture.ts'

const cluster = readLayout('cluster')
const sentinel = readLayout('sentinel')
const nodes = Array.from({ length: 8 }, (_, i) => `redis-${i + 1}`)

const addressIn = (service: Service): string => Object.values(service.networks)[0].ipv4_address
/** Every name under which secrets, configs or volumes are used by a service. */
const used = (layout: Layout, kind: 'secrets' | 'configs'): Set<string> =>
  new Set(Object.values(layout.services).flatMap((service) => service[kind].map(({ source }) => source)))

describe('the cluster', () => {
  test('is eight nodes at 172.30.0.11 to 18, each announcing where it is', () => {
    expect(serversOf(cluster)).toEqual(nodes)
    expect(nodes.map((name) => announcedBy(serviceOf(cluster, name)))).toEqual(
      nodes.map((_, i) => `172.30.0.${11 + i}:${7001 + i}`),
    )
    expect(nodes.map((name) => addressIn(serviceOf(cluster, name)))).toEqual(nodes.map((_, i) => `172.30.0.${11 + i}`))
    expect(Object.keys(cluster.networks)).toEqual(['cluster'])
    expect(cluster.networks.cluster?.ipam.config[0]?.subnet).toBe('172.30.0.0/24')
  })

  test('shows each client port and each bus port to this machine, under the number that it announces', () => {
    expect(nodes.map((name) => serviceOf(cluster, name).ports)).toEqual(
      nodes.map((_, i) => [`127.0.0.1:${7001 + i}:${7001 + i}`, `127.0.0.1:${17001 + i}:${17001 + i}`]),
    )
  })

  test('is made once, of the first six and not of the spares, when all six are healthy', () => {
    const create = serviceOf(cluster, 'create')
    expect([...(create.command ?? [])].sort()).toEqual(
      nodes.slice(0, 6).map((name) => announcedBy(serviceOf(cluster, name))),
    )
    expect(create.command?.slice(0, 3)).toEqual(['172.30.0.11:7001', '172.30.0.12:7002', '172.30.0.13:7003'])
    expect(create.restart).toBe('no')
    expect(create.depends_on).toEqual(
      Object.fromEntries(nodes.slice(0, 6).map((name) => [name, { condition: 'service_healthy' }])),
    )
  })

  test('differs from node to node in nothing but place and volume', () => {
    const rest = nodes.map((name) => {
      const { environment, networks, ports, volumes, ...same } = serviceOf(cluster, name)
      return same
    })
    for (const one of rest) expect(one).toEqual(rest[0])
  })
})

describe('the Sentinel group', () => {
  const servers = ['redis-1', 'redis-2', 'redis-3']
  const sentinels = ['sentinel-1', 'sentinel-2', 'sentinel-3']

  test('is three servers and three Sentinels, each announcing where it is and reached under that port', () => {
    expect(serversOf(sentinel)).toEqual([...servers, ...sentinels])
    for (const name of serversOf(sentinel)) {
      const service = serviceOf(sentinel, name)
      const { ADDRESS, PORT } = service.environment ?? {}
      expect(addressIn(service)).toBe(ADDRESS)
      expect(service.ports).toEqual([`127.0.0.1:${PORT}:${PORT}`])
    }
    expect(new Set(serversOf(sentinel).map((name) => announcedBy(serviceOf(sentinel, name)))).size).toBe(6)
  })

  test('begins with the first server as primary, and two Sentinels of three decide', () => {
    const first = announcedBy(serviceOf(sentinel, 'redis-1')).replace(':', ' ')
    expect(servers.map((name) => serviceOf(sentinel, name).environment?.PRIMARY)).toEqual([undefined, first, first])
    for (const name of sentinels)
      expect(serviceOf(sentinel, name).environment).toMatchObject({ PRIMARY: first, QUORUM: '2' })
  })
})

describe.each([
  ['cluster', cluster],
  ['sentinel', sentinel],
] as const)('the layout %s', (name, layout) => {
  const services = Object.entries(layout.services)
  const servers = serversOf(layout).map((server) => [server, serviceOf(layout, server)] as const)

  test('runs one image, pinned to a patch version, as the user of that image', () => {
    for (const [service, { image, user, cap_drop, security_opt }] of services) {
      expect(image, service).toMatch(/^[a-z/]+:\d+\.\d+\.\d+$/)
      expect(user, service).toBe('999:999')
      expect(cap_drop, service).toEqual(['ALL'])
      expect(security_opt, service).toEqual(['no-new-privileges:true'])
    }
    expect(new Set(services.map(([, { image }]) => image)).size).toBe(1)
  })

  test('watches every server, restarts it, and bounds its memory, files and log', () => {
    for (const [server, service] of servers) {
      expect(service.healthcheck.test?.slice(0, 3), server).toEqual(['CMD', 'sh', '/etc/holdfast/health.sh'])
      expect(service.restart, server).toBe('unless-stopped')
      expect(service.mem_limit, server).toMatch(/^\d+[mg]$/)
      expect(service.memswap_limit, server).toBe(service.mem_limit)
      expect(service.ulimits, server).toEqual({ nofile: { soft: 65535, hard: 65535 } })
      expect(service.logging, server).toMatchObject({ options: { 'max-size': '10m' } })
    }
  })

  test('leaves a server half of its memory beside the data', () => {
    const file = join(layout.folder, name === 'cluster' ? 'node.conf' : 'server.conf')
    const [, megabytes] = /^maxmemory (\d+)mb$/m.exec(readFileSync(file, 'utf8')) ?? []
    expect(serviceOf(layout, 'redis-1').mem_limit).toBe(`${(Number(megabytes) * 2) / 1024}g`)
  })

  test('gives each server a volume of its own, and a start that may write to memory', () => {
    const volumes = servers.map(([, service]) => service.volumes?.[0]?.split(':') as [string, string])
    expect(volumes.map(([volume]) => volume)).toEqual(Object.keys(layout.volumes))
    expect(new Set(volumes.map(([, path]) => path))).toEqual(new Set(['/data']))
    for (const [, service] of servers) expect(service.tmpfs[0]).toMatch(/^\/run\/holdfast:uid=999,gid=999,mode=0700$/)
  })

  test('keeps addresses that it gives to strangers apart from its own', () => {
    const { subnet, ip_range } = Object.values(layout.networks)[0]?.ipam.config[0] ?? {}
    const range = subnet?.replace('.0/24', '.')
    expect(ip_range).toBe(`${range}128/25`)
    for (const [, service] of servers) {
      expect(addressIn(service).startsWith(range as string)).toBe(true)
      expect(Number(addressIn(service).split('.')[3])).toBeLessThan(128)
    }
  })

  test('mounts files that are there, all of them, and where the scripts look for them', () => {
    for (const [config, { file }] of Object.entries(layout.configs)) {
      expect(existsSync(join(layout.folder, file)), file).toBe(true)
      expect(file.endsWith(`/${config}`), file).toBe(true)
    }
    expect([...used(layout, 'configs')].sort()).toEqual(Object.keys(layout.configs).sort())
    for (const [service, { configs, entrypoint, healthcheck }] of services) {
      const targets = configs.map(({ target }) => target)
      for (const { source, target } of configs) expect(target, service).toBe(`/etc/holdfast/${source}`)
      const named = [...entrypoint, ...(healthcheck.test ?? [])].filter((word) => word.startsWith('/'))
      for (const word of named) expect(targets, service).toContain(word)
      for (const target of targets.filter((one) => one.endsWith('.sh'))) {
        const script = readFileSync(join(layout.folder, layout.configs[target.split('/')[3] as string]?.file as string))
        for (const [, read] of script.toString().matchAll(/\$config\/([\w.-]+\.\w+)"/g))
          if (read !== undefined) expect(targets, `${service} ${target}`).toContain(`/etc/holdfast/${read}`)
      }
    }
  })

  test('takes every secret from the environment, readable to its user alone, and knows none', () => {
    const example = readFileSync(join(layout.folder, '.env.example'), 'utf8')
    const variables = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, variable, value]) => [variable, value])
    expect(variables.filter(([, value]) => value !== '')).toEqual([['NAMESPACE', 'hf']])
    const asked = Object.values(layout.secrets).map((secret) => secret.environment)
    expect(variables.map(([variable]) => variable)).toEqual([...asked, 'NAMESPACE'])
    expect([...used(layout, 'secrets')].sort()).toEqual(Object.keys(layout.secrets).sort())
    for (const [service, { secrets, environment = {} }] of services) {
      for (const secret of secrets) expect(secret, service).toMatchObject({ uid: '999', gid: '999', mode: 0o400 })
      for (const variable of Object.keys(environment)) expect(variable, service).not.toMatch(/PASS|SECRET|TOKEN/)
    }
  })

  test('asks for no password in clear, and has no word that Compose has given up', () => {
    expect(layout.text).not.toMatch(/^(version|links):/m)
    const files = Object.values(layout.configs).map(({ file }) => readFileSync(join(layout.folder, file), 'utf8'))
    for (const text of [layout.text, ...files]) {
      expect(text).not.toMatch(/requirepass/)
      // A rule's password is a placeholder, and a setting's a variable.
      expect(text.match(/^user .* (on|off) [>#](?!%[a-z]+_password%).*$/gm)).toBeNull()
      expect(text.match(/^[^#\n]*(masterauth|auth-pass|sentinel-pass) (?!.*\$\w+$).*$/gm)).toBeNull()
      expect(text.match(/\b[0-9a-f]{32,}\b/)).toBeNull()
    }
  })
})

test('what is filled in stays out of the repository', () => {
  expect(readFileSync(join(DEPLOY, '.gitignore'), 'utf8').split('\n')).toContain('.env')
})
