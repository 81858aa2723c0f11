import { defineConfig, type UserConfig } from 'tsdown'

const common: UserConfig = {
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  fixedExtension: false,
  sourcemap: true,
  report: false,
}

const library: UserConfig = {
  ...common,
  name: 'library',
  // One entry per capability, as in the exports of package.json. One that is missing fails the build.
  entry: {
    index: 'src/index.ts',
    'cache/index': 'src/cache/index.ts',
    'breaker/index': 'src/breaker/index.ts',
    'monitor/index': 'src/monitor/index.ts',
    'otel/index': 'src/otel/index.ts',
    'prometheus/index': 'src/prometheus/index.ts',
    'lock/index': 'src/lock/index.ts',
    'seats/index': 'src/seats/index.ts',
    'session/index': 'src/session/index.ts',
    'http/express': 'src/http/express.ts',
    'http/fastify': 'src/http/fastify.ts',
    'http/hono': 'src/http/hono.ts',
    'http/fetch': 'src/http/fetch.ts',
    'http/index': 'src/http/index.ts',
    'limit/index': 'src/limit/index.ts',
    'log/index': 'src/log/index.ts',
    'value/index': 'src/value/index.ts',
    'queue/index': 'src/queue/index.ts',
    'analytics/index': 'src/analytics/index.ts',
    'geo/index': 'src/geo/index.ts',
    'keyv/index': 'src/keyv/index.ts',
    'ops/index': 'src/ops/index.ts',
    'testing/index': 'src/testing/index.ts',
    // The program `holdfast`: no entry of the exports.
    'cli/main': 'src/cli/main.ts',
  },
  outDir: 'dist',
  dts: true,
  // Fails when a package other than our dependencies would be swallowed.
  deps: { onlyBundle: [] },
}

/** Programs of this repository that use the package: transpiled file by file, so that the layout of folders stays. */
const program = (name: string, root: string): UserConfig => ({
  ...common,
  name,
  entry: [`${root}/**/*.{ts,tsx}`, `!${root}/**/*.test.{ts,tsx}`, `!${root}/**/*.d.ts`, `!${root}/node_modules/**`],
  root,
  outDir: `.build/${name}`,
  unbundle: true,
  dts: false,
  // Every package stays an import; our own is found by its name in dist/, as a user finds it.
  deps: { skipNodeModulesBundle: true, neverBundle: [/^holdfast($|\/)/] },
})

/** `BUILD=<name>` builds one of them; without it, the library. */
const parts = [library, program('box-office', 'apps/box-office'), program('bench', 'bench')]

export default defineConfig(parts.filter(({ name }) => name === (process.env.BUILD ?? 'library')))
