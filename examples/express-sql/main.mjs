// node examples/express-sql/main.mjs: runs straight after a clone. The application is app.mjs, what asks it visits.mjs.
import { ready } from '../ready.mjs'

await ready()
await import('./visits.mjs')
