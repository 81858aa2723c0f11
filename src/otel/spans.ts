import type { Context, Span, SpanStatusCode, Tracer } from '@opentelemetry/api'
import { type HeardOperation, listen } from '../telemetry/listen.ts'
import { OPERATIONS, outcomeOf } from '../telemetry/operations.ts'
import type { Api } from './api.ts'

/** `SpanStatusCode.ERROR`, whose number is part of the specification: the package itself is not loaded for it. */
const ERROR: SpanStatusCode.ERROR = 2

/** A span for every operation, below that of its caller; what a loader or handler does within it is below its own. */
export function traceOperations(tracer: Tracer, { context, trace }: Api): () => void {
  const spans = new WeakMap<HeardOperation, Span>()
  return listen({
    around: {
      context: (name, operation) => {
        const field = OPERATIONS[name]?.subject ?? ''
        const subject = field === '' ? undefined : operation[field]
        const attributes = typeof subject === 'string' ? { [`holdfast.${field}`]: subject } : {}
        const span = tracer.startSpan(`holdfast ${name}`, { attributes })
        spans.set(operation, span)
        return trace.setSpan(context.active(), span)
      },
      run: (within, work) => context.with(within as Context, work),
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
