// node examples/cache-aside/main.mjs: runs straight after a clone. The exercise itself is in exercise.mjs.
import { ready } from '../ready.mjs'

await ready()
await import('./exercise.mjs')
