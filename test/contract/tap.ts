import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { vi } from 'vitest'
import type { Place } from './place.ts'

/** One command as a server got it. */
export interface Heard {
  readonly port: number
  readonly command: string
  readonly keys: readonly string[]
}

/** The commands of this test's namespace that clients send while `work` runs, by all servers that hold keys; without what scripts do. */
export async function tap(place: Place, work: () => Promise<unknown>): Promise<readonly Heard[]> {
  const taps = await Promise.all(place.all.map(({ port }) => openTap(port)))
  try {
    await work()
    const end = `end ${place.namespace}`
    await Promise.all(place.all.map((witness) => witness.command('ECHO', end)))
    await vi.waitFor(() => {
      for (const { text } of taps) if (!text.includes(end)) throw new Error('a server has not told all')
    })
    return taps.flatMap(({ port, text }) => readLines(text, port, place.namespace))
  } finally {
    for (const { socket } of taps) socket.destroy()
  }
}

async function openTap(port: number): Promise<{ port: number; socket: Socket; text: string }> {
  const socket = connect({ host: '127.0.0.1', port })
  const opened = { port, socket, text: '' }
  await once(socket, 'connect')
  socket.write('MONITOR\r\n')
  // Its acknowledgement: from then on it hears everything.
  await once(socket, 'data')
  socket.on('data', (chunk) => {
    opened.text += chunk
  })
  return opened
}

function readLines(text: string, port: number, namespace: string): readonly Heard[] {
  return text.split('\r\n').flatMap((line) => {
    if (!line.includes(namespace) || / \[\d+ lua\] /.test(line) || line.includes('"ECHO"')) return []
    const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word as string)
    return [
      {
        port,
        command: (words[0] as string).toUpperCase(),
        keys: words.filter((word) => word.includes(`{${namespace}:`)),
      },
    ]
  })
}
