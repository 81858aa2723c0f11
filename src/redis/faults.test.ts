import { expect, test } from 'vitest'
import { isLasting, isNotNow, isRefusal, linkError, replyError } from './faults.ts'
import { LinkFault, ReplyFault } from './wire.ts'

test('takes the first word of an answer as its kind', () => {
  expect(new ReplyFault('OOM command not allowed').prefix).toBe('OOM')
  expect(new ReplyFault('WRONGPASS invalid').prefix).toBe('WRONGPASS')
  expect(new ReplyFault('lower case').prefix).toBe('ERR')
  expect(new ReplyFault('').prefix).toBe('ERR')
})

test.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", 'SERVER_FULL', true],
  ["NOPERM this user has no permissions to run the 'get' command", 'SERVER_DENIED', false],
  ["ERR The user executing the script can't run this command or subcommand script: x", 'SERVER_DENIED', false],
  ["ERR ACL failure in script: User app has no permissions to run the 'set' command", 'SERVER_DENIED', false],
  ['NOAUTH Authentication required.', 'AUTH_FAILED', false],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'AUTH_FAILED', false],
  ['WRONGTYPE Operation against a key', 'SERVER_ERROR', false],
  ['LOADING Redis is loading the dataset in memory', 'SERVER_ERROR', true],
  ["READONLY You can't write against a read only replica.", 'SERVER_ERROR', true],
  ['ERR unknown', 'SERVER_ERROR', false],
])('makes %o the error %s', (message, code, retryable) => {
  const fault = new ReplyFault(message)
  expect(replyError('cache.set', fault)).toMatchObject({ code, retryable, operation: 'cache.set', cause: fault })
})

test('says what to grant, where that is known', () => {
  const fault = new ReplyFault("NOPERM this user has no permissions to run the 'get' command")
  expect(replyError('cache.get', fault, '+get ~{a:*')).toMatchObject({
    needs: '+get ~{a:*',
    message: expect.stringContaining('its user needs: +get ~{a:*'),
  })
  // In the words of 7.2, and of a key.
  const command = new ReplyFault("NOPERM User app has no permissions to run the 'config|get' command")
  expect(replyError('vet', command)).toMatchObject({ needs: '+config|get' })
  const key = new ReplyFault('NOPERM No permissions to access a key')
  expect(replyError('cache.get', key)).toMatchObject({ needs: undefined })
})

test('knows what was not carried out, what will not pass by waiting, and who is not known', () => {
  for (const word of ['BUSY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'READONLY', 'NOREPLICAS'])
    expect(isNotNow(new ReplyFault(`${word} x`))).toBe(true)
  for (const word of ['ERR', 'OOM', 'NOPERM', 'WRONGTYPE', 'BUSYGROUP', 'NOSCRIPT'])
    expect(isNotNow(new ReplyFault(`${word} x`))).toBe(false)
  expect(isLasting(new ReplyFault('ERR DB index is out of range'))).toBe(true)
  expect(isLasting(new ReplyFault('ERR max number of clients reached'))).toBe(false)
  expect(isRefusal(new ReplyFault('NOAUTH Authentication required.'))).toBe(true)
  expect(isRefusal(new LinkFault('ECONNREFUSED', false))).toBe(false)
})

test('tells a broken connection from one that was never there', () => {
  const fault = new LinkFault('connect ECONNREFUSED', false)
  expect(linkError('cache.get', 'h:1', fault, false)).toMatchObject({
    code: 'CONNECTION_LOST',
    sent: false,
    cause: fault,
    message: 'cache.get: no connection to h:1 (connect ECONNREFUSED); it was not sent',
  })
  expect(linkError('cache.get', 'h:1', undefined, true)).toMatchObject({ code: 'CONNECTION_LOST', sent: true })
  expect(linkError('cache.get', 'h:1', new ReplyFault('WRONGPASS no'), false)).toMatchObject({ code: 'AUTH_FAILED' })
})
