import { type ChildProcess, execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { vi } from 'vitest'
import { killGroup, type Shelter, takeShelter } from '../../src/testing/guard.ts'
import { type Layout, type Service, serviceOf } from './layout.fixture.ts'

const CONFIG = '/etc/holdfast'

/** The passwords of one stage: what its `.env` would hold, by the variable's name. */
export type Passwords = Readonly<Record<string, string>>

export const newPasswords = (layout: Layout): Passwords =>
  Object.fromEntries(
    Object.values(layout.secrets).map(({ environment }) => [environment, randomBytes(32).toString('hex')]),
  )

/** What a plain process cannot take from the compose file, and takes from here. */
export interface Stand {
  readonly passwords: Passwords
  /** Announced `address:port` to the one that stands for it. Default: as announced. */
  readonly places?: ReadonlyMap<string, string>
  /** Arguments after everything else: `--bind 127.0.0.1`. */
  readonly args?: readonly string[]
  /** A program that starts it: `nsenter …`. */
  readonly through?: readonly string[]
  /** Variables beside those of the compose file. */
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * A service of a compose file as a plain process: the same start script, configuration files, secrets and environment,
 * with four folders of its own in place of the container's (/etc/holdfast, /run/secrets, /run/holdfast, /data).
 */
export class PlainService {
  readonly service: Service
  readonly #shelter: Shelter = takeShelter()
  readonly #name: string
  readonly #stand: Stand
  #child: ChildProcess | undefined

  constructor(layout: Layout, name: string, stand: Stand) {
    this.service = serviceOf(layout, name)
    this.#name = name
    this.#stand = stand
    for (const folder of ['config', 'secrets', 'run', 'data']) mkdirSync(this.path(folder), { mode: 0o700 })
    for (const { source, target } of this.service.configs)
      copyFileSync(join(layout.folder, layout.configs[source]?.file ?? source), this.path('config', basename(target)))
    for (const { source } of this.service.secrets) {
      const password = stand.passwords[layout.secrets[source]?.environment ?? ''] ?? ''
      writeFileSync(this.path('secrets', source), password, { mode: 0o400 })
    }
  }

  path(...parts: readonly string[]): string {
    return join(this.#shelter.dir, ...parts)
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  start(): void {
    const { entrypoint, command = [] } = this.service
    const { args = [] } = this.#stand
    const words = this.#words([...entrypoint, ...command])
    const log = openSync(this.path('log'), 'w')
    try {
      this.#child = this.#shelter.spawn('env', [...this.#environment(), ...words, ...args], log)
    } finally {
      closeSync(log)
    }
  }

  /** Start it and wait until it has ended, as a service does that runs once. Resolves with its exit code. */
  async run(): Promise<number | null> {
    this.start()
    const child = this.#child as ChildProcess
    child.ref()
    if (this.running) await once(child, 'exit')
    return child.exitCode
  }

  /** Run a program beside it, as `docker compose exec` does. */
  exec(...words: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
    return new Promise((resolve) => {
      const child = execFile('env', [...this.#environment(), ...this.#words(words)], (_, output) =>
        resolve({ code: child.exitCode ?? -1, output }),
      )
    })
  }

  /** The health check of the compose file: its exit code. */
  async health(): Promise<number> {
    const [, ...test] = this.service.healthcheck.test ?? []
    return (await this.exec(...test)).code
  }

  /** Resolves when the health check passes; rejects, with what the service printed, when it does not within `timeout` ms. */
  ready(timeout = 10_000): Promise<void> {
    const passes = async () => {
      if ((await this.health()) !== 0) throw new Error(`expected ${this.#name} to be healthy: ${this.log()}`)
    }
    return vi.waitFor(passes, { timeout, interval: 20 })
  }

  log(): string {
    return readFileSync(this.path('log'), 'utf8')
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || !this.running) return
    child.ref()
    const ended = once(child, 'exit')
    killGroup(child.pid)
    await ended
  }

  async close(): Promise<void> {
    await this.kill()
    await this.#shelter.leave()
  }

  #environment(): string[] {
    const { places, environment } = this.#stand
    const { ADDRESS, PORT, ...own } = this.service.environment ?? {}
    const [address, port] = place(`${ADDRESS}:${PORT}`, places).split(':')
    const all = {
      ...Object.fromEntries(Object.entries(own).map(([name, value]) => [name, this.#relocate(interpolate(value))])),
      ...(ADDRESS === undefined ? {} : { ADDRESS: address, PORT: port }),
      CONFIG: this.path('config'),
      SECRETS: this.path('secrets'),
      RUN: this.path('run'),
      DATA: this.path('data'),
      ...environment,
    }
    return Object.entries(all).map(([name, value]) => `${name}=${value}`)
  }

  #words(words: readonly string[]): string[] {
    const { through = [] } = this.#stand
    return [...through, ...words.map((word) => this.#relocate(word).replace(CONFIG, this.path('config')))]
  }

  /** An announced address, as `address:port` or `address port`, becomes the one that stands for it. */
  #relocate(text: string): string {
    return text.replace(/^([\d.]+)([: ])(\d+)$/, (_, address, between, port) =>
      place(`${address}:${port}`, this.#stand.places).replace(':', between),
    )
  }
}

const place = (announced: string, places: Stand['places']): string => places?.get(announced) ?? announced

/** `${NAME:-default}` of a compose file, where `.env` says nothing. */
const interpolate = (value: string): string => value.replace(/\$\{\w+:-(.*?)\}/g, '$1')
