/** A small API: Express in front, SQL behind, and the cache between. */
import express from 'express'

const TOP = `
  select name, genre, plays, rank() over (order by plays desc) as place
  from tracks where genre = ? order by plays desc, id limit 10`

/** `hf` is a connected client, `db` anything with `query(sql, params)`; `onError` hears what requests failed of. */
export function createApp({ hf, db, onError = console.error }) {
  const tops = hf.cache('top-tracks', {
    ttl: '1m',
    // While the database is away, yesterday's answer is better than none.
    expiry: { stale: '1d' },
    // One load in the whole fleet. The default, 'process', is one in each process.
    stampede: 'fleet',
    tags: ['tracks'],
    load: (genre) => db.query(TOP, [genre]),
  })

  const app = express()
  app.use(express.json())

  app.get('/tracks/:genre', async (req, res) => {
    // Who hangs up waits no longer; the load that others share goes on.
    const gone = new AbortController()
    res.once('close', () => gone.abort())
    res.json(await tops.get(req.params.genre, { signal: gone.signal }))
  })

  app.put('/tracks/:id/plays', async (req, res) => {
    const { plays } = req.body ?? {}
    if (!Number.isSafeInteger(plays) || plays < 0) return res.status(400).json({ error: 'plays: a whole number' })
    // First the write, then the invalidation: a load that began before the write can no longer be kept.
    await db.query('update tracks set plays = ? where id = ?', [plays, Number(req.params.id)])
    await tops.invalidateTag('tracks')
    res.status(204).end()
  })

  // Express 5 brings a rejected handler here by itself. What a database says of itself is for the log, not for whoever asks.
  app.use((error, _req, res, _next) => {
    if (res.destroyed) return
    onError(error)
    res.status(503).set('Retry-After', '1').json({ error: 'not available just now' })
  })
  return { app, tops }
}
