/**
 * One process of a race, started by seats-race.test.ts: `seats-racer.ts url namespace race callers seed`.
 * Says `ready`, starts on the first line from its parent, and prints what became of it as one line of JSON.
 */
import { once } from 'node:events'
import { connect, type Seats } from 'holdfast'

const [url = '', namespace = '', race = '', callers = '0', seed = '0'] = process.argv.slice(2)
const hf = await connect(url, { namespace, timeout: '10s' })
const night = hf.seats('night')
await night.counts()
console.log('ready')
await once(process.stdin, 'data')

const outcomes: Record<string, number> = {}
const sold: string[] = []
const count = (word: string) => {
  outcomes[word] = (outcomes[word] ?? 0) + 1
}
const random = mulberry(Number(seed))
if (race === 'one-seat') await Promise.all(Array.from({ length: Number(callers) }, (_, i) => takeOneSeat(night, i)))
else await crowd(night, Number(callers))
console.log(JSON.stringify({ outcomes, sold }))
await hf.close()
process.exit(0)

async function takeOneSeat(seats: Seats, i: number): Promise<void> {
  count((await seats.hold({ customer: `${seed}-${i}`, seats: ['A-1-1'] })).status)
}

/** `buyers` people, 50 at a time: most want the best tenth of the house; some buy, some let go, ask twice, or forget. */
async function crowd(seats: Seats, buyers: number): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      while (next < buyers) await buy(seats, next++)
    }),
  )
}

async function buy(seats: Seats, buyer: number): Promise<void> {
  const best = random() < 0.8
  const row = 1 + Math.floor(random() * (best ? 4 : 40))
  const first = 1 + Math.floor(random() * 46)
  const wanted = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => `A-${row}-${first + i}`)
  const id = `${seed}:${buyer}`
  const mood = random()
  const request = { id, customer: `c${seed}:${buyer % 400}`, seats: wanted, for: mood < 0.2 ? 20 : '1m' } as const
  const asked = [seats.hold(request), ...(mood > 0.8 ? [seats.hold(request), seats.hold(request)] : [])]
  const answers = await Promise.all(asked)
  // Of three that were sent at once, one may have been refused before another took the seats; none takes them twice.
  const hold = answers.find(({ status }) => status === 'held') ?? answers[0]
  if (hold === undefined) return
  count(hold.status)
  if (answers.filter((answer) => answer.status === 'held' && !answer.repeated).length > 1) count('held twice')
  if (hold.status !== 'held' || mood < 0.2) return
  if (mood < 0.45) return count((await seats.release(id)).status)
  const [one, two] = await Promise.all([seats.confirm(id, { payment: id }), seats.confirm(id, { payment: id })])
  if (one.status !== two.status) count('unlike')
  count(one.status)
  if (one.status === 'confirmed') sold.push(...one.seats)
}

function mulberry(start: number): () => number {
  let state = start * 2654435761
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
