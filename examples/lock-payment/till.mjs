/** A till that does not look before it writes: takes the lock, waits for the card, and says what it would write. */
import { once } from 'node:events'
import { connect } from 'holdfast'

const [, , namespace] = process.argv
const hf = await connect({ namespace })
const held = await hf.lock('payment:77', { ttl: '400ms', owner: 'till 1' }).acquire()
process.send({ fence: String(held.fence) })

// Frozen somewhere in here. An honest till asks held.valid() now; even that one can be stopped right after it asked.
await once(process, 'message')
process.send({ state: 'paid', valid: held.valid(), loss: held.signal.reason?.code })

process.disconnect()
await hf.close()
