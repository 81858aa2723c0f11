// The builder of Lua bindings refuses a header that drifts from its body.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { ROOT } from './sources.fixture.ts'

interface Parsed {
  readonly faults: readonly string[]
  readonly flags: readonly string[]
  readonly lua: string
  readonly summary: string
}

const { parseScript, renderRoom } = (await import(join(ROOT, 'scripts/build-lua.mjs'))) as {
  parseScript(name: string, text: string, readPart?: (part: string) => string | undefined): Parsed
  renderRoom(scripts: readonly Parsed[]): string
}

const GOOD = `#!lua flags=allow-oom
-- room/verb: do one thing.
-- KEYS  value   string, the frame
--       others… strings
-- ARGV  token   text   whose
--       count   int
--       frame   bytes
-- REPLY {'done'} | {'held', fence:int, rest…:text}
-- WHY   a test
-- COST  O(1)
local token = ARGV[1] -- ARGV[9] in a comment is no use
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
if token == '' then return {'done'} end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return {'held', 1, token}
`

const faultsOf = (text: string) => parseScript('room/verb', text).faults
const without = (part: string | RegExp, instead = '') => {
  const text = GOOD.replace(part, instead)
  expect(text).not.toBe(GOOD)
  return faultsOf(text)
}

test('takes a script whose header says what its body does', () => {
  expect(faultsOf(GOOD)).toEqual([])
  expect(parseScript('room/verb', GOOD)).toMatchObject({ flags: ['allow-oom'], summary: 'do one thing.' })
})

test.each([
  ['no shebang', '#!lua flags=allow-oom\n', '', "line 1 must be '#!lua'"],
  ['a misspelt shebang', '#!lua flags', '#!lua  flags', "line 1 must be '#!lua'"],
  ['another name', 'room/verb', 'room/other', "line 2 must be '-- room/verb"],
  ['no KEYS', /-- KEYS[\s\S]*?(?=-- ARGV)/, '', 'no KEYS in the header'],
  ['no REPLY', /-- REPLY.*\n/, '', 'no REPLY in the header'],
  ['no WHY', /-- WHY.*\n/, '', 'no WHY in the header'],
  ['no COST', /-- COST.*\n/, '', 'no COST in the header'],
  ['an undeclared argument', 'return {', 'local x = ARGV[4] return {', 'ARGV[4] is used and not declared'],
  ['an unused argument', "ARGV[3], 'PX'", "1, 'PX'", 'ARGV[3] (frame) is declared and not used'],
  ['an unused key', 'KEYS[1]', "'key'", 'KEYS[1] (value) is declared and not used'],
  ['unused further keys', /for i.*\n/, '', 'KEYS others… is declared and not used'],
  ['an undeclared key', '--       others… strings\n', '', 'KEYS is read by a computed number'],
  ['an argument of no type', 'count   int', 'count   number', 'its type must be text, int or bytes'],
  ['an undeclared word', "{'done'} end", "{'finished'} end", "reply 'finished' is used and not declared"],
  ['an unused word', "{'done'} |", "{'done'} | {'taken'} |", "reply 'taken' is declared and not used"],
  ['a field of no type', 'fence:int', 'fence:number', "reply 'held': unknown type 'number'"],
  ['a magic number', "return {'done'}", 'return -6', 'never a bare number'],
  ['a bare nil', "return {'done'}", 'return nil', 'never a bare number, boolean or nil'],
  ["the client's clock", "return {'done'}", "local now = os.time() return {'done'}", "time is redis.call('TIME')"],
  ['chance', "return {'done'}", "local dice = math.random() return {'done'}", 'randomness comes from the caller'],
])('refuses %s', (_what, part, instead, fault) => {
  expect(without(part, instead).join('\n')).toContain(fault)
})

test('puts shared parts in, looks at them too, and refuses one that is not there', () => {
  const text = GOOD.replace('for i', '-- PUT shared\nfor i')
  expect(parseScript('room/verb', text, () => 'local shared = 1')).toMatchObject({
    faults: [],
    lua: expect.stringContaining('local shared = 1'),
  })
  expect(parseScript('room/verb', text, () => 'local x = ARGV[7]').faults).toContain('ARGV[7] is used and not declared')
  expect(faultsOf(text)).toContain('PUT shared: there is no lua/parts/shared.lua')
})

test('leaves comments out of what is sent, and nothing else', () => {
  const { lua } = parseScript('room/verb', GOOD)
  expect(lua.split('\n')[0]).toBe('#!lua flags=allow-oom')
  expect(lua).not.toContain('--')
  expect(lua).toContain("return {'held', 1, token}")
})

test('makes a binding that compiles, with the hash of what is sent and the types of the header', () => {
  const script = parseScript('room/verb', GOOD)
  const text = renderRoom([script])
  expect(text).toContain(createHash('sha1').update(script.lua).digest('hex'))
  expect(text).toContain('readonly value: Key; readonly others: readonly (Key)[]')
  expect(text).toContain('readonly token: string; readonly count: number;')
  expect(text).toMatch(
    /readonly \['done'\] \| readonly \[word: 'held', fence: number, \.\.\.rest: readonly string\[\]\]/,
  )
  const { diagnostics } = ts.transpileModule(text, { reportDiagnostics: true })
  expect(diagnostics).toEqual([])
})
