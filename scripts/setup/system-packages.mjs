import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { run } from './process.mjs'
import { findProgram } from './programs.mjs'
import { say } from './progress.mjs'

/** Asked by Debian's package scripts before they start a service; 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d'
const APT = ['-o', 'DPkg::Lock::Timeout=120', '-y', '--no-install-recommends']

/** Package managers, with what installs a package. `names` of a product are tried in turn. */
const MANAGERS = [
  { program: 'apt-get', system: true, args: (name) => ['install', ...APT, name], refresh: ['update'] },
  { program: 'dnf', system: true, args: (name) => ['install', '-y', name] },
  { program: 'apk', system: true, args: (name) => ['add', '--no-cache', name] },
  { program: 'brew', system: false, args: (name) => ['install', name] },
]

/** The first package manager here, or undefined. */
export function packageManager() {
  return MANAGERS.find(({ program }) => findProgram([program]) !== undefined)
}

/** True when packages may be installed without asking for rights: as root, with a system's package manager. */
export function mayInstall() {
  return process.getuid?.() === 0 && packageManager()?.system === true
}

/** The one command for a person to type. `names`: package names by package manager. */
export function commandToType(names) {
  const manager = packageManager() ?? MANAGERS[0]
  const sudo = manager.system && process.getuid?.() !== 0 ? 'sudo ' : ''
  const short = manager.program === 'apt-get' ? ['install', '-y'] : manager.args('').slice(0, -1)
  return `${sudo}${manager.program} ${short.join(' ')} ${names[manager.program][0]}`
}

/**
 * Install a package, as root, without starting the service that it may bring.
 *
 * names   package names by package manager, the best first
 * returns undefined when it was installed, else what the package manager said
 */
export async function installPackage(names) {
  const manager = packageManager()
  const before = serverPids()
  let said = ''
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const attempt = async () => {
    for (const name of names[manager.program]) {
      const { code, output } = await run(manager.program, manager.args(name), { quiet: true, env })
      if (code === 0) return true
      said = output
    }
    return false
  }
  const allow = forbidServices()
  try {
    let done = await attempt()
    if (!done && manager.refresh) {
      await run(manager.program, manager.refresh, { quiet: true, env })
      done = await attempt()
    }
    if (!done) return said || `${manager.program} failed`
  } finally {
    allow()
  }
  const started = [...serverPids()].filter((pid) => !before.has(pid))
  if (started.length > 0) say(`! installing ${names[manager.program][0]} started a service (pid ${started.join(', ')})`)
}

/** Forbid package scripts to start services; gives back what allows it again. A policy that stands is kept. */
function forbidServices() {
  if (packageManager()?.program !== 'apt-get' || existsSync(POLICY)) return () => {}
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  const allow = () => rmSync(POLICY, { force: true })
  process.once('exit', allow)
  return () => {
    process.off('exit', allow)
    allow()
  }
}

/** Every Redis or Valkey server that runs here, where the system can tell. */
function serverPids() {
  const pids = existsSync('/proc') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : []
  return new Set(pids.filter((pid) => /^(redis|valkey)-server/.test(commandName(pid))))
}

function commandName(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8')
  } catch {
    return ''
  }
}
