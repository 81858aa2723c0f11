/**
 * `node examples` lists the examples, `node examples <name>` runs one, straight after a clone: installs and builds
 * what it lacks.
 */
import { pathToFileURL } from 'node:url'
import { findExamples } from './stage/examples.mjs'
import { ready } from './stage/ready.mjs'

const [, , wanted] = process.argv
const examples = findExamples()
const example = examples.find(({ name }) => name === wanted)

if (example) {
  await ready()
  await import(pathToFileURL(example.file).href)
} else {
  const width = Math.max(...examples.map(({ name }) => name.length))
  if (wanted !== undefined) console.log(`There is no example '${wanted}'. There are:\n`)
  for (const { name, says } of examples) console.log(`node examples ${name.padEnd(width)}  ${says}`)
  process.exitCode = wanted === undefined ? 0 : 1
}
