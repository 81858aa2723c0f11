import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, MutationError } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'

let server: TestServer
let child: ChildProcess | undefined

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(() => {
  child?.kill('SIGKILL')
  return server.heal()
})

describe('mutate', () => {
  it('that dies by kill -9 leaves no old value, and entries closed for no longer than its fence', async () => {
    const namespace = testNamespace('mutate')
    const hf = await connect(server.url, { namespace })
    const cache = hf.cache<string>('it', { ttl: '1m' })
    for (const id of ['k', 'l', 'other']) await cache.set(id, 'old')
    child = fork(new URL('./cache-mutate-child.ts', import.meta.url), {
      execArgv: ['--import', new URL('../../scripts/typescript.mjs', import.meta.url).href],
      stdio: 'inherit',
    })
    await once(child, 'message')
    const changing = once(child, 'message')
    child.send({ url: server.url, namespace })
    await changing
    // The change may be made at any moment from now on, and who would have told the cache is gone.
    child.kill('SIGKILL')
    await once(child, 'exit')
    for (const id of ['k', 'l']) {
      expect(await cache.peek(id)).toBeUndefined()
      expect(await cache.get(id, () => 'old')).toBe('old')
      expect(await cache.peek(id)).toBeUndefined()
    }
    expect(await cache.peek('other')).toBe('old')
    const fence = `fence:{${namespace}:cache:it:k}`
    expect(await server.command<number>('PTTL', fence)).toBeLessThanOrEqual(1_000)
    await vi.waitFor(async () => expect(await server.command('EXISTS', fence)).toBe(0), { timeout: 3_000 })
    expect(await cache.get('k', () => 'new')).toBe('new')
    expect(await cache.peek('k')).toBe('new')
    await hf.close()
  })

  it('does not begin while Redis is away, and says how it stands when Redis goes away meanwhile', async () => {
    await using own = await startServer()
    const hf = await connect(own.url, { namespace: testNamespace('mutate'), timeout: '600ms' })
    const cache = hf.cache<string>('it', { ttl: '1m' })

    // The fence outlasts the change: nothing old can be stored, whoever says so.
    const changed = await cache.mutate(
      'k',
      async () => {
        await own.pause()
        return 'changed'
      },
      { fence: '30s' },
    )
    expect(changed).toBe('changed')

    const change = vi.fn()
    await expect(cache.mutate('l', change)).rejects.toMatchObject({ retryable: true })
    expect(change).not.toHaveBeenCalled()

    await own.resume()
    // A read would be loaded without Redis: a write tells that it is back.
    await vi.waitFor(() => cache.set('x', 'x'), { timeout: 15_000 })
    // It does not: somebody may have stored the old value between its end and the change.
    const unsure = cache.mutate(
      'm',
      async () => {
        await own.pause()
        await new Promise((resolve) => setTimeout(resolve, 1_100))
        return 'changed'
      },
      { fence: '1s' },
    )
    await expect(unsure).rejects.toThrow(MutationError)
    await expect(unsure).rejects.toMatchObject({ code: 'MUTATION_UNCONFIRMED', answer: 'changed' })
    await own.resume()
    await hf.close()
  })

  it('runs on a full server, which takes no rows of warm and says so of each, and lets explain look', async () => {
    await using own = await startServer({ config: { 'maxmemory-policy': 'noeviction' } })
    const hf = await connect(own.url, { namespace: testNamespace('mutate') })
    const cache = hf.cache<string>('it', { ttl: '1m' })
    await cache.set('k', 'old')
    await own.command('CONFIG', 'SET', 'maxmemory', '1mb')
    expect(await cache.mutate('k', () => 'changed')).toBe('changed')
    expect(await cache.explain('k')).toMatchObject({ verdict: 'miss', why: 'absent', fence: undefined })
    const { written, failures } = await cache.warm([
      ['a', '1'],
      ['b', '2'],
    ])
    expect(written).toBe(0)
    expect(failures.map(({ id, error }) => [id, (error as { code: string }).code])).toEqual([
      ['a', 'SERVER_FULL'],
      ['b', 'SERVER_FULL'],
    ])
    await hf.close()
  })
})
