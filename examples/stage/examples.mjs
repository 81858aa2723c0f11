/** What examples there are: each a file of this folder, or a folder with a `main.mjs`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = new URL('../', import.meta.url)

/** By name, in the order of the alphabet: the program of each, and the first sentence that it says of itself. */
export function findExamples() {
  const entries = readdirSync(FOLDER, { withFileTypes: true })
  return entries
    .map((entry) => {
      if (entry.isDirectory())
        return { name: entry.name, file: fileURLToPath(new URL(`${entry.name}/main.mjs`, FOLDER)) }
      return { name: entry.name.replace(/\.mjs$/, ''), file: fileURLToPath(new URL(entry.name, FOLDER)) }
    })
    .filter(({ file }) => file.endsWith('.mjs') && existsSync(file))
    .map((example) => ({ ...example, says: firstSentence(readFileSync(example.file, 'utf8')) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function firstSentence(text) {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? ''
  const words = comment
    .replace(/^\s*\*/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
  return /^.*?\.(?= |$)/.exec(words)?.[0].slice(0, -1) ?? words
}
