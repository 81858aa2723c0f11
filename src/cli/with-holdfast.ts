import { connect, type Holdfast } from '../holdfast.ts'
import type { Context } from './context.ts'
import { connectOptions, type ServerFlags, serverFlags } from './flags.ts'

/** What a verb takes that looks into a namespace. */
export interface SpaceFlags extends ServerFlags {
  readonly namespace?: string | undefined
}

export const spaceFlags = {
  namespace: {
    kind: 'parsed',
    parse: (words: string) => words,
    brief: 'The namespace of the application. Default: hf',
    placeholder: 'name',
    optional: true,
  },
  ...serverFlags,
} as const

/** Runs `work` with the servers that the flags and the environment name. */
export async function withHoldfast<T>(
  context: Context,
  flags: SpaceFlags,
  work: (hf: Holdfast) => Promise<T>,
): Promise<T> {
  const { namespace } = flags
  const place = { timeout: '2s', ...connectOptions(context, flags) } as const
  const hf = await connect(namespace === undefined ? place : { ...place, namespace })
  try {
    return await work(hf)
  } finally {
    await hf.close()
  }
}
