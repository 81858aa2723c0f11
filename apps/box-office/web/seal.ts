/** Small values that a browser carries for us and cannot change: JSON and its HMAC. Readable, so no secrets in it. */

import { createHmac, timingSafeEqual } from 'node:crypto'

export interface Sealer {
  seal(purpose: string, value: unknown): string
  /** The value, or undefined when it is not ours, was changed, or was sealed for something else. */
  open(purpose: string, text: string): unknown
}

const LONGEST = 2_000

export function createSealer(secret: string): Sealer {
  const sign = (purpose: string, body: string) =>
    createHmac('sha256', secret).update(`${purpose}\n${body}`).digest('base64url').slice(0, 32)

  return {
    seal(purpose, value) {
      const body = Buffer.from(JSON.stringify(value)).toString('base64url')
      return `${body}.${sign(purpose, body)}`
    },
    open(purpose, text) {
      if (text.length > LONGEST) return undefined
      const dot = text.lastIndexOf('.')
      const body = text.slice(0, Math.max(0, dot))
      const given = Buffer.from(text.slice(dot + 1))
      const right = Buffer.from(sign(purpose, body))
      if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
      return JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))
    },
  }
}
