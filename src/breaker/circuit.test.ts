import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Circuit, type Ticket } from './circuit.ts'
import type { Rules, Verdict } from './rules.ts'

/** The same by lists: every call that ended is kept, and counted anew each time. */
class Model {
  readonly rules: Rules
  past: { atMs: number; failed: boolean; slow: boolean }[] = []
  open: { untilMs: number } | undefined
  trial: { id: number; untilMs: number } | undefined
  /** Tickets that still count. */
  good = new Set<number>()

  constructor(rules: Rules) {
    this.rules = rules
  }

  admit(id: number, nowMs: number): boolean {
    if (this.open === undefined) return !!this.good.add(id)
    if (nowMs < this.open.untilMs || (this.trial !== undefined && nowMs < this.trial.untilMs)) return false
    this.trial = { id, untilMs: nowMs + this.rules.cooldownMs }
    this.good = new Set([id])
    return true
  }

  end(id: number, verdict: Verdict, slow: boolean, nowMs: number): void {
    if (!this.good.has(id)) return
    if (this.trial?.id === id) {
      this.trial = undefined
      this.good.clear()
      if (verdict === 'left') return
      if (verdict === 'failed' || (slow && this.rules.slowRate > 0)) this.trip(nowMs)
      else this.reset()
      return
    }
    this.good.delete(id)
    if (verdict === 'left') return
    this.past.push({ atMs: nowMs, failed: verdict === 'failed', slow })
    const { failures, failureRate, slowRate, minCalls, windowMs } = this.rules
    const slice = (ms: number) => Math.floor(ms / (windowMs / 10))
    const inWindow = this.past.filter(({ atMs }) => slice(atMs) > slice(nowMs) - 10)
    const row = this.past.length - 1 - this.past.findLastIndex(({ failed }) => !failed)
    const share = (pick: (call: { failed: boolean; slow: boolean }) => boolean) =>
      inWindow.filter(pick).length / inWindow.length
    const isEnough = inWindow.length >= minCalls
    if (failures > 0 && row >= failures) this.trip(nowMs)
    else if (isEnough && failureRate > 0 && share(({ failed }) => failed) >= failureRate) this.trip(nowMs)
    else if (isEnough && slowRate > 0 && share(({ slow }) => slow) >= slowRate) this.trip(nowMs)
  }

  trip(nowMs: number): void {
    this.reset()
    this.open = { untilMs: nowMs + this.rules.cooldownMs }
  }

  reset(): void {
    this.past = []
    this.open = undefined
    this.trial = undefined
    this.good.clear()
  }

  state(nowMs: number): string {
    return this.open === undefined ? 'closed' : nowMs < this.open.untilMs ? 'open' : 'half-open'
  }
}

const rules: fc.Arbitrary<Rules> = fc.record({
  failures: fc.constantFrom(0, 1, 2, 3),
  failureRate: fc.constantFrom(0, 0.5, 1),
  slowRate: fc.constantFrom(0, 0.5),
  slowMs: fc.constant(1),
  minCalls: fc.constantFrom(1, 3, 5),
  windowMs: fc.constantFrom(100, 1_000),
  cooldownMs: fc.constantFrom(1, 50, 500),
})
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('call' as const) }) },
  {
    // A call under way ends; or one is made and ends at once.
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('end' as const, 'turn' as const),
      pick: fc.nat(20),
      verdict: fc.constantFrom(...(['ok', 'ok', 'failed', 'failed', 'left'] as const)),
      slow: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 9, 49, 50, 99, 501) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('trip' as const, 'reset' as const), ms: fc.constant(0) }) },
)

it('decides as a plain model of it does, and tells every change once', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(rules, fc.array(step, { minLength: 20, maxLength: 80 }), (rules, steps) => {
      let nowMs = 1_000_000
      let told = 'closed'
      const circuit = new Circuit(
        rules,
        () => nowMs,
        (from, to, cause) => {
          expect([from, from === to]).toEqual([told, false])
          told = to
          seen.add(cause)
        },
      )
      const model = new Model(rules)
      const open: { id: number; ticket: Ticket }[] = []
      steps.forEach((step, id) => {
        if (step.do === 'wait') nowMs += step.ms
        else if (step.do === 'trip') {
          circuit.open(rules.cooldownMs, 'trip')
          model.trip(nowMs)
        } else if (step.do === 'reset') {
          circuit.close('reset')
          model.reset()
        } else if (step.do === 'call' || step.do === 'turn') {
          const admission = circuit.admit()
          expect(admission.admitted).toBe(model.admit(id, nowMs))
          if (admission.admitted) open.push({ id, ticket: admission.ticket })
          else expect(admission.retryAfterMs).toBeGreaterThan(0)
        }
        if ((step.do === 'end' || step.do === 'turn') && open.length > 0) {
          const at = step.do === 'turn' ? open.length - 1 : step.pick % open.length
          const [{ id: which, ticket }] = open.splice(at, 1) as [(typeof open)[number]]
          circuit.end(ticket, step.verdict, step.slow)
          model.end(which, step.verdict, step.slow, nowMs)
        }
        expect(circuit.state).toBe(model.state(nowMs))
        // Half-open is told when somebody tries, not when it could be.
        if (circuit.state !== 'half-open') expect(told).toBe(circuit.state)
      })
    }),
    { numRuns: 200 },
  )
  const causes = [
    'cooldown',
    'failure-rate',
    'failures',
    'reset',
    'slow-calls',
    'trial-failed',
    'trial-succeeded',
    'trip',
  ]
  expect([...seen].sort()).toEqual(causes)
})

it('lets one call try when the cooldown is over, and another when that one does not end', () => {
  let nowMs = 0
  const [rule] = fc.sample(rules, 1) as [Rules]
  const circuit = new Circuit({ ...rule, failures: 1, cooldownMs: 100 }, () => nowMs)
  const first = circuit.admit()
  if (first.admitted) circuit.end(first.ticket, 'failed', false)
  expect(circuit.admit()).toEqual({ admitted: false, retryAfterMs: 100 })
  nowMs = 100
  const trial = circuit.admit()
  expect([trial.admitted, circuit.admit().admitted, circuit.state]).toEqual([true, false, 'half-open'])
  nowMs = 200
  const second = circuit.admit()
  // Too late: it says nothing any more.
  if (trial.admitted) circuit.end(trial.ticket, 'failed', false)
  expect(circuit.state).toBe('half-open')
  if (second.admitted) circuit.end(second.ticket, 'ok', false)
  expect(circuit.state).toBe('closed')
})
