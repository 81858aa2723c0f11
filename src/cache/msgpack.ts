import { createRequire } from 'node:module'
import { ConfigError } from '../base/errors.ts'

/** MessagePack, for trees of what JSON has words for, and bytes. */
export interface Packer {
  /** Undefined for a tree that would come back as another one. */
  pack(tree: unknown): Buffer | undefined
  unpack(bytes: Buffer): unknown
}

interface Library {
  readonly Packr: new (options: object) => { pack(tree: unknown): Buffer; unpack(bytes: Buffer): unknown }
}

let made: Packer | undefined

/**
 * The package msgpackr, which those install who name it: asked for when a cache does, since loading it takes some 7 ms.
 *
 * throws  ConfigError for `option` when it is not installed
 */
export function packer(option: string): Packer {
  if (made !== undefined) return made
  let library: Library
  try {
    // Its part in plain JavaScript, without the native one.
    library = createRequire(import.meta.url)('msgpackr/pack') as Library
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
    throw new ConfigError(
      option,
      "'json', or the package msgpackr installed beside holdfast (npm install msgpackr)",
      'msgpack',
    )
  }
  // As any other MessagePack library reads it: no records, maps as objects.
  const packr = new library.Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true })
  made = {
    pack: (tree) => (isWhole(tree) ? packr.pack(tree) : undefined),
    unpack: (bytes) => packr.unpack(bytes),
  }
  return made
}

/** False where there is a text of half a letter, which UTF-8 cannot hold, or a field that the library renames. */
function isWhole(tree: unknown): boolean {
  if (typeof tree === 'string') return isWellFormed(tree)
  if (typeof tree !== 'object' || tree === null || ArrayBuffer.isView(tree)) return true
  if (Array.isArray(tree)) {
    for (const item of tree) if (!isWhole(item)) return false
    return true
  }
  for (const key in tree) {
    if (key === '__proto__' || !isWellFormed(key) || !isWhole((tree as Record<string, unknown>)[key])) return false
  }
  return true
}

// Node 20 has it; the library of types that we compile with is a year older.
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed()
