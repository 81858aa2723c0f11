/**
 * `npm run package`: what a user gets. Packs the built library, lets publint and attw judge it, installs the tarball
 * into an empty project, and there imports, requires and compiles against every entry.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBuild } from './setup/build.mjs'
import { ensureDependencies } from './setup/dependencies.mjs'
import { ROOT, tool } from './setup/paths.mjs'
import { run } from './setup/process.mjs'
import { main, SetupError, say, step } from './setup/progress.mjs'

const { name, exports, bin, peerDependencies, devDependencies } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
)
const entries = Object.keys(exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => name + path.slice(1))

await main(async () => {
  await ensureDependencies()
  await ensureBuild(['library'])
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'))
  const cleanUp = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', cleanUp)
  await check(folder)
  cleanUp()
})

async function check(folder) {
  const tarball = await pack(folder)
  await must('publint', tool('publint'), ['--strict', tarball])
  await must('types, as attw sees them', tool('attw'), [tarball, '--profile', 'esm-only'])
  const project = makeProject(join(folder, 'project'))
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball]
  await must('installs into an empty project', 'npm', install, project)
  await must('can be imported', process.execPath, ['import.mjs'], project)
  await must('can be required', process.execPath, ['require.cjs'], project)
  // Only now: what goes before shows that no entry needs a framework to run. The types of one are those of its users.
  const frameworks = [...Object.keys(peerDependencies), '@types/express'].map(
    (peer) => `${peer}@${devDependencies[peer]}`,
  )
  await must('takes the frameworks beside it', 'npm', [...install.slice(0, -1), ...frameworks], project)
  await must('its types compile', tool('tsc'), ['-p', project], project)
  for (const program of Object.keys(bin))
    await must(`the program ${program} runs`, join(project, 'node_modules/.bin', program), ['--help'], project)
}

async function pack(folder) {
  const output = await must('packs', 'npm', ['pack', '--json', '--loglevel=error', '--pack-destination', folder])
  const packed = JSON.parse(output.slice(output.search(/^[[{]/m)))
  const [{ filename, files, size }] = Array.isArray(packed) ? packed : Object.values(packed)
  const foreign = files
    .map(({ path }) => path)
    .filter((path) => /\.test\.|(^|\/)(src|test|scripts|\.build)\//.test(path))
  if (foreign.length > 0) throw new SetupError(`These do not belong into the package: ${foreign.join(', ')}`)
  say(`  ${filename}: ${files.length} files, ${Math.round(size / 1_024)} KiB`)
  return join(folder, filename)
}

function makeProject(project) {
  mkdirSync(project)
  const write = (file, text) => writeFileSync(join(project, file), text)
  const imports = (form) => entries.map(form).join('\n')
  const isFull = (i) => `if (Object.keys(e${i}).length === 0) throw new Error('${entries[i]} exports nothing')`
  write('package.json', '{ "name": "project", "private": true }')
  write(
    'import.mjs',
    imports((entry, i) => `import * as e${i} from '${entry}'\n${isFull(i)}`),
  )
  write(
    'require.cjs',
    imports((entry, i) => `const e${i} = require('${entry}')\n${isFull(i)}`),
  )
  write(
    'import.mts',
    imports((entry, i) => `import * as e${i} from '${entry}'\nexport const k${i}: object = e${i}`),
  )
  write(
    'require.cts',
    imports((entry, i) => `import e${i} = require('${entry}')\nexport const k${i}: object = e${i}`),
  )
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  }
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['import.mts', 'require.cts'] }))
  return project
}

/** Run one check to its end; its output is shown when it fails, and that is the end of all. */
async function must(label, program, args, cwd = ROOT) {
  const { code, output } = await step(label, () => run(program, args, { quiet: true, cwd }))
  if (code !== 0) throw new SetupError(`${output}\nThe package is not fit: '${label}' failed (exit code ${code}).`)
  return output
}
