/** The report that was made last, and one more, now. */

import { Hono } from 'hono'
import { ReportPage } from '../pages/report.tsx'
import { packReport } from '../reports/report.ts'
import { page, type Shop, wantsJson } from './route.ts'

export function reportRoutes({ reports }: Pick<Shop, 'reports'>): Hono {
  const app = new Hono()

  app.get('/report', async (c) => {
    const wanted = c.req.query('id')
    const [found, schedules] = await Promise.all([reports.read(wanted), reports.schedules()])
    if (wantsJson(c))
      return c.body(found === undefined ? 'null' : packReport(found.report), 200, {
        'Content-Type': 'application/json',
      })
    // Asked for, and not made yet: the page looks again by itself.
    return page(
      c,
      <ReportPage report={found?.report} schedules={schedules} pending={wanted !== undefined && found === undefined} />,
    )
  })

  app.post('/report', async (c) => {
    const id = await reports.ask()
    if (wantsJson(c)) return c.json({ status: 'asked', id }, 202)
    return c.redirect(`/report?id=${encodeURIComponent(id)}`, 303)
  })

  return app
}
