export { Histogram, type HistogramCounts } from '../base/histogram.ts'
export { type MetricStats, Monitor } from './monitor.ts'
export type { MetricSample, MonitorOptions, StatsOptions } from './options.ts'
