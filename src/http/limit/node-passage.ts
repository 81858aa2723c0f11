import type { ServerResponse } from 'node:http'
import { headersOf } from '../node/capture.ts'
import { whenAnswered, whenClosed } from '../node/ending.ts'
import { beforeHead } from '../node/head.ts'
import type { Passage } from './passage.ts'

/** Sees a passage through to the end of its response on Node's own server. */
export function accompany(passage: Passage, response: ServerResponse): void {
  const present = (name: string) => {
    const value = response.getHeader(name)
    return value === undefined ? undefined : [value].flat().join(', ')
  }
  const isWanted = () => true
  beforeHead(response, isWanted, () => {
    for (const [name, value] of passage.headersOver(present)) response.setHeader(name, value)
  })
  if (passage.holdsPermits) {
    passage.keep()
    whenClosed(response, () => passage.release())
  }
  if (passage.mayRefund)
    whenAnswered(response, () => {
      const headers = new Headers(headersOf(response).map(([name, value]): [string, string] => [name, value]))
      passage.answered({ status: response.statusCode, headers })
    })
}
