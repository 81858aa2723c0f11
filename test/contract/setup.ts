import type { TestProject } from 'vitest/node'
import { type Running, startTopology } from './topologies.ts'
import type { Variant } from './variants.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly variant: Variant
    /** By product and kind of topology. */
    readonly running: Readonly<Record<string, Running>>
  }
}

export const placeOf = ({ product, kind }: Variant): string => `${product} ${kind}`

/**
 * Runs once a project, before its first file, and one project after the other: the first that needs a topology starts it for all, and
 * its servers run until the last file of any project has ended.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const { variant, running = {} } = project.getProvidedContext() as {
    variant: Variant
    running?: Readonly<Record<string, Running>>
  }
  if (placeOf(variant) in running) return undefined
  const started = await startTopology(variant)
  project.vitest.provide('running', { ...running, [placeOf(variant)]: started.running })
  return started.stop
}
