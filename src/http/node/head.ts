import type { ServerResponse } from 'node:http'

/**
 * Calls `work` just before the headers of a response leave, if `isWanted` says so then: what it sets is sent, whoever answers in the end, and is
 * seen by nobody who keeps responses. Headers that are given to `writeHead` are set before.
 */
export function beforeHead(response: ServerResponse, isWanted: () => boolean, work: () => void): void {
  const { writeHead } = response
  // Every way to send headers ends here, also that of `end` and `write` without them.
  response.writeHead = function patched(this: ServerResponse, ...args: unknown[]) {
    response.writeHead = writeHead
    if (!response.headersSent && isWanted()) {
      const at = typeof args[1] === 'string' ? 2 : 1
      // Headers that are given here stand in place of those set before: as such, ours are added to them.
      setAll(response, args[at])
      args.length = Math.min(args.length, at)
      work()
    }
    return writeHead.apply(this, args as Parameters<ServerResponse['writeHead']>)
  } as ServerResponse['writeHead']
}

/** Headers as `writeHead` takes them: an object, or names and values in turns. */
function setAll(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    const flat = headers.flat() as string[]
    for (let i = 0; i < flat.length; i += 2) response.removeHeader(flat[i] as string)
    for (let i = 0; i < flat.length; i += 2) response.appendHeader(flat[i] as string, flat[i + 1] as string)
  } else if (typeof headers === 'object' && headers !== null)
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
}
