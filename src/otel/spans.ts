import type { Span, SpanStatusCode, Tracer } from '@opentelemetry/api'
import { type HeardOperation, listen } from '../telemetry/listen.ts'
import { OPERATIONS, outcomeOf } from '../telemetry/operations.ts'

/** `SpanStatusCode.ERROR`, whose number is part of the specification: the package itself is not loaded for it. */
const ERROR: SpanStatusCode.ERROR = 2

/**
 * A span for every operation, begun in the context of whoever called it. What a loader or handler does is begun in the same context: beside the
 * operation's span and not below it, since a channel cannot change the context of those it tells of.
 */
export function traceOperations(tracer: Tracer): () => void {
  const spans = new WeakMap<HeardOperation, Span>()
  return listen({
    began: (name, operation) => {
      const field = OPERATIONS[name]?.subject ?? ''
      const subject = field === '' ? undefined : operation[field]
      const attributes = typeof subject === 'string' ? { [`holdfast.${field}`]: subject } : {}
      spans.set(operation, tracer.startSpan(`holdfast ${name}`, { attributes }))
    },
    ended: (_, operation) => {
      const span = spans.get(operation)
      if (span === undefined) return
      span.setAttribute('holdfast.outcome', outcomeOf(operation))
      if (operation.error !== undefined) {
        const type = errorType(operation.error)
        span.setAttribute('error.type', type)
        // The code alone: a loader's own message may hold anything.
        span.setStatus({ code: ERROR, message: type })
      }
      span.end()
    },
  })
}

function errorType(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error'
}
