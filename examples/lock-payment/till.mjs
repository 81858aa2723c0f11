/** A till that does not look at its signal: takes the lock, says so, and writes when it is let go on. */
import { connect } from 'holdfast'

const [, , namespace] = process.argv
const hf = await connect({ namespace })
const held = await hf.lock('payment:77', { ttl: '400ms', owner: 'till 1' }).acquire()

process.send({ fence: String(held.fence) })
// Frozen somewhere in here. An honest program would ask held.valid() before it writes, and still could be stopped right after.
while (held.valid()) await new Promise(setImmediate)
process.send({ wrote: 'paid', signal: held.signal.reason?.code })

process.disconnect()
await hf.close()
