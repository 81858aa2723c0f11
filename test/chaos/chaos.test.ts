// The short form of `npm run chaos`: every fault of a Cluster once, under steady load. Those of a Sentinel group, one by one: test/fault/sentinel.test.ts
import { expect, test } from 'vitest'
import { type Chapter, clusterStory, type Story, showChapter } from './stories.ts'

/** Callers that rest leave the cores to the servers, and to the tests beside this one. */
const PAUSE_MS = 25
const say = (chapter: Chapter) => process.stdout.write(`  ${showChapter(chapter)}\n`)

function expectWell({ chapters, problems, sales, failovers }: Story): void {
  for (const chapter of chapters) {
    expect(chapter, chapter.fault).toMatchObject({ failed: 0, wrong: 0, complaints: [] })
    expect(chapter.sales, chapter.fault).toBeGreaterThan(0)
  }
  expect(problems).toEqual([])
  expect(sales).toBeGreaterThan(0)
  expect(failovers).toBeGreaterThanOrEqual(3)
}

test('a Cluster grows, fails over, loses a primary and has one fall asleep: nothing fails, nothing is wrong', async () => {
  expectWell(await clusterStory(1, say, PAUSE_MS))
}, 120_000)
