import type { CallOptions } from '../redis/call.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { Arg, Reply } from '../redis/wire.ts'

const CLOCK = 'the test clock' as Key
/** As every script of the room reads the time; what stands here must stand there, or the test would run by the real clock. */
const REAL = "local clock = redis.call('TIME')\nlocal now = clock[1] * 1000000 + clock[2]"
const OURS = `local now = tonumber(redis.call('GET', '${CLOCK}'))`

/** The real server by a clock of the test: the same scripts, but that they read the time from a key. */
export class ClockedRedis {
  readonly redis: Redis
  readonly #real: Redis
  nowUs = 1_795_000_000_000_000

  constructor(real: Redis) {
    this.#real = real
    this.redis = new Proxy(real, {
      get: (target, name) => {
        if (name === 'call') return (...call: Parameters<Redis['call']>) => this.#call(...call)
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  #call(key: Key, command: string, args: readonly Arg[], options: CallOptions): Promise<Reply> {
    if (command !== 'EVALSHA') return this.#real.call(key, command, args, options)
    const text = options.script as string
    if (text.split(REAL).length !== 2) throw new Error('the script reads the time in another way')
    void this.#real.call(CLOCK, 'SET', [CLOCK, String(this.nowUs)], { operation: 'test', repeat: true })
    // The same connection: it is done before the script.
    return this.#real.call(key, 'EVAL', [text.replace(REAL, OURS), ...args.slice(1)], options)
  }
}
