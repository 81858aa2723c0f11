// Moves slots until it is killed. Arguments: url, how many slots, from, to.
import { openClusterAdmin } from './admin.ts'

const [url, slots, from, to] = process.argv.slice(2) as [string, string, string, string]
const admin = openClusterAdmin({ url })
await admin.move(Number(slots), from, to)
await admin.close()
