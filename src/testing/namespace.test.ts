import { expect, it } from 'vitest'
import { testNamespace } from './namespace.ts'

it('gives a new namespace each time, which tells its test and needs no escaping', () => {
  const names = Array.from({ length: 100 }, () => testNamespace('sells {seat} 12A once'))
  expect(new Set(names).size).toBe(100)
  for (const name of names) expect(name).toMatch(/^sells-seat-12A-once-[0-9a-f]{12}$/)
  expect(testNamespace('***')).toMatch(/^test-/)
})
