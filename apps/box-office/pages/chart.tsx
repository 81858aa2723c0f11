/** Bars of minutes, with their scale beside them: the shape is one small SVG that stretches, the words stay words. */

const HEIGHT = 100
const BAR = 8
const GAP = 2

export interface ChartProps {
  readonly points: readonly { readonly label: string; readonly value: number }[]
  /** What one of them is: 'seat'. */
  readonly unit: string
  /** The whole of it, for those who do not see it. */
  readonly summary: string
}

export const Chart = ({ points, unit, summary }: ChartProps) => {
  const top = niceTop(Math.max(1, ...points.map(({ value }) => value)))
  const width = Math.max(1, points.length) * (BAR + GAP)
  return (
    <figure class="chart">
      <div class="chart-scale" aria-hidden="true">
        <span>{top.toLocaleString('en')}</span>
        <span>{top > 1 ? (top / 2).toLocaleString('en') : ''}</span>
        <span>0</span>
      </div>
      <svg viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" role="img">
        <title>{summary}</title>
        {[0, HEIGHT / 2, HEIGHT].map((y) => (
          <line class="chart-line" x1="0" x2={width} y1={y} y2={y} />
        ))}
        {points.map(({ label, value }, i) => {
          const height = value === 0 ? 0 : Math.max(1.5, (value / top) * HEIGHT)
          const isNow = i === points.length - 1
          return (
            <g class={isNow ? 'chart-now' : ''}>
              <title>{`${label}: ${value.toLocaleString('en')} ${value === 1 ? unit : `${unit}s`}`}</title>
              {/* As high as the chart, so that a pointer finds what is small. */}
              <rect class="chart-reach" x={i * (BAR + GAP)} y="0" width={BAR + GAP} height={HEIGHT} />
              <rect class="chart-bar" x={i * (BAR + GAP) + GAP / 2} y={HEIGHT - height} width={BAR} height={height} />
            </g>
          )
        })}
      </svg>
      <div class="chart-time" aria-hidden="true">
        {[0, 1, 2, 3].map((quarter) => (
          <span>{points[Math.floor((quarter * points.length) / 4)]?.label ?? ''}</span>
        ))}
        <span>now</span>
      </div>
    </figure>
  )
}

/** The next of 1, 2, 4, 6, 10, 20, 40 …: halves of it are whole numbers, and it does not jump with every bar. */
export function niceTop(most: number): number {
  for (let power = 1; ; power *= 10)
    for (const step of [2, 4, 6, 10]) if (step * power >= most) return power === 1 && most <= 1 ? 1 : step * power
}
