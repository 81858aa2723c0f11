/** The ticket desk, with somebody who counts what is held and paid there. What is asked twice is counted twice. */

import type { Desk } from '../orders/desk.ts'
import type { Audience } from './audience.ts'

export function watchedDesk(desk: Desk, audience: Audience): Desk {
  return {
    ...desk,
    async hold(request) {
      const answer = await desk.hold(request)
      if (answer.status === 'held') audience.held(request.eventId, request.customer)
      return answer
    },
    async pay(claim, card, by) {
      const answer = await desk.pay(claim, card, by)
      if (answer.status === 'paid') audience.paid(claim.customer, answer.order.amount)
      return answer
    },
  }
}
