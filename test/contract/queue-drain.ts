import type { Queue } from 'holdfast'

/** Takes and completes until there is nothing more. */
export async function drain<T>(queue: Queue<T>): Promise<T[]> {
  const found: T[] = []
  for (let job = await queue.take(); job !== undefined; job = await queue.take()) {
    found.push(job.data)
    await job.complete()
  }
  return found
}
