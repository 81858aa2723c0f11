import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { checkBoolean, checkInteger, checkKnown } from '../base/check.ts'
import { decode, decodeTree, encode, encodeTree } from '../base/codec.ts'
import { ConfigError, ValueError } from '../base/errors.ts'
import { checkSchema, type StandardSchema } from '../base/schema.ts'
import { type Packer, packer } from './msgpack.ts'
import { shapeOf } from './schema.ts'

/** How a cache's values are written. */
export interface EncodingOptions<T = unknown> {
  /**
   * `'json'` (default): readable in redis-cli. `'msgpack'`: smaller and faster, bytes as bytes; needs the package msgpackr beside this one.
   * Or one of your own.
   */
  readonly codec?: 'json' | 'msgpack' | Codec<T>
  /** Compress what is large. Default false; `true` is `{}`. */
  readonly compress?: boolean | CompressOptions
  /** A schema of zod, valibot, ArkType …: values are validated when they are loaded or set, and entries of another shape are a miss. */
  readonly schema?: StandardSchema<T>
  /** A text of your own that stands for the shape of the values: change it, and what was stored before is a miss. Default: the schema's. */
  readonly version?: string
}

/** A codec of the user's: gets values, and gives values back. */
export interface Codec<T = unknown> {
  /** Stands in every entry: change it when the bytes change. 1 to 32 of a-z, A-Z, 0-9, `.`, `_` and `-`. */
  readonly name: string
  /** The bytes of a value. What it throws reaches the caller as the cause of VALUE_UNWRITABLE. */
  readonly encode: (value: T) => Uint8Array | string
  /** The value of such bytes. What it throws makes a miss. */
  readonly decode: (bytes: Buffer) => T
}

export interface CompressOptions {
  /** Smaller values are left as they are, in bytes. Default 1,024. */
  readonly threshold?: number
  /** Of brotli, 0 to 11: higher is smaller and much slower. Default 1. */
  readonly quality?: number
  /** Largest value that is compressed, and most that a compressed one may become again: more is a miss. Default 16 MiB. */
  readonly maxBytes?: number
}

/** Why a frame cannot be read. */
export type Unread =
  /** No frame, or one of a later version. */
  | 'foreign'
  /** A value of another schema. */
  | 'schema'
  /** Cut short, changed, of a codec that this cache does not have, or larger than may be. */
  | 'undecodable'

/** A value as it is written: its payload, what stands before it, and what a reader must know. */
export interface Packed {
  /** Codec, compression and shape; '' where all three are the default. */
  readonly descriptor: string
  /** The list of what the codec has no word for. */
  readonly types: string
  readonly payload: string | Buffer
  /** A text without longer letters, be it compressed or not. */
  readonly ascii: boolean
}

/** A descriptor, read. */
export interface Described {
  readonly codec: string
  readonly compressed: boolean
  readonly shape: string
}

/** How one cache writes and reads its values. Two that say the same are the same. */
export class Encoding {
  /** All that it depends on, in words: compared when a cache is asked for again. */
  readonly says: string
  /** The shape of its values; '' where nothing was said of it. */
  readonly shape: string
  readonly #schema: StandardSchema | undefined
  readonly #codec: string
  readonly #own: Codec | undefined
  readonly #packer: Packer | undefined
  readonly #compress: Required<CompressOptions> | undefined

  constructor(options: EncodingOptions = {}) {
    checkKnown('encoding', options, ['codec', 'compress', 'schema', 'version'])
    const { codec = 'json' } = options
    this.#own = codec === 'json' || codec === 'msgpack' ? undefined : checkCodec(codec)
    this.#codec = this.#own?.name ?? (codec as string)
    this.#packer = codec === 'msgpack' ? packer('encoding.codec') : undefined
    this.#compress = resolveCompress(options.compress)
    this.#schema = checkSchema('encoding.schema', options.schema)
    this.shape = shapeOf(this.#schema, options.version)
    const own = this.#own === undefined ? '' : `${this.#own.encode}${this.#own.decode}`
    this.says = JSON.stringify([this.#codec, own, this.#compress ?? null, this.shape, this.#schema !== undefined])
  }

  get schema(): StandardSchema | undefined {
    return this.#schema
  }

  /** True where every value is plain JSON text. */
  get isPlain(): boolean {
    return this.#codec === 'json' && this.#compress === undefined && this.shape === ''
  }

  pack(value: unknown): Packed {
    const { codec, types, payload } = this.#encode(value)
    const { threshold, quality, maxBytes } = this.#compress ?? NEVER
    const length = Buffer.byteLength(payload)
    const ascii = length === payload.length && typeof payload === 'string'
    if (length > threshold && length <= maxBytes) {
      const small = brotliCompressSync(payload, {
        params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: length },
      })
      // A tenth at least, or reading it costs more than it saves.
      if (small.length < 0.9 * length) return { descriptor: `${codec};br;${this.shape}`, types, payload: small, ascii }
    }
    const descriptor = codec === 'json' && this.shape === '' ? '' : `${codec};;${this.shape}`
    return { descriptor, types, payload, ascii }
  }

  #encode(value: unknown): { readonly codec: string; readonly types: string; readonly payload: string | Buffer } {
    if (this.#own !== undefined) return { codec: this.#codec, types: '', payload: encodeOwn(this.#own, value) }
    if (this.#packer !== undefined) {
      const { tree, types } = encodeTree(value)
      const payload = this.#packer.pack(tree)
      if (payload !== undefined) return { codec: 'msgpack', types, payload }
    }
    const { json, types } = encode(value)
    return { codec: 'json', types, payload: json }
  }

  /** Whether this cache can read what is described so; why not. */
  refuses({ codec, shape }: Described): Unread | undefined {
    if (shape !== this.shape) return 'schema'
    return codec === 'json' || codec === 'msgpack' || codec === this.#own?.name ? undefined : 'undecodable'
  }

  /** A payload as it was before it was compressed. Throws when that is more than may be. */
  expand({ compressed }: Described, bytes: Buffer): Buffer {
    const maxOutputLength = this.#compress?.maxBytes ?? DEFAULT_MAX_BYTES
    return compressed ? brotliDecompressSync(bytes, { maxOutputLength }) : bytes
  }

  /** The value of a payload. Throws whatever is wrong with it. `ascii`: the text has no longer letters. */
  unpack({ codec }: Described, types: string, payload: Buffer, ascii: boolean): unknown {
    if (codec === 'json') return decode(payload.toString(ascii ? 'latin1' : 'utf8'), types)
    if (codec !== 'msgpack') return (this.#own as Codec).decode(payload)
    return decodeTree((this.#packer ?? packer('encoding.codec')).unpack(payload), types)
  }
}

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024
const NEVER: Required<CompressOptions> = { threshold: Number.POSITIVE_INFINITY, quality: 0, maxBytes: 0 }

export const PLAIN = new Encoding()

// A few per cache, and read with every entry.
const known = new Map<string, Described | undefined>()
const MOST_KNOWN = 1_000

/** What a descriptor says; undefined for one that this version did not write. */
export function readDescriptor(text: string): Described | undefined {
  if (known.has(text)) return known.get(text)
  const [, codec, compression, shape] = /^([\w.-]{1,32});(br)?;([\w-]{0,32})$/.exec(text) ?? []
  const described =
    codec === undefined ? undefined : { codec, compressed: compression !== undefined, shape: shape as string }
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(text, described)
  return described
}

function encodeOwn(codec: Codec, value: unknown): string | Buffer {
  let bytes: unknown
  try {
    bytes = codec.encode(value)
  } catch (error) {
    throw new ValueError('VALUE_UNWRITABLE', '$', `the codec '${codec.name}' could not encode it`, error)
  }
  if (typeof bytes === 'string') return bytes
  if (bytes instanceof Uint8Array) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  throw new ConfigError('encoding.codec.encode', 'a function that answers a string or a Uint8Array', bytes)
}

function checkCodec(codec: unknown): Codec {
  if (typeof codec !== 'object' || codec === null)
    throw new ConfigError('encoding.codec', "'json', 'msgpack' or { name, encode, decode }", codec)
  checkKnown('encoding.codec', codec, ['name', 'encode', 'decode'])
  const { name, encode, decode } = codec as Partial<Codec>
  if (typeof name !== 'string' || !/^[\w.-]{1,32}$/.test(name) || name === 'json' || name === 'msgpack')
    throw new ConfigError('encoding.codec.name', 'a name of your own of 1 to 32 of a-z, A-Z, 0-9, ., _ and -', name)
  if (typeof encode !== 'function') throw new ConfigError('encoding.codec.encode', 'a function (value)', encode)
  if (typeof decode !== 'function') throw new ConfigError('encoding.codec.decode', 'a function (bytes)', decode)
  return codec as Codec
}

function resolveCompress(compress: unknown): Required<CompressOptions> | undefined {
  if (compress === undefined || compress === false) return undefined
  if (typeof compress !== 'object') checkBoolean('encoding.compress', compress)
  const options = (compress === true ? {} : compress) as CompressOptions
  checkKnown('encoding.compress', options, ['threshold', 'quality', 'maxBytes'])
  const { threshold = 1_024, quality = 1, maxBytes = DEFAULT_MAX_BYTES } = options
  return {
    threshold: checkInteger('encoding.compress.threshold', threshold, 0, 2 ** 30),
    quality: checkInteger('encoding.compress.quality', quality, 0, 11),
    maxBytes: checkInteger('encoding.compress.maxBytes', maxBytes, 1, 2 ** 30),
  }
}
