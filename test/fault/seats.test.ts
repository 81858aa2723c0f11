import { connect, type Holdfast, type Seats } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterEach, expect, it } from 'vitest'

const HALL = {
  currency: 'EUR',
  perCustomer: 8,
  sections: [{ name: 'A', rows: 10, seatsPerRow: 20, price: 4999 }],
}
const REQUEST = { id: 'h1', customer: 'ann', seats: ['A-1-1', 'A-1-2'] }

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startServer>[0] = {}): Promise<TestServer> {
  const server = await startServer(options)
  closing.push(() => server.stop())
  return server
}

async function open(
  url: string,
  timeout = 300,
  namespace = testNamespace('seats'),
): Promise<{ hf: Holdfast; night: Seats }> {
  const hf = await connect(url, { namespace, timeout })
  closing.push(() => hf.close())
  const night = hf.seats('night')
  await night.create(HALL)
  return { hf, night }
}

it('ends a hold by its deadline while the server is frozen, and gives a repeat the stored answer', async () => {
  const server = await start()
  const { night } = await open(server.url)
  await server.pause()
  const startedMs = performance.now()
  await expect(night.hold(REQUEST)).rejects.toMatchObject({ code: 'TIMEOUT', sent: true, retryable: true })
  expect(performance.now() - startedMs).toBeLessThan(600)
  await server.resume()
  const first = await night.hold(REQUEST)
  expect(first).toMatchObject({ status: 'held' })
  expect(await night.hold(REQUEST)).toEqual({ ...first, repeated: true })
  expect(await night.counts()).toMatchObject({ held: 2 })
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('sells once when a confirm timed out and is sent again, by whichever process', async () => {
  const server = await start()
  const namespace = testNamespace('seats')
  const { night } = await open(server.url, 300, namespace)
  const other = await open(server.url, 300, namespace)
  await night.hold(REQUEST)
  await server.pause()
  await expect(night.confirm('h1', { payment: 'pi_1' })).rejects.toMatchObject({ code: 'TIMEOUT', sent: true })
  await server.resume()
  await expect
    .poll(() => night.confirm('h1', { payment: 'pi_1' }))
    .toMatchObject({ status: 'confirmed', payment: 'pi_1' })
  expect(await other.night.confirm('h1', { payment: 'pi_2' })).toMatchObject({ status: 'confirmed', payment: 'pi_1' })
  expect(await night.counts()).toMatchObject({ sold: 2 })
})

it('repeats by itself what was done and never answered, and nothing happens twice', async () => {
  const server = await start()
  const proxy = await startProxy({ target: server })
  closing.push(() => proxy.close())
  const namespace = testNamespace('seats')
  const { night } = await open(proxy.url, 5_000, namespace)
  // A script that the server does not know yet costs a second way there, which is not what is tested here.
  await night.hold({ id: 'first', customer: 'dan', seats: ['A-1-1'] })
  await night.confirm('first')
  const changes = async () => Number(await server.command('XLEN', `{${namespace}:seats:night}:log`))
  for (let i = 0; i < 5; i++) {
    const request = { id: `h${i}`, customer: `c${i}`, seats: [`A-2-${i + 1}`] }
    const before = await changes()
    proxy.dropReplies()
    const holding = night.hold(request)
    await expect.poll(changes).toBe(before + 1)
    await proxy.heal()
    expect(await holding).toMatchObject({ status: 'held', repeated: true })
    proxy.dropReplies()
    const confirming = night.confirm(request.id, { payment: `pi_${i}` })
    await expect.poll(changes).toBe(before + 2)
    await proxy.heal()
    expect(await confirming).toMatchObject({ status: 'confirmed', payment: `pi_${i}` })
    expect(await changes()).toBe(before + 2)
  }
  expect(await night.counts()).toMatchObject({ sold: 6, held: 0 })
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('says no-event after a restart that lost everything, and never opens a fresh house by itself', async () => {
  const server = await start()
  const { night } = await open(server.url, 2_000)
  await night.hold(REQUEST)
  await night.confirm('h1')
  await server.restart({ empty: true })
  expect(await night.hold({ customer: 'bob', seats: ['A-1-1'] })).toMatchObject({ status: 'no-event' })
  expect(await night.confirm('h1')).toMatchObject({ status: 'gone', reason: 'no-event' })
  expect(await server.command('DBSIZE')).toBe(0)
})

it('goes on where it was after a kill, when the server keeps its data', async () => {
  const server = await start({ appendOnly: true, config: { appendfsync: 'always' } })
  const { night } = await open(server.url, 2_000)
  await night.hold(REQUEST)
  await night.confirm('h1', { payment: 'pi_1' })
  await night.hold({ id: 'h2', customer: 'bob', seats: ['A-2-1'], for: 1 })
  await server.restart()
  expect(await night.confirm('h1')).toMatchObject({ status: 'confirmed', payment: 'pi_1' })
  await expect.poll(() => night.counts()).toMatchObject({ sold: 2, held: 0 })
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('holds and ends what is due again after an outage, without help', async () => {
  const server = await start()
  const { night } = await open(server.url)
  await night.hold({ ...REQUEST, for: 100 })
  await server.pause()
  await expect(night.counts()).rejects.toMatchObject({ code: 'TIMEOUT' })
  await expect(night.map()).rejects.toMatchObject({ retryable: true })
  await server.resume()
  await expect
    .poll(() => night.counts().catch(() => undefined), { timeout: 8_000 })
    .toMatchObject({ held: 0, free: 200 })
})

it('names what the server user may not do', async () => {
  const server = await start({ users: { app: 'on >pw ~* &* +@all -xadd' } })
  const hf = await connect(server.url.replace('redis://', 'redis://app:pw@'), { namespace: testNamespace('seats') })
  closing.push(() => hf.close())
  await expect(hf.seats('night').create(HALL)).rejects.toMatchObject({ code: 'SERVER_DENIED' })
})
