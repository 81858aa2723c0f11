import { describe, expect, it } from 'vitest'
import { mostTrusted, opinion, readView } from './view.ts'

const A = 'a'.repeat(40)
const B = 'b'.repeat(40)
const C = 'c'.repeat(40)
const text = `${A} 127.0.0.1:7001@17001,one.invalid myself,master - 0 0 4 connected 0-99 200 [99->-${B}] [300-<-${B}]
${B} 127.0.0.1:7002@17002,,tls-port=0,shard-id=5f master,fail? - 0 0 5 connected 100-199
${C} ::1:7003@17003 slave ${A} 0 0 4 connected
`

describe('a view', () => {
  it('is read from CLUSTER NODES of 7.0 and later, with slots on their way', () => {
    const { self, nodes, owners } = readView(text)
    expect(self).toMatchObject({
      ...{ id: A, ip: '127.0.0.1', port: 7_001, busPort: 17_001, hostname: 'one.invalid', role: 'primary', epoch: 4 },
      ranges: [
        [0, 99],
        [200, 200],
      ],
      open: [
        { slot: 99, state: 'migrating', peer: B },
        { slot: 300, state: 'importing', peer: B },
      ],
    })
    expect(nodes[1]).toMatchObject({ hostname: '', isWell: false, flags: ['master', 'fail?'] })
    expect(nodes[2]).toMatchObject({ ip: '::1', port: 7_003, role: 'replica', primaryId: A, isWell: true })
    expect([owners[99], owners[100], owners[200], owners[201]]).toEqual([A, B, A, undefined])
  })

  it('is the same opinion when only the order, or a stranger, differs', () => {
    const view = readView(text)
    const turned = readView(text.trim().split('\n').reverse().join('\n'))
    expect(opinion(turned, new Set([A, B, C]))).toBe(opinion(view, new Set([A, B, C])))
    const moved = readView(text.replace('100-199', '100-198'))
    expect(opinion(moved, new Set([A, B]))).not.toBe(opinion(view, new Set([A, B])))
    expect(opinion(moved, new Set([A, C]))).toBe(opinion(view, new Set([A, C])))
  })

  it('is believed of a node that the others know, though one that was taken out has heard of more', () => {
    const known = readView(text)
    const other = readView(text.replace('myself,master', 'master').replace('master,fail?', 'myself,master'))
    const outcast = readView(`${'d'.repeat(40)} 127.0.0.1:7004@17004 myself,master - 0 0 99 connected`)
    expect(mostTrusted([outcast, known, other])).toBe(known)
    expect(mostTrusted([])).toBeUndefined()
  })
})
