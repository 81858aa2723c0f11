import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { alone } from './lock.mjs'
import { ROOT, SCRATCH, scratch, tool } from './paths.mjs'
import { run } from './process.mjs'
import { SetupError, step } from './progress.mjs'

const SHARED = ['package.json', 'tsconfig.json', 'tsdown.config.ts', 'scripts/setup/build.mjs']

/**
 * What can be built, by its name in tsdown.config.ts.
 * The box office finds its data and pages in apps/box-office, wherever its code lies: nothing is copied.
 * from: the sources whose change means a new build. makes: a file without which there is none.
 */
const PARTS = {
  library: { label: 'the library', from: ['src'], makes: join(ROOT, 'dist/index.js') },
  'box-office': {
    label: 'the box office',
    from: ['apps/box-office'],
    makes: join(SCRATCH, 'box-office'),
  },
  bench: { label: 'the benchmarks', from: ['bench'], makes: join(SCRATCH, 'bench') },
}

/** Build `parts` where their sources changed since they were last built; all of them with `force`. */
export async function ensureBuild(parts, { force = false } = {}) {
  await alone(scratch('build.lock'), async () => {
    for (const name of parts) {
      const part = PARTS[name]
      if (!existsSync(join(ROOT, part.from[0]))) continue
      const stamp = scratch(`${name}.stamp`)
      const print = fingerprint([...SHARED, ...part.from])
      const isFresh = existsSync(part.makes) && existsSync(stamp) && readFileSync(stamp, 'utf8') === print
      if (isFresh && !force) continue
      await step(`building ${part.label}`, () => build(name))
      writeFileSync(stamp, print)
    }
  })
}

async function build(name) {
  rmSync(scratch(`${name}.stamp`), { force: true })
  const options = { quiet: true, env: { BUILD: name } }
  const { code, output } = await run(tool('tsdown'), ['--config-loader', 'unrun', '--logLevel', 'warn'], options)
  if (code !== 0) throw new SetupError(`${output}\nThe build failed (exit code ${code}).`)
}

/** A hash over the names and contents of files, and of folders with all that is in them except tests and packages. */
export function fingerprint(paths, root = ROOT) {
  const hash = createHash('sha256').update(process.version)
  for (const path of paths.flatMap((path) => filesOf(root, path)))
    hash.update(`\0${path}\0`).update(readFileSync(join(root, path)))
  return hash.digest('hex')
}

function filesOf(root, path) {
  const full = join(root, path)
  if (!existsSync(full)) return []
  if (!statSync(full).isDirectory()) return /\.test\.tsx?$/.test(path) ? [] : [path]
  return readdirSync(full)
    .filter((name) => name !== 'node_modules')
    .sort()
    .flatMap((name) => filesOf(root, join(path, name)))
}
