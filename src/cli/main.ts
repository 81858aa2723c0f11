#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { runCli } from './run.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

runCli(process.argv.slice(2), version, process).then((exitCode) => {
  process.exitCode = exitCode
})
