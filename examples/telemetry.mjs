/**
 * Telemetry: every operation as a metric for Prometheus, as a span of OpenTelemetry, and on a channel of Node for
 * anything else.
 */
import assert from 'node:assert/strict'
import { tracingChannel } from 'node:diagnostics_channel'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { connect } from 'holdfast'
import { instrument } from 'holdfast/otel'
import { prometheus } from 'holdfast/prometheus'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('telemetry')
const hf = await connect(url, { namespace })

// What an application has anyway: NodeSDK does these three lines, and sends the spans somewhere.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
const exporter = new InMemorySpanExporter()
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))

// All that Holdfast needs.
const endSpans = instrument(hf)
const metrics = prometheus(hf)
const heard = []
const channel = tracingChannel('holdfast:cache.get')
const listener = { asyncEnd: ({ cache, outcome }) => heard.push(`${cache} ${outcome}`) }
channel.subscribe(listener)

const tracer = trace.getTracer('shop')
const products = hf.cache('product', {
  ttl: '1m',
  load: (id) =>
    tracer.startActiveSpan('select product', (span) => {
      span.end()
      return { id }
    }),
})
await tracer.startActiveSpan('GET /products/42', async (span) => {
  await products.get('42')
  await products.get('42')
  span.end()
})
await hf.lock('payment:77').run(() => {})

// For a route: app.get('/metrics', async (_, response) => response.type(metrics.contentType).send(await metrics.text()))
const text = await metrics.text()
const lines = text.split('\n').filter((line) => /^holdfast_cache_requests_total.*"(redis|miss)"|^redis_up{/.test(line))
assert.ok(lines.includes('holdfast_cache_requests_total{cache="product",result="miss"} 1'))
assert.ok(lines.some((line) => /^redis_up\{.*\} 1$/.test(line)))
for (const line of lines) console.log(line.replace(/127.0.0.1:\d+/, '…'))

const spans = exporter.getFinishedSpans()
const named = (name) => spans.filter((span) => span.name === name)
const nameOf = (id) => spans.find((span) => span.spanContext().spanId === id)?.name
const parentOf = (name) => nameOf(named(name)[0].parentSpanContext.spanId)
assert.equal(parentOf('select product'), 'holdfast cache.get')
assert.equal(parentOf('holdfast cache.get'), 'GET /products/42')
assert.deepEqual(
  named('holdfast cache.get').map(({ attributes }) => attributes['holdfast.outcome']),
  ['miss', 'hit'],
)
console.log('spans: GET /products/42 > holdfast cache.get (miss) > select product')
console.log(`channel: ${heard.join(', ')}`)
assert.deepEqual(heard, ['product miss', 'product hit'])

channel.unsubscribe(listener)
metrics.close()
endSpans()
await hf.close()
await stop()
