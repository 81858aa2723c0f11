import type { Turn } from '../../limit/index.ts'
import { whenSent } from '../web/ending.ts'
import type { Passage } from './passage.ts'
import { refusalOf } from './refusal.ts'

/** Sees a passage through to the end of its Response. */
export function accompanied(passage: Passage, request: Request, response: Response): Response {
  passage.answered({ status: response.status, headers: response.headers })
  const told = withLimits(passage, response)
  return passage.holdsPermits ? whenSent(told, request, () => passage.release()) : told
}

function withLimits(passage: Passage, response: Response): Response {
  const { status, statusText, body } = response
  // No Response may be made of a switch of protocols.
  if (status < 200) return response
  // Those of a response that was fetched or redirected cannot be changed.
  const headers = new Headers(response.headers)
  for (const [name, value] of passage.headersOver((name) => headers.get(name) ?? undefined)) headers.set(name, value)
  return new Response(body, { status, statusText, headers })
}

export function refusalResponse(turn: Turn): Response {
  const { status, type, body } = refusalOf(turn)
  return new Response(body, { status, headers: { 'content-type': type } })
}
