import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Do `work` while no other process does the same under this lock file. A lock whose owner is gone is taken. */
export async function alone(file, work) {
  while (!take(file)) {
    if (!isAlive(owner(file))) rmSync(file, { force: true })
    else await wait(100)
  }
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

/** A link of a file that is complete: nobody reads a lock without its owner. */
function take(file) {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    linkSync(mine, file)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(mine)
  }
}

function owner(file) {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    // Released this instant: to be taken on the next try.
    return process.pid
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
