import { type Check, expectEqual, expectTrue, timed, upTo } from '../stage.ts'

const LIMIT = 5
const ALGORITHMS = ['gcra', 'bucket', 'fixed', 'sliding', 'log', 'concurrency'] as const

const limit = (algorithm: (typeof ALGORITHMS)[number]): Check => ({
  id: `limit-${algorithm}`,
  title: `Rate limit, ${algorithm}`,
  promise: `of racing callers of all processes so many are admitted as the limit says, and a refusal costs nothing`,
  async run({ hf, rival, name, step }) {
    const rules = [{ limit: LIMIT, per: '1h', algorithm }] as const
    const [near, far] = [hf.limiter(name, { rules }), rival.limiter(name, { rules })]
    const turns = await Promise.all(upTo(20).map((i) => (i % 2 === 0 ? near : far).consume('ann')))
    expectEqual('how many of 20 racing callers were admitted', turns.filter(({ allowed }) => allowed).length, LIMIT)
    await step('consumed')
    const refused = await far.consume('ann')
    expectEqual(
      'one more',
      { allowed: refused.allowed, remaining: refused.remaining },
      { allowed: false, remaining: 0 },
    )
    expectTrue('when it may come back', refused.retryAfterMs > 0, 'later', refused.retryAfterMs)
    expectEqual('another id', (await far.consume('bob')).allowed, true)
    await Promise.all(turns.map((turn) => turn.release()))
    if (algorithm === 'concurrency')
      expectEqual('one more, when the permits are back', (await far.consume('ann')).allowed, true)
    return timed('asked', 10, () => near.consume('ann'))
  },
})

export const limits: readonly Check[] = ALGORITHMS.map(limit)
