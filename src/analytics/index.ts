export { Analytics, type AnalyticsStats, type SeriesPoint } from './analytics.ts'
export type { FunnelStep } from './funnel.ts'
export type {
  AnalyticsOptions,
  EventFields,
  ExportOptions,
  MarkOptions,
  RateOptions,
  SeriesOptions,
  WindowOptions,
} from './options.ts'
export type { RecentRecord } from './recent.ts'
export type { AnalyticsRow } from './rows.ts'
export type { TopItem } from './top.ts'
