export { Histogram, type HistogramCounts, type HistogramDump } from '../base/histogram.ts'
export type { MetricStats } from './inspect.ts'
export { Monitor } from './monitor.ts'
export type { MetricSample, MonitorOptions, StatsOptions } from './options.ts'
