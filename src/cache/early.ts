/** -ln of the smallest random number that is not 0. */
const MOST_DRAWN = 37

/**
 * How long before its end an entry is to be refreshed, drawn anew at each look: the longer its load takes, the earlier. Of many callers
 * one will draw a time that has come, on average about one load's time before the end, and nobody has to wait for the new value.
 *
 * source  Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015 (XFetch)
 */
export function drawEarlyMs(beta: number, costMs: number): number {
  return -Math.log(1 - Math.random()) * costMs * beta
}

/** True when an entry that has `leftMs` to live is to be refreshed now. */
export function isDueEarly(beta: number, costMs: number, leftMs: number): boolean {
  return leftMs < costMs * beta * MOST_DRAWN && drawEarlyMs(beta, costMs) >= leftMs
}
