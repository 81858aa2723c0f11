import { randomBytes } from 'node:crypto'

/**
 * A namespace that no other test has, in this process or another, on a server that they share.
 *
 * name    shown in the keys, so that a leftover tells where it came from; default `test`
 */
export function testNamespace(name = 'test'): string {
  const readable = name
    .replace(/[^\w]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
  return `${readable || 'test'}-${randomBytes(6).toString('hex')}`
}
