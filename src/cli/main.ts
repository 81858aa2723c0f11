#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { runCli } from './run.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

// Node would say how to trace them, and in its own words. What a user may not do is told by the error that follows.
process.removeAllListeners('warning')
const warned = new Set<string>()
process.on('warning', ({ name, message, code }: Error & { code?: string }) => {
  if (code === 'HOLDFAST_RIGHTS' || warned.has(message)) return
  warned.add(message)
  process.stderr.write(`${code?.startsWith('HOLDFAST_') ? 'Warning' : name}: ${message.replace(/^holdfast: /, '')}\n`)
})

runCli(process.argv.slice(2), version, process).then((exitCode) => {
  process.exitCode = exitCode
})
