import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ServerError } from '../base/errors.ts'
import { encodeCommand, ReplyParser, RespConnection, toText } from './resp.ts'

const EVERYTHING =
  '+OK\r\n:-7\r\n$-1\r\n*-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*3\r\n:1\r\n*2\r\n+x\r\n$1\r\ny\r\n-WRONGTYPE no\r\n*0\r\n'

describe('ReplyParser', () => {
  it.each([1, 2, 3, 7, 1_000])('reads every kind of reply when %i bytes come at a time', (size) => {
    const parser = new ReplyParser()
    const replies = []
    for (let at = 0; at < EVERYTHING.length; at += size)
      replies.push(...parser.push(Buffer.from(EVERYTHING.slice(at, at + size))))
    const error = expect.any(ServerError)
    expect(replies.map(toText)).toEqual(['OK', -7, null, null, '', 'a\r\nb', [1, ['x', 'y'], error], []])
    expect(replies[6]).toMatchObject([1, [], { reply: 'WRONGTYPE' }].with(1, expect.anything()))
  })
})

describe('RespConnection', () => {
  it('encodes text, numbers and bytes by their length in bytes', () => {
    expect(encodeCommand(['SET', 'é', 7]).toString()).toBe('*3\r\n$3\r\nSET\r\n$2\r\né\r\n$1\r\n7\r\n')
  })

  it('rejects with TIMEOUT when nothing is answered, and all that follows', async () => {
    const { connection, close } = await facing(() => {})
    const answers = await Promise.allSettled([connection.send(['GET', 'a']), connection.send(['GET', 'b'])])
    const late = { status: 'rejected', reason: expect.objectContaining({ code: 'TIMEOUT', sent: true }) }
    expect(answers).toEqual([late, late])
    expect(connection.usable).toBe(false)
    close()
  })

  it('rejects with CONNECTION_LOST when the other side ends, and on what is not RESP2', async () => {
    for (const answer of [(peer: Socket) => peer.end(), (peer: Socket) => peer.write('HTTP/1.1 400\r\n')]) {
      const { connection, close } = await facing(answer)
      await expect(connection.send(['PING'])).rejects.toMatchObject({ code: 'CONNECTION_LOST', sent: true })
      close()
    }
  })
})

async function facing(answer: (peer: Socket) => unknown) {
  const listener = createServer((peer) => peer.once('data', () => answer(peer)).on('error', () => {}))
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const { port } = listener.address() as AddressInfo
  const connection = new RespConnection({ address: { host: '127.0.0.1', port }, timeoutMs: 40 })
  const close = () => {
    connection.close()
    listener.close()
  }
  return { connection, close }
}
