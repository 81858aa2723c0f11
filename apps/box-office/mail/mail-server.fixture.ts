/** For tests: a real mail server on this machine, which answers an address as its name says. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

export interface Received {
  readonly to: string
  readonly messageId: string
  /** The message as it came. */
  readonly raw: string
}

export interface MailServer {
  readonly url: string
  /** What was accepted. */
  readonly accepted: readonly Received[]
  /** Every message that came, also what nobody heard to be accepted. */
  readonly seen: readonly Received[]
  /** How often an address was asked for. */
  asked(address: string): number
  stop(): Promise<void>
}

/** `busy@`: not now, twice. `nobody@`: there is none. `silent@`: takes the first message, and never says so. */
export async function startMailServer(): Promise<MailServer> {
  const [accepted, seen, asked]: [Received[], Received[], string[]] = [[], [], []]
  const server = new SMTPServer({
    ...{ authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'], closeTimeout: 100 },
    onRcptTo({ address }, _, answer) {
      asked.push(address)
      const tries = asked.filter((one) => one === address).length
      if (address.startsWith('busy@') && tries <= 2) answer(saying(450, 'Come again later'))
      else if (address.startsWith('nobody@')) answer(saying(550, 'There is nobody of this name'))
      else answer()
    },
    onData(stream, { envelope }, answer) {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        const raw = Buffer.concat(parts).toString()
        const to = envelope.rcptTo[0]?.address ?? ''
        const message = { to, raw, messageId: /^Message-ID: (.*)$/im.exec(raw)?.[1]?.trim() ?? '' }
        seen.push(message)
        if (to.startsWith('silent@') && seen.filter((one) => one.to === to).length === 1) return
        accepted.push(message)
        answer()
      })
    },
  })
  // A client that is killed breaks its connection.
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  return {
    url: `smtp://127.0.0.1:${port}`,
    ...{ accepted, seen },
    asked: (address) => asked.filter((one) => one === address).length,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function saying(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode })
}
