import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests run on the sources: 'holdfast' is what a user imports, without a build in between.
    alias: [
      { find: /^holdfast$/, replacement: src('index.ts') },
      { find: /^holdfast\/(\w+)$/, replacement: src('$1/index.ts') },
    ],
  },
  test: {
    include: [
      'src/**/*.test.ts',
      'apps/**/*.test.ts',
      'test/**/*.test.ts',
      'examples/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    testTimeout: 30_000,
    // Real kills and freezes on a shared machine: there, a test that failed once is asked once more, and the report says so.
    retry: process.env.CI ? 1 : 0,
    hookTimeout: 60_000,
    // Two cores: two files at a time, each with servers of its own.
    maxWorkers: 2,
    pool: 'forks',
    reporters: ['default'],
  },
})
