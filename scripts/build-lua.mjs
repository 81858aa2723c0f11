// Makes the typed binding of every Lua script from its header, and inlines its text, so that the
// package survives bundlers. The header is the contract; this refuses one that drifts from its body:
// a KEYS[n], ARGV[n] or reply word that is used and not declared, or declared and not used.
//
//   node scripts/build-lua.mjs           writes src/*/lua.generated.ts
//   node scripts/build-lua.mjs --check   exits 1 when one of them is not fresh
//
// A header:
//   #!lua flags=allow-oom
//   -- cache/fill: what it does, in one sentence.
//   -- KEYS  value   string, the entry's frame
//   --       pairs…  a last name that ends in … stands for any number of keys
//   -- ARGV  token   text     the second word is the type: text | int | bytes
//   -- REPLY {'filled'} | {'voided', fence:int, rest…:text}
//   -- WHY   …   -- COST  …   free text, required
// In the body, a line `-- PUT name` stands for the text of lua/parts/name.lua, which several scripts share. A queue is made of streams:
// what its own parts do not hold is a stream's.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What a caller may pass where a header says so; replies are of the types below. */
const ARG_TYPES = { text: 'string', int: 'number', bytes: 'Buffer | string' }
const TYPES = { text: 'string', int: 'number', bytes: 'Buffer', list: 'readonly unknown[]' }

/** The parsed header, body and faults of one script's text. `readPart` gives the text of a shared part. */
export function parseScript(name, text, readPart = () => undefined) {
  const faults = []
  const lines = text.split('\n')
  const flags = /^#!lua(?: flags=([\w,-]+))?$/.exec(lines[0] ?? '')
  if (!flags) faults.push("line 1 must be '#!lua' or '#!lua flags=…'")
  // A part that is put in right below the header belongs to the body.
  const end = lines.findIndex((line, i) => i > 0 && (!line.startsWith('--') || line.startsWith('-- PUT ')))
  const header = lines.slice(1, end)
  const ownBody = lines.slice(end).join('\n')

  const sections = {}
  let current
  for (const line of header.slice(1)) {
    const start = /^-- ([A-Z]+)\s+(.*)$/.exec(line)
    if (start) {
      current = start[1]
      sections[current] = [...(sections[current] ?? []), start[2]]
    } else if (current) sections[current].push(line.replace(/^--\s*/, ''))
  }
  if (!header[0]?.startsWith(`-- ${name}: `)) faults.push(`line 2 must be '-- ${name}: what it does'`)
  for (const section of ['KEYS', 'REPLY', 'WHY', 'COST'])
    if (!sections[section]) faults.push(`no ${section} in the header`)

  const body = ownBody.replace(/^\s*-- PUT (\w+)$/gm, (_, part) => partText(part, readPart(part), faults))

  const named = (section) =>
    (sections[section] ?? []).flatMap((line) => {
      const [, id, rest, type] = /^(\w+)(…?)\s*(\w*)/.exec(line) ?? []
      return id ? [{ id, rest: rest === '…', type }] : []
    })
  const keys = named('KEYS')
  const args = named('ARGV')
  for (const arg of args)
    if (!TYPES[arg.type]) faults.push(`ARGV ${arg.id}: its type must be text, int or bytes, not '${arg.type}'`)
  const replies = parseReplies((sections.REPLY ?? []).join(' '), faults)
  faults.push(...compareUse(body, 'KEYS', keys), ...compareUse(body, 'ARGV', args), ...compareReplies(body, replies))
  return {
    name,
    flags: flags?.[1]?.split(',') ?? [],
    summary: header[0]?.slice(name.length + 5) ?? '',
    keys,
    args,
    replies,
    faults,
    lua: strip(lines[0], body),
  }
}

function partText(part, text, faults) {
  if (text === undefined) faults.push(`PUT ${part}: there is no lua/parts/${part}.lua`)
  return text ?? ''
}

function parseReplies(text, faults) {
  const replies = [...text.matchAll(/\{'([a-z-]+)'((?:,\s*\w+…?:\w+)*)\}/g)].map(([, word, fields]) => ({
    word,
    fields: [...fields.matchAll(/(\w+)(…?):(\w+)/g)].map(([, id, rest, type]) => ({ id, rest: rest === '…', type })),
  }))
  if (replies.length === 0) faults.push("REPLY must list tuples such as {'held', fence:int}")
  for (const { word, fields } of replies)
    for (const field of fields) if (!TYPES[field.type]) faults.push(`reply '${word}': unknown type '${field.type}'`)
  return replies
}

/** Names of KEYS or ARGV against what the body reads by number. A last name with … covers all from there on. */
function compareUse(body, table, names) {
  const faults = []
  const code = stripComments(body)
  const used = new Set([...code.matchAll(new RegExp(`${table}\\[(\\d+)\\]`, 'g'))].map((match) => Number(match[1])))
  const open = new RegExp(`${table}\\[[^\\d\\]]|${table}\\[\\d+\\s*[-+]|#${table}(?!\\[)|unpack\\(${table}`).test(code)
  const variadic = names.at(-1)?.rest
  const fixed = variadic ? names.length - 1 : names.length
  for (const n of used) if (n > fixed && !variadic) faults.push(`${table}[${n}] is used and not declared`)
  for (let n = 1; n <= fixed; n++)
    if (!used.has(n)) faults.push(`${table}[${n}] (${names[n - 1].id}) is declared and not used`)
  if (variadic && !open && ![...used].some((n) => n > fixed))
    faults.push(`${table} ${names.at(-1).id}… is declared and not used`)
  if (open && !variadic) faults.push(`${table} is read by a computed number, and no name with … is declared`)
  return faults
}

function compareReplies(body, replies) {
  const code = stripComments(body)
  // A reply is returned as a literal, or built in a table that is returned by its name.
  const built = [...code.matchAll(/return\s+([a-z_]\w*)\b(?!\s*[.(])/gi)].map((match) => match[1])
  const start = ['return', ...built.map((name) => `\\b${name}\\s*=`)].join('|')
  const used = new Set(
    [...code.matchAll(new RegExp(`(?:${start})\\s*\\{\\s*'([a-z-]+)'`, 'g'))].map((match) => match[1]),
  )
  const declared = new Set(replies.map((reply) => reply.word))
  const faults = []
  for (const word of used) if (!declared.has(word)) faults.push(`reply '${word}' is used and not declared`)
  for (const word of declared) if (!used.has(word)) faults.push(`reply '${word}' is declared and not used`)
  if (/return\s+(-?\d|true|false|nil\b)/.test(code.replace(/\n\s*local function[\s\S]*?\nend(?=\n)/g, '')))
    faults.push('a reply is a table that starts with a word, never a bare number, boolean or nil')
  if (/os\.time|math\.random/.test(code))
    faults.push("time is redis.call('TIME'), and randomness comes from the caller")
  return faults
}

const stripComments = (code) => code.replace(/(^|\s)--[^\n]*/g, '$1')
const strip = (shebang, body) => {
  const lines = stripComments(body).split('\n')
  const code = lines.map((line) => line.replace(/\s+$/, '')).filter((line) => line.trim() !== '')
  return [shebang, ...code, ''].join('\n')
}

const pascal = (name) => name.replace(/(^|-)(\w)/g, (_, __, letter) => letter.toUpperCase())
const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())
const shape = (fields, type) =>
  `{ ${fields.map((f) => `readonly ${f.id}: ${f.rest ? `readonly (${type(f)})[]` : type(f)}`).join('; ')} }`

/** The TypeScript of one room's bindings. */
export function renderRoom(scripts) {
  const out = ['// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.', '']
  const usesKeys = scripts.some((script) => script.keys.length > 0)
  out.push(`import type { Key } from '../redis/keyspace.ts'`, `import { defineScript } from '../redis/script.ts'`, '')
  if (!usesKeys) out.splice(2, 1)
  for (const script of scripts) {
    const short = script.name.split('/')[1]
    const keys = script.keys.length ? shape(script.keys, () => 'Key') : 'Record<never, never>'
    const args = script.args.length ? shape(script.args, (f) => ARG_TYPES[f.type]) : 'Record<never, never>'
    const reply = script.replies
      .map(
        ({ word, fields }) =>
          `readonly [${[`'${word}'`, ...fields.map((f) => (f.rest ? `...${f.id}: readonly ${TYPES[f.type]}[]` : `${f.id}: ${TYPES[f.type]}`)).map((part) => part)].map((part, i) => (i === 0 && fields.length ? `word: ${part}` : part)).join(', ')}]`,
      )
      .join(' | ')
    out.push(
      `/** ${script.summary} */`,
      `export const ${camel(short)}Script = defineScript<${keys}, ${args}, ${pascal(short)}Reply>({`,
      `  name: '${script.name}',`,
      `  sha: '${createHash('sha1').update(script.lua).digest('hex')}',`,
      `  flags: ${JSON.stringify(script.flags)},`,
      `  keys: ${JSON.stringify(script.keys.map((key) => key.id + (key.rest ? '…' : '')))},`,
      `  args: ${JSON.stringify(script.args.map((arg) => arg.id + (arg.rest ? '…' : '')))},`,
      `  replies: ${JSON.stringify(Object.fromEntries(script.replies.map(({ word, fields }) => [word, fields.map((f) => f.type + (f.rest ? '…' : ''))])))},`,
      `  lua: ${JSON.stringify(script.lua)},`,
      '})',
      `export type ${pascal(short)}Reply = ${reply}`,
      '',
    )
  }
  return out.join('\n')
}

function main() {
  const src = join(dirname(fileURLToPath(import.meta.url)), '..', 'src')
  const check = process.argv.includes('--check')
  let failed = false
  for (const room of readdirSync(src)) {
    const folder = join(src, room, 'lua')
    if (!existsSync(folder)) continue
    const partFolders = [folder, ...(room === 'queue' ? [join(src, 'stream', 'lua')] : [])]
    const readPart = (part) => {
      const path = partFolders.map((where) => join(where, 'parts', `${part}.lua`)).find((one) => existsSync(one))
      return path === undefined ? undefined : readFileSync(path, 'utf8')
    }
    const scripts = readdirSync(folder)
      .filter((file) => file.endsWith('.lua'))
      .sort()
      .map((file) =>
        parseScript(`${room}/${basename(file, '.lua')}`, readFileSync(join(folder, file), 'utf8'), readPart),
      )
    for (const script of scripts)
      for (const fault of script.faults) {
        failed = true
        console.error(`src/${room}/lua/${script.name.split('/')[1]}.lua: ${fault}`)
      }
    const target = join(src, room, 'lua.generated.ts')
    if (scripts.length === 0) continue
    const text = renderRoom(scripts)
    if (existsSync(target) && readFileSync(target, 'utf8') === text) continue
    if (check) {
      failed = true
      console.error(`src/${room}/lua.generated.ts is not fresh: run npm run lua`)
    } else if (!failed) writeFileSync(target, text)
  }
  if (failed) process.exit(1)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
