import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { connect, type Holdfast } from 'holdfast'
import { instrument } from 'holdfast/otel'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'

let server: TestServer
let hf: Holdfast

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { namespace: testNamespace('otel'), timeout: '10s' })
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

it('makes a span for each operation, with its outcome and no id, until it is ended', async () => {
  const spans = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const end = instrument(hf, { tracer: provider.getTracer('test'), meter: false })
  const cache = hf.cache<number>('product', { ttl: '1m' })
  await cache.get('secret id', () => 1)
  await cache.get('secret id')
  const failing = cache.get('other', () =>
    Promise.reject(Object.assign(new Error('of ann@example.com'), { code: 'DOWN' })),
  )
  await expect(failing).rejects.toThrow('of ann')
  end()
  await cache.get('secret id')
  const seen = spans.getFinishedSpans()
  expect(seen.map(({ name, attributes }) => [name, attributes])).toEqual([
    ['holdfast cache.get', { 'holdfast.cache': 'product', 'holdfast.outcome': 'miss' }],
    ['holdfast cache.get', { 'holdfast.cache': 'product', 'holdfast.outcome': 'hit' }],
    ['holdfast cache.get', { 'holdfast.cache': 'product', 'holdfast.outcome': 'error', 'error.type': 'DOWN' }],
  ])
  expect(seen[2]?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'DOWN' })
  expect(JSON.stringify(seen.map(({ attributes, events, status }) => [attributes, events, status]))).not.toMatch(
    /secret|ann@/,
  )
  await provider.shutdown()
})

it('stands below the span of its caller, and what a loader does stands below it', async () => {
  const spans = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const tracer = provider.getTracer('test')
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const end = instrument(hf, { tracer, meter: false })
  const cache = hf.cache<number>('below', { ttl: '1m' })
  const load = async () => {
    await hf.value('v').get()
    tracer.startSpan('sql').end()
    return 1
  }
  await tracer.startActiveSpan('request', async (request) => {
    await Promise.all([cache.get('1', load), hf.value('w').get()])
    tracer.startSpan('after').end()
    request.end()
  })
  end()
  const seen = spans.getFinishedSpans()
  const nameOf = (id: string | undefined) => seen.find((span) => span.spanContext().spanId === id)?.name
  const parents = seen.map((span) => [span.name, nameOf(span.parentSpanContext?.spanId)])
  expect(parents.toSorted()).toEqual([
    ['after', 'request'],
    ['holdfast cache.get', 'request'],
    ['holdfast value.get', 'holdfast cache.get'],
    ['holdfast value.get', 'request'],
    ['request', undefined],
    ['sql', 'holdfast cache.get'],
  ])
  context.disable()
  await provider.shutdown()
})

it('asks the global providers where none is handed in', async () => {
  const spans = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  trace.setGlobalTracerProvider(provider)
  const end = instrument(hf)
  await hf.value('v').get()
  end()
  expect(spans.getFinishedSpans().map(({ name }) => name)).toEqual(['holdfast value.get'])
  trace.disable()
  await provider.shutdown()
})

it('refuses what is no instance', () => {
  for (const wrong of [undefined, {}]) expect(() => instrument(wrong as never)).toThrow('hf: expected')
})

it('measures how long operations take, and reads the counts of the instance', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  const end = instrument(hf, { tracer: false, meter: provider.getMeter('test') })
  await hf.limiter('api', { rules: [{ limit: 1, per: '1h' }] }).consume('ann')
  await hf.limiter('api', { rules: [{ limit: 1, per: '1h' }] }).consume('ann')
  await provider.forceFlush()
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
  const points = (name: string) =>
    all
      .find(({ descriptor }) => descriptor.name === name)
      ?.dataPoints.map(({ attributes, value }) => [attributes, value])
  expect(points('holdfast.limit.decisions')).toEqual([
    [{ limiter: 'api', decision: 'allowed' }, 1],
    [{ limiter: 'api', decision: 'refused' }, 1],
  ])
  const durations = points('holdfast.operation.duration')
  expect(durations?.map(([attributes]) => attributes)).toEqual([
    { operation: 'limit.consume', outcome: 'allowed' },
    { operation: 'limit.consume', outcome: 'refused' },
  ])
  expect(durations?.map(([, value]) => (value as { count: number }).count)).toEqual([1, 1])
  expect(all.find(({ descriptor }) => descriptor.name === 'holdfast.operation.duration')?.descriptor.unit).toBe('s')
  end()
  await provider.shutdown()
})
