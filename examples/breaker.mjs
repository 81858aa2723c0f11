/** A circuit breaker for a fleet: what fails is not called any more, one call tries whether it is back, and stale answers serve meanwhile. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

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
const options = { failures: 5, cooldown: '200ms', shared: true }
const breakers = fleet.map((hf) => hf.breaker('payments', options))
const pay = (n) => breakers[n % 2].run(() => charge(n), { fallback: () => 'later' })

const answers = []
for (let n = 0; n < 100; n += 1) answers.push(await pay(n))
assert.ok(answers.every((answer) => answer === 'later'))
// Five failures open it; the other process has at most one call under way. Each time it opens anew, one trial went before.
const opened = Math.max(...breakers.map(({ stats }) => stats.opened))
assert.ok(provider.calls <= 5 + opened, `${provider.calls} calls, opened ${opened} times`)
console.log('the provider is down, 100 payments in two processes: 5 failures open it, the others are not tried')

const refused = await breakers[0].run(() => charge(1)).catch((error) => error)
assert.equal(refused.code, 'BREAKER_OPEN')
console.log(`without a fallback: ${refused.code}, with retryAfterMs`)

// It is back. After the cooldown one call is let through, and closes it for the whole fleet.
provider.isDown = false
provider.calls = 0
const isOpen = async () => (await breakers[0].state()) !== 'closed'
while (await isOpen()) await pay(0)
assert.equal(provider.calls, 1)
assert.equal(await pay(42), 'charged 42')
console.log('it is back: one trial, then everybody is served')

await Promise.all(fleet.map((hf) => hf.close()))
await stop()
