import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The order of test files: those that start servers of their own and wait for them, then the short ones, then the contract, its longest
 * file first. A long file that begins last keeps one worker busy while the others have nothing left: on a fresh machine, where no run's
 * durations are known yet, that was half a minute.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const placed = sorted.map((file) => ({ file, place: this.#placeOf(file) }))
    return placed.sort((a, b) => a.place - b.place).map(({ file }) => file)
  }

  #placeOf({ moduleId }: TestSpecification): number {
    const path = relative(this.ctx.config.root, moduleId)
    const place = ORDER.findIndex((pattern) => pattern.test(path))
    return place === -1 ? ORDER.indexOf(REST) : place
  }
}

/** Matches nothing: where the files stand that no other pattern names. */
const REST = /^$/

const ORDER = [
  /^test\/chaos\//,
  /^apps\/box-office\/(sale|pages|main)/,
  /^test\/fault\//,
  /^(apps|examples|test\/deploy|src\/(testing|ops|cli))\//,
  REST,
  /^test\/contract\/cache-interleaving/,
  /^test\/contract\/[^/]+$/,
]
