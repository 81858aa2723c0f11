import type { Meter, Tracer } from '@opentelemetry/api'
import { checkKnown } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import { Holdfast } from '../holdfast.ts'
import { loadApi } from './api.ts'
import { measure } from './metrics.ts'
import { traceOperations } from './spans.ts'

export interface InstrumentOptions {
  /** Who makes spans; `false` for none. Default: the global provider's, of the name `holdfast`. */
  readonly tracer?: Tracer | false
  /** Who makes metrics; `false` for none. Default: the global provider's, of the name `holdfast`. */
  readonly meter?: Meter | false
}

/**
 * Spans and metrics of an instance, by OpenTelemetry. Set your providers before; the operations are those of the whole process, so one
 * instance of a process is to be instrumented with a tracer.
 *
 * returns  the function that ends it
 * throws   ConfigError for what is no instance, and where @opentelemetry/api is needed and not installed: for spans, and to ask for the global meter
 */
export function instrument(hf: Holdfast, options: InstrumentOptions = {}): () => void {
  if (!(hf instanceof Holdfast)) throw new ConfigError('hf', 'what connect() answers', hf)
  checkKnown('', options, ['tracer', 'meter'])
  const tracer = options.tracer ?? loadApi().trace.getTracer('holdfast')
  const meter = options.meter ?? loadApi().metrics.getMeter('holdfast')
  const ends: (() => void)[] = []
  if (tracer !== false) ends.push(traceOperations(tracer, loadApi()))
  if (meter !== false) ends.push(measure(meter, () => Holdfast.figuresOf(hf)))
  return () => {
    for (const end of ends.splice(0)) end()
  }
}
