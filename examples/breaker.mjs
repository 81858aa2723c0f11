/** A circuit breaker for a fleet: what fails is not called any more, and one call tries whether it is back. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'
import { until } from './stage/until.mjs'

const { url, namespace, stop } = await openServer('breaker')
const fleet = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])

/** A payment provider that counts how often it is called, and can be down. */
const provider = { calls: 0, isDown: true }
async function charge(order) {
  provider.calls += 1
  if (provider.isDown) throw new Error('502 Bad Gateway')
  return `charged ${order}`
}

// Shared: the failures of all processes count together, and one of them makes the trial.
const COOLDOWN_MS = 200
const breakers = fleet.map((hf) => hf.breaker('payments', { failures: 5, cooldown: COOLDOWN_MS, shared: true }))
const pay = (n) => breakers[n % 2].run(() => charge(n), { fallback: (error) => error.code ?? error.message })

const start = performance.now()
const answers = []
for (let n = 0; n < 100; n += 1) answers.push(await pay(n))
const refused = answers.filter((answer) => answer === 'BREAKER_OPEN').length
assert.equal(answers.length - refused, provider.calls)
// Five failures open it, the other process learns of it by one more, and each cooldown ends with one trial.
const cooldowns = Math.floor((performance.now() - start) / COOLDOWN_MS)
assert.ok(provider.calls <= 6 + cooldowns, `${provider.calls} calls`)
console.log('the provider is down, 100 payments in two processes: 5 failures open the breaker')
console.log(`${provider.calls} reached the provider, ${refused} were told BREAKER_OPEN at once`)

// It is back. After the cooldown one call is let through, and closes it for the whole fleet.
provider.isDown = false
provider.calls = 0
const isClosed = async (breaker) => (await breaker.state()) === 'closed'
await until('a trial has closed it', async () => {
  await pay(0)
  return isClosed(breakers[0])
})
assert.equal(provider.calls, 1)
await until('the other process knows', () => isClosed(breakers[1]))
assert.deepEqual([await pay(42), await pay(43)], ['charged 42', 'charged 43'])
console.log('it is back: one trial, then everybody is served')

await Promise.all(fleet.map((hf) => hf.close()))
await stop()
