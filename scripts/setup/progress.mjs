/** Lines about what is going on: on a terminal one that keeps ticking, elsewhere one every ten seconds. */

/** What a person must do or know; ends the set-up. */
export class SetupError extends Error {}

const live = process.stdout.isTTY && !process.env.CI

/**
 * Show `label` and the seconds that it takes, while `work` runs.
 *
 * returns what `work` gives; a line with a tick or a cross stays behind
 */
export async function step(label, work) {
  const startedAt = performance.now()
  const seconds = () => Math.round((performance.now() - startedAt) / 1_000)
  const show = () => (live ? process.stdout.write(`\r  ${label} … ${seconds()} s`) : say(`  ${label} … ${seconds()} s`))
  if (live) show()
  const ticking = setInterval(show, live ? 1_000 : 10_000)
  const finish = (mark) => {
    clearInterval(ticking)
    say(`${live ? '\r' : ''}${mark} ${label} (${took(performance.now() - startedAt)})${live ? '    ' : ''}`)
  }
  try {
    const result = await work()
    finish('✓')
    return result
  } catch (error) {
    finish('✗')
    throw error
  }
}

export function say(line) {
  process.stdout.write(`${line}\n`)
}

export const took = (ms) => (ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`)

/** Run a script's main function; a SetupError is shown as it is, without a stack. */
export async function main(work) {
  try {
    await work()
  } catch (error) {
    process.stderr.write(`\n${error instanceof SetupError ? error.message : (error.stack ?? error)}\n`)
    process.exit(1)
  }
}
