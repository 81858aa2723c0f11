import type { Status } from '../figures/status.ts'
import { AudienceStrip } from './audience.tsx'
import { Layout } from './layout.tsx'

export const StatusPage = ({ status }: { status: Status }) => (
  <Layout title="Status" here="status">
    <section class="hero">
      <h1>Status</h1>
      <p class="lede">
        What this box office is doing now. The same as JSON: <a href="/status.json">/status.json</a>
      </p>
    </section>
    <AudienceStrip audience={status.audience} />
    <div class="tiles" data-status>
      {status.groups.map((group) => (
        <section class="tile">
          <h2>{group.name}</h2>
          <dl>
            {group.figures.map((figure) => (
              <div>
                <dt>{figure.label}</dt>
                <dd data-figure={`${group.name}/${figure.label}`}>{figure.value}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  </Layout>
)
