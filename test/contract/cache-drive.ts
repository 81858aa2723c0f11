import { expect } from 'vitest'
import { History, type Row, seeded } from './cache-history.ts'

/** What is driven: a cache, or something that pretends to be one. */
export interface Subject {
  get(id: string, load: () => Promise<Row>): Promise<Row>
  getMany?(
    ids: readonly string[],
    load: (ids: readonly string[]) => Promise<Row[]>,
  ): Promise<Map<string, Row | undefined>>
  peek?(id: string): Promise<Row | undefined>
  set?(id: string, row: Row): Promise<void>
  delete(id: string): Promise<unknown>
  invalidateTag?(tag: string): Promise<void>
  invalidatePattern?(pattern: string): Promise<unknown>
  clear?(): Promise<void>
  mutate?(ids: readonly string[], change: () => Promise<void>): Promise<void>
}

export const SEED = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31))
const IDS = ['u:1', 'u:2', 'u:3', 'w:1', 'w:2']
const GROUPS = ['a', 'b']
const STATIC_TAG = 'everything'
export const tagsOf = (row: Row): readonly string[] => [STATIC_TAG, `group:${row.group}`]

export interface Drive {
  readonly subjects: readonly Subject[]
  readonly rounds: number
  readonly seed: number
  readonly boundMs?: number
  /** Now and then, between two rounds. */
  readonly disturb?: () => unknown
}

/** Runs rounds of readers and one who changes things, all at once, at random moments; four rounds overlap. */
export async function drive({ subjects, rounds, seed, boundMs = 0, disturb }: Drive): Promise<History> {
  const random = seeded(seed)
  const history = new History()
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const yields = async (most: number): Promise<void> => {
    const turns = Math.floor(random() * most)
    for (let i = 0; i < turns; i++) await (random() < 0.5 ? undefined : new Promise(setImmediate))
  }
  const load = async (id: string): Promise<Row> => {
    await yields(4)
    const row = history.read(id)
    await yields(random() < 0.2 ? 60 : 6)
    return row
  }

  const reader = async (): Promise<void> => {
    await yields(10)
    const subject = pick(subjects)
    const id = pick(IDS)
    const kind = random()
    if (kind < 0.15 && subject.getMany !== undefined) {
      const ids = IDS.filter(() => random() < 0.5)
      const expected = ids.map((one) => history.expect(one, tagsOf, boundMs))
      const rows = await subject.getMany(ids, (missing) => Promise.all(missing.map(load)))
      // What was not answered at all was given up.
      ids.forEach((one, i) => {
        if (rows.has(one)) expected[i]?.(rows.get(one) as Row)
      })
      return
    }
    const expected = history.expect(id, tagsOf, boundMs)
    const row =
      kind < 0.25 && subject.peek !== undefined ? await subject.peek(id) : await subject.get(id, () => load(id))
    if (row !== undefined) expected(row)
  }

  const changer = async (): Promise<void> => {
    await yields(10)
    const subject = pick(subjects)
    const id = pick(IDS)
    const group = pick(GROUPS)
    const kind = random()
    const isMutation = kind < 0.7 && kind >= 0.53 && subject.mutate !== undefined
    if (!isMutation) history.write(id, group)
    // What could not be confirmed was not acknowledged, and promises nothing.
    try {
      if (isMutation) {
        const ids = [...new Set([id, pick(IDS)])]
        let acknowledge = () => {}
        await subject.mutate?.(ids, async () => {
          await yields(10)
          for (const one of ids) history.write(one, group)
          acknowledge = history.beginKeys(ids)
          await yields(10)
        })
        acknowledge()
      } else if (kind < 0.2 && subject.set !== undefined) {
        const { row, acknowledge } = history.beginSet(id)
        await subject.set(id, row)
        acknowledge()
      } else if (kind < 0.4 && subject.invalidateTag !== undefined) {
        const tag = random() < 0.3 ? STATIC_TAG : `group:${group}`
        const acknowledge = history.beginTag(tag)
        await subject.invalidateTag(tag)
        acknowledge()
      } else if (kind < 0.48 && subject.invalidatePattern !== undefined) {
        const acknowledge = history.beginKeys(IDS.filter((one) => one.startsWith('u:')))
        await subject.invalidatePattern('u:*')
        acknowledge()
      } else if (kind < 0.53 && subject.clear !== undefined) {
        const acknowledge = history.beginKeys(IDS)
        await subject.clear()
        acknowledge()
      } else {
        const acknowledge = history.beginKeys([id])
        await subject.delete(id)
        acknowledge()
      }
    } catch (error) {
      if (disturb === undefined) throw error
    }
  }

  let left = rounds
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      if (disturb !== undefined && random() < 0.01) await disturb()
      await Promise.all([reader(), reader(), reader(), reader(), changer()])
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return history
}

export const expectNone = (history: History, seed: number): void => {
  expect(
    history.violations.slice(0, 3),
    `HOLDFAST_SEED=${seed} gives this again, as far as the server's timing allows`,
  ).toEqual([])
}
