import type { Meter, Observable } from '@opentelemetry/api'
import { type InstanceFigures, samplesOf } from '../telemetry/figures.ts'
import { listen } from '../telemetry/listen.ts'
import { DURATION_BOUNDS, METRICS, type MetricName } from '../telemetry/metrics.ts'
import { outcomeOf } from '../telemetry/operations.ts'

/** As OpenTelemetry names a metric of the registry: `holdfast.cache.requests`. */
const otelName = (metric: string): string => metric.replace(/_total$/, '').replaceAll('_', '.')

/** How long operations take, as they end; and the counts of the instance, whenever they are read. */
export function measure(meter: Meter, figures: () => InstanceFigures): () => void {
  const duration = meter.createHistogram('holdfast.operation.duration', {
    description: METRICS.holdfast_operation_duration_seconds.help,
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BOUNDS },
  })
  const stop = listen({
    ended: (operation, heard, ms) => duration.record(ms / 1_000, { operation, outcome: outcomeOf(heard) }),
  })
  const instruments = new Map<MetricName, Observable>()
  for (const [metric, { type, help }] of Object.entries(METRICS)) {
    if (type === 'histogram' || metric === 'holdfast_operations_total') continue
    const options = { description: help }
    const name = otelName(metric)
    const made =
      type === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options)
    instruments.set(metric as MetricName, made)
  }
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    for (const { metric, labels, value } of samplesOf(figures())) {
      const instrument = instruments.get(metric)
      if (instrument !== undefined) result.observe(instrument, value, labels)
    }
  }
  const all = [...instruments.values()]
  meter.addBatchObservableCallback(observe, all)
  return () => {
    stop()
    meter.removeBatchObservableCallback(observe, all)
  }
}
