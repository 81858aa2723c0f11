import { createServer } from 'node:net'
import { expect, it, vi } from 'vitest'
import * as ports from './ports.ts'
import { startServer } from './server.ts'

vi.mock('./ports.ts', { spy: true })

it('never gives one port to two', async () => {
  const given = await Promise.all(Array.from({ length: 50 }, () => ports.freePort()))
  expect(new Set(given).size).toBe(50)
  for (const port of given) ports.returnPort(port)
})

it('takes another port when the first was taken in the meantime', async () => {
  const taken = await ports.freePort()
  const thief = createServer((peer) => peer.resume())
  await new Promise<void>((resolve) => thief.listen(taken, '127.0.0.1', resolve))
  const choose = vi.mocked(ports.freePort).mockClear().mockResolvedValueOnce(taken)
  const server = await startServer()
  expect(choose).toHaveBeenCalledTimes(2)
  expect(server.port).not.toBe(taken)
  await server.stop()
  await new Promise((resolve) => thief.close(resolve))
})
