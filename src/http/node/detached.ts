import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { markBehind, notedBefore } from '../behind.ts'
import type { HeaderChanges, Produced } from '../cache/exchange.ts'
import { Capture } from './capture.ts'

/** Sends a request like `from` through `app`, for no client, and answers what comes of it. */
export async function runDetached(
  app: (req: IncomingMessage, res: ServerResponse) => void,
  from: IncomingMessage,
  target: string,
  changes: HeaderChanges,
  maxBytes: number,
): Promise<Produced> {
  const socket = new Socket()
  const { remoteAddress, remotePort } = from.socket
  const { encrypted } = from.socket as { encrypted?: boolean }
  for (const [name, value] of Object.entries({ remoteAddress, remotePort, encrypted }))
    Object.defineProperty(socket, name, { value, configurable: true })
  const req = new IncomingMessage(socket)
  req.method = 'GET'
  req.url = target
  req.httpVersion = from.httpVersion
  req.httpVersionMajor = from.httpVersionMajor
  req.httpVersionMinor = from.httpVersionMinor
  for (const [name, value] of Object.entries({ ...from.headers, ...changes }))
    if (value !== undefined) {
      req.headers[name] = value
      for (const one of [value].flat()) req.rawHeaders.push(name, one)
    }
  req.push(null)
  markBehind(req)
  const res = new ServerResponse(req)
  const capture = new Capture(res, maxBytes)
  app(req, res)
  await capture.begun
  capture.mute()
  capture.before = notedBefore(req) ?? []
  const end = () => {
    res.emit('finish')
    res.emit('close')
    socket.destroy()
  }
  capture.whole().then(end, end)
  return capture
}
