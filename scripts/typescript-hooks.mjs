import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const SRC = new URL('../src/', import.meta.url)

const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  inlineSourceMap: true,
  jsx: ts.JsxEmit.ReactJSX,
  jsxImportSource: 'hono/jsx',
}

export async function resolve(specifier, context, next) {
  const entry = /^holdfast(?:\/(\w+))?$/.exec(specifier)
  if (!entry) return next(specifier, context)
  return next(new URL(`${entry[1] ? `${entry[1]}/` : ''}index.ts`, SRC).href, context)
}

export async function load(url, context, next) {
  if (!/\.tsx?$/.test(url)) return next(url, context)
  const fileName = fileURLToPath(url)
  const { outputText } = ts.transpileModule(await readFile(fileName, 'utf8'), { fileName, compilerOptions })
  return { format: 'module', source: outputText, shortCircuit: true }
}
