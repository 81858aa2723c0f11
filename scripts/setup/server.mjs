import { findProgram } from './programs.mjs'
import { SetupError, step } from './progress.mjs'
import { commandToType, installPackage, mayInstall } from './system-packages.mjs'

const NAMES = ['redis-server', 'valkey-server']

const PACKAGES = {
  'apt-get': ['redis-server', 'valkey-server'],
  dnf: ['valkey', 'redis'],
  apk: ['redis', 'valkey'],
  brew: ['redis'],
}

/** Make sure that a server program is on the PATH: installed when we are root already, never by sudo. */
export async function ensureServer() {
  if (findProgram(NAMES)) return
  if (mayInstall()) {
    const failure = await step('installing a Redis server', () => installPackage(PACKAGES))
    if (findProgram(NAMES)) return
    if (failure) process.stderr.write(`${failure}\n`)
  }
  throw new SetupError(
    `Neither redis-server nor valkey-server is on the PATH. Install one with:\n\n  ${commandToType(PACKAGES)}\n`,
  )
}
