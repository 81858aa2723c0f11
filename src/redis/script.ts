import { ServerError } from '../base/errors.ts'
import type { CallOptions } from './call.ts'
import type { Durability } from './durable/durable.ts'
import type { Key } from './keyspace.ts'
import type { Redis } from './redis.ts'
import type { Arg, Reply } from './wire.ts'

type FieldType = 'text' | 'int' | 'bytes' | 'list' | 'text…' | 'int…' | 'bytes…' | 'list…'

/** A script's contract, made from its header by `scripts/build-lua.mjs`. */
export interface ScriptSource {
  readonly name: string
  readonly sha: string
  readonly flags: readonly string[]
  readonly keys: readonly string[]
  readonly args: readonly string[]
  /** Each reply's word, with the types of what follows it. */
  readonly replies: Readonly<Record<string, readonly FieldType[]>>
  readonly lua: string
}

export type ScriptOptions = Omit<CallOptions, 'bytes' | 'script'>

/** A script as a function of its named keys and arguments; a reply is a tuple that starts with a word. */
export interface Script<Keys, Args, Result> {
  readonly source: ScriptSource
  run(redis: Redis, keys: Keys, args: Args, options: ScriptOptions): Promise<Result>
  /** The same over a connection of one's own, with replies as bytes: `send` is given the words of an EVALSHA, and nothing is repeated. */
  runOn(send: (words: readonly Arg[]) => Promise<Reply>, keys: Keys, args: Args, operation: string): Promise<Result>
  /** The same, and whether what it wrote is durable. It must write each time: see `Durable.call`. */
  runDurably(
    redis: Redis,
    keys: Keys,
    args: Args,
    options: ScriptOptions,
    durability: Durability,
  ): Promise<{ readonly reply: Result; readonly durable: boolean }>
}

/**
 * EVALSHA, and EVAL on NOSCRIPT only: a restarted or flushed server learns the script by the call that needed it.
 * A script that was refused as unknown has done nothing, so this needs no right to repeat.
 */
export function defineScript<Keys, Args, Result extends readonly unknown[]>(
  source: ScriptSource,
): Script<Keys, Args, Result> {
  const keyNames = source.keys.map(plainName)
  const argNames = source.args.map(plainName)
  const bytes = Object.values(source.replies).some((fields) => fields.some((type) => type.startsWith('bytes')))
  const decode = replyDecoder<Result>(source, bytes)
  // A room calls a script with the same few options again and again: they are completed once.
  const completed = new WeakMap<ScriptOptions, CallOptions>()
  const complete = (options: ScriptOptions): CallOptions => {
    const known = completed.get(options) ?? { ...options, bytes, script: source.lua }
    completed.set(options, known)
    return known
  }
  const wordsOf = (keys: Keys, args: Args): Arg[] => {
    const words: Arg[] = [source.sha, 0]
    append(words, keys as Record<string, unknown>, keyNames)
    words[1] = words.length - 2
    append(words, args as Record<string, unknown>, argNames)
    return words
  }
  return {
    source,
    run(redis, keys, args, options) {
      const words = wordsOf(keys, args)
      return redis
        .call(words[2] as Key, 'EVALSHA', words, complete(options))
        .then((reply) => decode(reply, options.operation))
    },
    async runOn(send, keys, args, operation) {
      return decode(await send(wordsOf(keys, args)), operation)
    },
    async runDurably(redis, keys, args, options, durability) {
      const words = wordsOf(keys, args)
      const key = words[2] as Key
      const { reply, durable } = await redis.callDurably(key, 'EVALSHA', words, complete(options), durability)
      return { reply: decode(reply, options.operation), durable }
    },
  }
}

const plainName = (name: string): string => name.replace('…', '')

function append(words: Arg[], values: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const value = values[name]
    if (Array.isArray(value)) for (const item of value) words.push(item as Arg)
    else words.push(value as Arg)
  }
}

function replyDecoder<Result>(source: ScriptSource, bytes: boolean) {
  return (reply: Reply, operation: string): Result => {
    const fields = reply as Reply[]
    const word = String(fields?.[0])
    const types = source.replies[word]
    if (types === undefined)
      throw new ServerError('REPLY_UNKNOWN', operation, `the script ${source.name} answered '${word}'`, { reply: word })
    fields[0] = word
    if (bytes && fields.length > 1)
      for (let i = 1; i < fields.length; i++) {
        const type = types[Math.min(i, types.length) - 1]
        if (type?.startsWith('text') && fields[i] !== null) fields[i] = String(fields[i])
      }
    return fields as Result
  }
}
