import type { CallOptions } from '../call.ts'
import type { Node } from '../node.ts'
import type { Arg, Reply } from '../wire.ts'

/** The next server is asked as well when the last one has not answered within this. */
const HEDGE_MS = 60

/**
 * Asks servers one after the other, without waiting long for any, and answers with the first answer.
 *
 * throws  the first error, when none of them answered
 */
export function firstAnswer(
  nodes: readonly Node[],
  command: string,
  args: readonly Arg[],
  options: CallOptions,
): Promise<{ readonly node: Node; readonly reply: Reply }> {
  return new Promise((resolve, reject) => {
    let asked = 0
    let failed = 0
    let firstError: unknown = new Error('nobody to ask')
    let timer: NodeJS.Timeout | undefined
    const askNext = (): void => {
      clearTimeout(timer)
      const node = nodes[asked]
      if (node === undefined) {
        if (failed === nodes.length) reject(firstError)
        return
      }
      asked++
      timer = setTimeout(askNext, HEDGE_MS)
      timer.unref()
      node.call(command, args, options).then(
        (reply) => {
          clearTimeout(timer)
          asked = Number.POSITIVE_INFINITY
          resolve({ node, reply })
        },
        (error) => {
          if (failed++ === 0) firstError = error
          askNext()
        },
      )
    }
    askNext()
  })
}
