// The queues that ours is measured beside, each set up for speed: done jobs are removed, nothing else is kept.
//
//   BullMQ      removeOnComplete; its own default in all else
//   bee-queue   removeOnSuccess, no events, no delayed jobs
//
// Plain JavaScript, run where it lies: the packages are in bench/node_modules.

import BeeQueue from 'bee-queue'
import { Queue, Worker } from 'bullmq'

/**
 * A peer:
 *
 * add(payload)                        one job
 * addMany(payloads)                   its own call for many
 * drain(payloads, concurrency)        adds them, works on all by handlers that do nothing; answers the ms from the first handler's
 *                                     worker to the last job
 */
export async function openPeers(url) {
  const { hostname: host, port } = new URL(url)
  const connection = { host, port: Number(port), maxRetriesPerRequest: null }
  const redis = { host, port: Number(port) }
  let names = 0
  const bull = (name) => new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } })
  const bee = (name, isWorker) =>
    new BeeQueue(name, {
      ...{ redis, isWorker, removeOnSuccess: true, getEvents: false, sendEvents: false, storeJobs: false },
    })
  const [bullAdds, beeAdds] = [bull('adds'), bee('bee-adds', false)]
  return {
    peers: [
      {
        name: 'BullMQ',
        add: (payload) => bullAdds.add('send', payload),
        addMany: (payloads) => bullAdds.addBulk(payloads.map((data) => ({ name: 'send', data }))),
        drain: async (payloads, concurrency) => {
          const name = `drain-${names++}`
          const queue = bull(name)
          for (let at = 0; at < payloads.length; at += 500)
            await queue.addBulk(payloads.slice(at, at + 500).map((data) => ({ name: 'send', data })))
          let done = 0
          const start = performance.now()
          let worker
          await new Promise((resolve, reject) => {
            worker = new Worker(name, async () => {}, { connection, concurrency, removeOnComplete: { count: 0 } })
            worker.on('error', reject)
            worker.on('completed', () => ++done === payloads.length && resolve())
          })
          const ms = performance.now() - start
          await worker.close()
          await queue.close()
          return ms
        },
      },
      {
        name: 'bee-queue',
        add: (payload) => beeAdds.createJob(payload).save(),
        addMany: (payloads) => beeAdds.saveAll(payloads.map((payload) => beeAdds.createJob(payload))),
        drain: async (payloads, concurrency) => {
          const queue = bee(`bee-drain-${names++}`, true)
          for (let at = 0; at < payloads.length; at += 500)
            await queue.saveAll(payloads.slice(at, at + 500).map((payload) => queue.createJob(payload)))
          let done = 0
          const start = performance.now()
          await new Promise((resolve, reject) => {
            queue.on('error', reject)
            queue.on('succeeded', () => ++done === payloads.length && resolve())
            queue.process(concurrency, async () => {})
          })
          const ms = performance.now() - start
          await queue.close(5_000)
          return ms
        },
      },
    ],
    close: async () => {
      await bullAdds.close()
      await beeAdds.close(1_000)
    },
  }
}
