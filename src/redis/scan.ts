import type { Node } from './node.ts'
import type { Reply } from './wire.ts'

/** How many buckets one SCAN looks at: 0.8 ms of the server for 1000. */
const SCAN_COUNT = 1_000

/**
 * Every key of one server that matches `pattern`, in lots. A key that exists from the start to the end is found, some
 * more than once; one that comes or goes meanwhile may be missed. Other callers' commands run between the lots.
 */
export async function* scanKeys(node: Node, pattern: string, operation: string): AsyncGenerator<readonly string[]> {
  let cursor = '0'
  do {
    const args = [cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT]
    const reply = (await node.call('SCAN', args, { operation, repeat: true, needs: '+scan' })) as readonly Reply[]
    cursor = String(reply[0])
    const keys = reply[1] as readonly string[]
    if (keys.length > 0) yield keys
  } while (cursor !== '0')
}
