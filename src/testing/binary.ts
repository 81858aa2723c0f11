import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, sep } from 'node:path'
import { HoldfastError } from '../base/errors.ts'

const NAMES = ['redis-server', 'valkey-server']

const INSTALLERS: readonly (readonly [program: string, command: string])[] = [
  ['brew', 'brew install redis'],
  ['apt-get', 'sudo apt-get install redis-server'],
  ['dnf', 'sudo dnf install valkey'],
  ['apk', 'sudo apk add redis'],
  ['pacman', 'sudo pacman -S valkey'],
]

/** No redis-server or valkey-server was found. `install` is the one command to type. */
export class NoServerError extends HoldfastError {
  static override readonly kind = 'NoServerError'
  readonly install: string

  constructor(operation: string, sought: string, install: string) {
    super('NO_SERVER', `${operation}: ${sought} was not found; install it with: ${install}`)
    this.install = install
  }
}

/**
 * The path of the server program to start.
 *
 * operation  what the user called, for the error
 * binary     a name to look up on the PATH, or a path; by default redis-server, then valkey-server
 * throws     NoServerError, with the command that installs one here
 */
export function findServerBinary(operation: string, binary?: string): string {
  for (const name of binary === undefined ? NAMES : [binary]) {
    const found = findProgram(name)
    if (found !== undefined) return found
  }
  throw new NoServerError(operation, binary ?? NAMES.join(' or '), installCommand())
}

/** The file that a shell would run for `name`, or undefined. */
export function findProgram(name: string): string | undefined {
  if (isAbsolute(name) || name.includes(sep)) return isProgram(name) ? name : undefined
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function installCommand(): string {
  const known = INSTALLERS.find(([program]) => findProgram(program) !== undefined)
  return known?.[1] ?? 'sudo apt-get install redis-server (Debian, Ubuntu) or brew install redis (macOS)'
}
