/**
 * The loader behind typescript.mjs. What it makes of a file is kept under .build, by the file's contents: the compiler alone
 * takes longer to load than most programs here run, and is loaded only for a file that nobody has run before.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SCRATCH } from './setup/paths.mjs'

const SRC = new URL('../src/', import.meta.url)
const KEPT = join(SCRATCH, 'transpiled')

/** In the compiler's words for a command line, so that they can be told apart without it. */
const OPTIONS = {
  target: 'es2023',
  module: 'esnext',
  verbatimModuleSyntax: true,
  inlineSourceMap: true,
  jsx: 'react-jsx',
  jsxImportSource: 'hono/jsx',
}
const { version } = createRequire(import.meta.url)('typescript/package.json')
const COMPILER = `${version} ${JSON.stringify(OPTIONS)}`

/** Entries of the package, as its exports say: './hono' is built from src/http/hono.ts. */
const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

export async function resolve(specifier, context, next) {
  const entry = /^holdfast(\/\w+)?$/.exec(specifier)
  const built = entry && exports[`.${entry[1] ?? ''}`]?.default
  if (!built) return next(specifier, context)
  return next(new URL(built.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts'), SRC).href, context)
}

export async function load(url, context, next) {
  if (!/\.tsx?$/.test(url)) return next(url, context)
  const fileName = fileURLToPath(url)
  const text = await readFile(fileName, 'utf8')
  const hash = createHash('sha256')
    .update(`${COMPILER}\0${basename(fileName)}\0${text}`)
    .digest('hex')
  const kept = join(KEPT, `${hash}.js`)
  return { format: 'module', source: read(kept) ?? (await transpile(fileName, text, kept)), shortCircuit: true }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

async function transpile(fileName, text, kept) {
  const { default: ts } = await import('typescript')
  const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(OPTIONS, '.')
  const { outputText } = ts.transpileModule(text, { fileName, compilerOptions })
  // Under another name until it is whole. Where nothing can be written, it is made anew each time.
  const part = `${kept}.${process.pid}`
  try {
    mkdirSync(KEPT, { recursive: true })
    writeFileSync(part, outputText)
    renameSync(part, kept)
  } catch {
    rmSync(part, { force: true })
  }
  return outputText
}
