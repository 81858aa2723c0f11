/**
 * The same response; `work` is called once it has ended: its body was read to the end, given up or failed, its client has gone, or it has
 * none.
 */
export function whenSent(response: Response, request: Request, work: () => void): Response {
  // Of an answer to HEAD nobody reads the body.
  if (response.body === null || request.method === 'HEAD' || request.signal.aborted) {
    work()
    return response
  }
  request.signal.addEventListener('abort', work, { once: true })
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          work()
          controller.close()
        } catch (error) {
          work()
          controller.error(error)
        }
      },
      cancel: (reason) => {
        work()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const { status, statusText, headers } = response
  return new Response(body, { status, statusText, headers })
}
