import type { Turn } from '../../limit/index.ts'

/** What a client is told who is refused (RFC 9457). */
export interface Refusal {
  readonly status: number
  readonly type: 'application/problem+json'
  readonly body: string
}

const TYPES = 'https://iana.org/assignments/http-problem-types#'

/**
 * Problems as the draft of the RateLimit fields names them: a limit that is used up, a block, and, where nobody could be asked
 * (`whenDown: 'deny'`), that it is not the client's doing.
 */
export function refusalOf({ rules, blocked, source }: Turn): Refusal {
  const problem = (status: number, name: string, title: string, more: object = {}): Refusal => ({
    status,
    type: 'application/problem+json',
    body: JSON.stringify({ type: TYPES + name, title, status, ...more }),
  })
  if (source === 'down') return problem(503, 'temporary-reduced-capacity', 'The service cannot take this request now')
  if (blocked) return problem(429, 'abnormal-usage-detected', 'Requests of this client are refused for now')
  const violated = rules.filter(({ allowed }) => !allowed).map(({ name }) => name)
  return problem(429, 'quota-exceeded', 'Too many requests', { 'violated-policies': violated })
}
