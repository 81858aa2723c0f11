/**
 * Letters by SMTP. A server that answers 5xx to the address or to the message will say the same tomorrow; 4xx, a server that is away
 * and a login that fails may pass. A letter whose acceptance was not heard is sent again: SMTP cannot do better, so both carry
 * one Message-ID, made of the letter's name, by which the receiving side knows that they are one.
 */

import type { Transporter } from 'nodemailer'
import { type Letter, LetterRefusedError, type SmtpOptions } from './post.ts'

const FROM = 'Box Office <tickets@box-office.invalid>'
const CONNECT_MS = 5_000
/** How long the server may be silent in the middle. */
const SILENCE_MS = 20_000

export interface Smtp {
  send(letter: Letter & { readonly to: string }): Promise<void>
  close(): Promise<void>
}

export function openSmtp({ url, from = FROM }: SmtpOptions): Smtp {
  let opened: Promise<Transporter> | undefined

  async function open(): Promise<Transporter> {
    // Loaded where mail is sent: most shops write files.
    const { createTransport } = await import('nodemailer')
    // A connection each: a pool sends again by itself what broke in the middle, and nobody would know of it.
    return createTransport({
      ...{ url, disableFileAccess: true, disableUrlAccess: true },
      ...{ connectionTimeout: CONNECT_MS, greetingTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    })
  }

  return {
    async send({ name, to, subject, text, html }) {
      opened ??= open()
      const messageId = `<${name.toLowerCase()}@box-office.invalid>`
      try {
        await (await opened).sendMail({ from, to: { name: '', address: to }, subject, text, html, messageId })
      } catch (error) {
        throw isFinal(error)
          ? new LetterRefusedError(`the mail server refused it: ${answerIn(error)}`, { cause: error })
          : error
      }
    },
    async close() {
      ;(await opened)?.close()
    },
  }
}

/** Of the address or of the message itself; a refused login is the shop's own affair, and may be mended. */
function isFinal(error: unknown): boolean {
  const { code, responseCode = 0 } = error as { code?: string; responseCode?: number }
  return (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode >= 500
}

function answerIn(error: unknown): string {
  return String((error as { response?: string }).response ?? (error as Error).message).slice(0, 200)
}
