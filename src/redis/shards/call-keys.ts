import type { Call } from '../call.ts'
import type { LayoutKeys } from './layout.ts'

/** Commands whose second argument says how many keys follow. */
const COUNTED = /^(EVAL|EVALSHA|FCALL)(_RO)?$/
/** No key of ours is longer; a value may be. */
const LONGEST_KEY = 20_000

/**
 * The keys that a call works on. Of a script those that it declares; of any other command each argument that is spelt like a key of
 * the namespace: one too many costs a look, one too few would be lost sight of.
 */
export function keysOfCall({ command, args }: Call, keys: LayoutKeys): readonly string[] {
  const isScript = COUNTED.test(command)
  const candidates = isScript ? args.slice(2, 2 + Number(args[1])) : args
  const isKey = (arg: unknown): arg is string => typeof arg === 'string' && arg.length < LONGEST_KEY && keys.isOwn(arg)
  return candidates.filter(isKey)
}
