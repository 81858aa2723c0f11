/** A block of seats of one price, row by row: row 3, seat 7 of section A is `A-3-7`. */
export interface Section {
  /** Any text; unique in its event. */
  readonly name: string
  readonly rows: number
  readonly seatsPerRow: number
  /** Of one seat, in minor units of the event's currency: 4999 is 49.99 EUR. */
  readonly price: number
}

export type SeatState = 'free' | 'held' | 'offered' | 'sold' | 'blocked'

export interface CreateResult {
  /** `exists`: an event of this id and this very layout was there already, with whatever has been sold of it. */
  readonly status: 'created' | 'exists'
  readonly version: number
}

/** How a request to hold seats ended. Only `held` took any. */
export type HoldResult = Held | NotHeld

export interface Held {
  readonly status: 'held'
  readonly id: string
  /** In the order of the request. */
  readonly seats: readonly string[]
  /** By the server's clock. */
  readonly expiresAtMs: number
  readonly amount: number
  readonly currency: string
  /** True for the stored answer to a request that was made before. */
  readonly repeated: boolean
  /** What has become of the hold since, when this is the stored answer and it has ended. */
  readonly ended?: 'confirmed' | 'released' | 'expired'
}

export type NotHeld = Refusal &
  (
    | {
        readonly status: 'taken'
        /** Those of the seats that somebody else has. */
        readonly taken: readonly string[]
      }
    | {
        readonly status: 'limit'
        readonly limit: number
        /** How many more seats this customer may take. */
        readonly remaining: number
      }
    | {
        readonly status: 'invalid'
        readonly reason: 'empty' | 'duplicate' | 'too-many' | 'unknown-seat' | 'id-reused'
        /** The seat that is asked for twice, or does not exist. */
        readonly seat?: string
      }
    | { readonly status: 'no-event' | 'paused' }
  )

interface Refusal {
  readonly id: string
  readonly seats: readonly string[]
  readonly expiresAtMs?: undefined
}

export type ConfirmResult =
  | {
      readonly status: 'confirmed'
      readonly id: string
      readonly seats: readonly string[]
      readonly customer: string
      /** The payment that bought the seats: of the first confirm, whatever a repeat brings. */
      readonly payment: string
      readonly amount: number
      readonly currency: string
      readonly atMs: number
      /**
       * True when the durability that was asked for has been reached; `'async'` asks for none: false. Confirming again waits again, and
       * may find it reached.
       */
      readonly durable: boolean
    }
  | { readonly status: 'expired'; readonly id: string; readonly seats: readonly string[] }
  | {
      readonly status: 'gone'
      readonly id: string
      readonly seats: readonly string[]
      readonly reason: 'unknown' | 'released' | 'no-event'
    }
  | { readonly status: 'paused'; readonly id: string; readonly seats: readonly string[] }

export interface ReleaseResult {
  /** `sold`: the hold was confirmed, and stays so. `expired`: it had run out already. */
  readonly status: 'released' | 'expired' | 'sold' | 'gone'
  readonly id: string
  readonly seats: readonly string[]
}

export interface Seat {
  readonly id: string
  readonly state: SeatState
  readonly section: string
  readonly price: number
}

export interface SeatMap {
  readonly status: 'open' | 'paused' | 'no-event'
  /** Where `changes({ since })` goes on. */
  readonly version: number
  readonly currency: string
  readonly seats: readonly Seat[]
}

export interface SeatCounts {
  readonly status: 'open' | 'paused' | 'no-event'
  readonly version: number
  readonly total: number
  readonly free: number
  readonly held: number
  readonly offered: number
  readonly sold: number
  readonly blocked: number
}

/** One step of an event. Names no hold and no customer, so it may be shown to anybody. */
export interface SeatChange {
  readonly version: number
  readonly kind: 'created' | 'held' | 'confirmed' | 'released' | 'expired' | 'paused' | 'resumed'
  readonly seats: readonly { readonly id: string; readonly state: SeatState }[]
  /** By the server's clock. */
  readonly atMs: number
}

export interface VerifyResult {
  readonly ok: boolean
  /** At most 100, in plain words. */
  readonly problems: readonly string[]
  /** The version that was looked at. */
  readonly version: number
}
