import type { AudienceReport } from '../audience/audience.ts'

const HEIGHT = 32

/** A strip of two: the page views of the last minutes as bars, and what is wanted most. */
export const AudienceStrip = ({ audience }: { audience: AudienceReport }) => {
  const most = Math.max(1, ...audience.views)
  return (
    <section class="strip" data-audience>
      <div class="tile">
        <h2>Page views</h2>
        <svg class="spark" viewBox={`0 0 ${audience.views.length * 4} ${HEIGHT}`} preserveAspectRatio="none" role="img">
          <title>{`Page views of each of the last ${audience.views.length} minutes, at most ${most}`}</title>
          {audience.views.map((count, i) => {
            const height = Math.max(1, Math.round((count / most) * HEIGHT))
            return <rect x={i * 4} y={HEIGHT - height} width="3" height={height} />
          })}
        </svg>
        <p class="muted">a minute, the last half hour</p>
      </div>
      <div class="tile">
        <h2>Most wanted in the last hour</h2>
        {audience.wanted.length === 0 ? <p class="muted">Nobody has looked yet.</p> : ''}
        <ol class="wanted">
          {audience.wanted.map(({ id, name, count }) => (
            <li>
              <a href={`/events/${id}`} dir="auto">
                {name}
              </a>
              <span class="muted">{count.toLocaleString('en')}</span>
            </li>
          ))}
        </ol>
      </div>
    </section>
  )
}
