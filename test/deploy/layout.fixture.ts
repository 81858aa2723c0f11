import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

export const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url))

/** A service as the compose file describes it: what the tests look at. */
export interface Service {
  readonly image: string
  readonly user: string
  readonly entrypoint: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly configs: readonly { readonly source: string; readonly target: string }[]
  readonly secrets: readonly { readonly source: string; readonly uid: string; readonly mode: number }[]
  readonly tmpfs: readonly string[]
  readonly networks: Readonly<Record<string, { readonly ipv4_address: string }>> | readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly restart: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly [setting: string]: unknown
}

/** A compose file, with its anchors and merges resolved as Compose resolves them. */
export interface Layout {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly ipam: { readonly config: readonly Record<string, string>[] } }>>
  readonly volumes: Readonly<Record<string, null>>
  readonly configs: Readonly<Record<string, { readonly file: string }>>
  readonly secrets: Readonly<Record<string, { readonly environment: string }>>
  /** Where its file stands. */
  readonly folder: string
  readonly text: string
}

export function readLayout(name: 'cluster' | 'sentinel'): Layout {
  const folder = join(DEPLOY, name)
  const text = readFileSync(join(folder, 'compose.yaml'), 'utf8')
  return { ...(parse(text, { merge: true }) as Omit<Layout, 'folder' | 'text'>), folder, text }
}

/** The services that run a server, by name: all but those that do one thing and end. */
export const serversOf = (layout: Layout): readonly string[] =>
  Object.keys(layout.services).filter((name) => layout.services[name]?.restart !== 'no')

export function serviceOf(layout: Layout, name: string): Service {
  const service = layout.services[name]
  if (service === undefined) throw new Error(`${layout.name} has no service ${name}`)
  return service
}

/** `address:port` that a server announces. */
export function announcedBy(service: Service): string {
  const { ADDRESS, PORT } = service.environment ?? {}
  return `${ADDRESS}:${PORT}`
}
