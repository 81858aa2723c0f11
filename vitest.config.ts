import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'
import { nameOf, VARIANTS } from './test/contract/variants.ts'
import LongestFirst from './test/longest-first.ts'

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

/** What holds on every topology: run on each, and on each as a user who may do no more than is needed. */
const CONTRACT = 'test/contract/*.test.ts'

/** Of the sources, what needs a process of its own: it changes what all share, such as the global Response, or watches its own process. */
const APART = ['src/{cli,http,otel,telemetry,testing}/**/*.test.ts', 'apps/box-office/{sale,pages}/*.test.ts']

/** Of the tests, what needs none: what it breaks are servers and processes of its own. */
const SHARED = 'test/{fault,deploy}/**/*.test.ts'

export default defineConfig({
  resolve: {
    // Tests run on the sources: 'holdfast' is what a user imports, without a build in between.
    alias: [
      { find: /^holdfast$/, replacement: src('index.ts') },
      { find: /^holdfast\/(express|fastify|hono|fetch)$/, replacement: src('http/$1.ts') },
      { find: /^holdfast\/(\w+)$/, replacement: src('$1/index.ts') },
    ],
  },
  test: {
    testTimeout: 60_000,
    // Real kills and freezes on a shared machine: there, a test that failed once is asked once more, and the report says so.
    retry: process.env.CI ? 1 : 0,
    hookTimeout: 60_000,
    // Two cores, and files that wait more than they work: four at a time.
    maxWorkers: 4,
    pool: 'forks',
    // What one project has transformed the others need not: half of that time.
    experimental: { fsModuleCache: true },
    sequence: { sequencer: LongestFirst },
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['src/**/*.test.ts', 'apps/box-office/*/*.test.ts', SHARED],
          exclude: [...configDefaults.exclude, ...APART],
          // One process for many files: reading the sources anew for each took a third of their time.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'house',
          include: [...APART, 'apps/*/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: [...configDefaults.exclude, CONTRACT, SHARED],
        },
      },
      ...VARIANTS.map((variant) => ({
        extends: true as const,
        test: {
          name: nameOf(variant),
          include: [CONTRACT],
          exclude: [
            ...configDefaults.exclude,
            // It makes limited users of its own.
            ...(variant.user === 'full' ? ['test/contract/rights.test.ts'] : []),
          ],
          // One process for many files: reading the sources anew for each took a quarter of their time.
          isolate: false,
          globalSetup: ['test/contract/setup.ts'],
          provide: { variant },
          // Each is heard by the test that provokes it, and fails any other.
          execArgv: ['--disable-warning=HOLDFAST_RIGHTS'],
        },
      })),
    ],
  },
})
