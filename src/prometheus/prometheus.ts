import { checkBoolean, checkKnown } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import { Holdfast } from '../holdfast.ts'
import type { Node } from '../redis/node.ts'
import { readClusterInfo, readInfo } from '../redis/server.ts'
import { samplesOf } from '../telemetry/figures.ts'
import { DURATION_BOUNDS, METRICS, type MetricName } from '../telemetry/metrics.ts'
import { Recorder } from '../telemetry/recorder.ts'
import { CONTENT_TYPE, Exposition, type Family } from './exposition.ts'
import { exposeServer } from './server.ts'

export interface PrometheusOptions {
  /** The figures of the primaries too, by one INFO for each. Default true. */
  readonly servers?: boolean
  /** The figures of the instance in this process, and of the operations that it times. Default true. */
  readonly instance?: boolean
}

/**
 * The figures of an instance, as Prometheus reads them: `const metrics = prometheus(hf)`, and answer `GET /metrics` by it.
 *
 * costs   operations are timed from now on, until `close()`: about a µs each. A scrape reads counts that are kept anyway, and asks each
 *         primary for INFO, and in a Cluster for CLUSTER INFO
 * throws  ConfigError
 */
export function prometheus(hf: Holdfast, options: PrometheusOptions = {}): PrometheusMetrics {
  if (!(hf instanceof Holdfast)) throw new ConfigError('hf', 'what connect() answers', hf)
  checkKnown('', options, ['servers', 'instance'])
  const { servers = true, instance = true } = options
  return new PrometheusMetrics(hf, checkBoolean('servers', servers), checkBoolean('instance', instance))
}

export class PrometheusMetrics implements Disposable {
  /** What the answer's `content-type` should say. */
  readonly contentType = CONTENT_TYPE
  readonly #hf: Holdfast
  readonly #servers: boolean
  readonly #recorder: Recorder | undefined

  /** @internal Made by `prometheus`. */
  constructor(hf: Holdfast, servers: boolean, instance: boolean) {
    this.#hf = hf
    this.#servers = servers
    this.#recorder = instance ? new Recorder() : undefined
  }

  /** All metrics as text. A server that gives no answer is `redis_up 0`; nothing is thrown for it. */
  async text(): Promise<string> {
    const exposition = new Exposition()
    if (this.#recorder !== undefined) {
      for (const { metric, labels, value } of samplesOf(Holdfast.figuresOf(this.#hf)))
        own(exposition, metric).samples.push(['', labels, value])
      this.#exposeOperations(exposition, this.#recorder)
    }
    if (this.#servers) await this.#exposeServers(exposition)
    return String(exposition)
  }

  /** The same as the answer of a Fetch handler. */
  async respond(): Promise<Response> {
    return new Response(await this.text(), { headers: { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store' } })
  }

  #exposeOperations(exposition: Exposition, recorder: Recorder): void {
    const total = own(exposition, 'holdfast_operations_total')
    const duration = own(exposition, 'holdfast_operation_duration_seconds')
    for (const [operation, { outcomes, times }] of recorder.operations) {
      for (const [outcome, count] of outcomes) total.samples.push(['', { operation, outcome }, count])
      for (const bound of DURATION_BOUNDS)
        duration.samples.push(['_bucket', { operation, le: String(bound) }, times.countUpTo(bound * 1_000)])
      duration.samples.push(['_bucket', { operation, le: '+Inf' }, times.count])
      duration.samples.push(['_sum', { operation }, times.sum / 1_000])
      duration.samples.push(['_count', { operation }, times.count])
    }
  }

  async #exposeServers(exposition: Exposition): Promise<void> {
    const nodes = Holdfast.redisOf(this.#hf).topology.primaries()
    const asked = nodes.map((node) => factsOf(node).catch(() => undefined))
    for (const [i, info] of (await Promise.all(asked)).entries())
      exposeServer(exposition, nodes[i]?.address ?? '', info)
  }

  /** Operations are timed no longer. */
  close(): void {
    this.#recorder?.stop()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** What a server says of itself; a node of a Cluster also how that stands, where its user may ask. */
async function factsOf(node: Node): Promise<ReadonlyMap<string, string>> {
  const info = await readInfo(node, 'all')
  if (info.get('cluster_enabled') !== '1') return info
  return new Map([...info, ...(await readClusterInfo(node).catch(() => []))])
}

function own(exposition: Exposition, metric: MetricName): Family {
  const { type, help } = METRICS[metric]
  return exposition.family(metric, type, help)
}
