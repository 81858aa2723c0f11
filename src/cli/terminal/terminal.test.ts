import { describe, expect, it } from 'vitest'
import { bytes, count, exactly, plural, seconds, short } from './figures.ts'
import { Terminal } from './terminal.ts'

function stream(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, write: (text: string) => written.push(text), written }
}

describe('a terminal', () => {
  it('rewrites a line of progress where it can, and ends it before anything else is said', () => {
    const [stdout, stderr] = [stream(true), stream(true)]
    const terminal = new Terminal({ stdout, stderr }, true)
    terminal.progress('1 %')
    terminal.progress('2 %')
    terminal.data('done')
    expect(stderr.written.join('')).toBe('\r\u001B[2K1 %\r\u001B[2K2 %\n')
    expect(stdout.written).toEqual(['done\n'])
  })

  it('cuts a line of progress where it would go on in the next', () => {
    const stderr = { ...stream(true), columns: 10 }
    new Terminal({ stdout: stream(true), stderr }, true).progress('moving slots: 3 %')
    expect(stderr.written.join('')).toBe('\r\u001B[2Kmoving s…')
  })

  it('tells progress in whole lines elsewhere, the last one in any case', () => {
    const [stdout, stderr] = [stream(false), stream(false)]
    const terminal = new Terminal({ stdout, stderr }, true)
    for (const text of ['1 %', '2 %', '3 %']) terminal.progress(text)
    terminal.progress('100 %', true)
    expect(stderr.written).toEqual(['1 %\n', '100 %\n'])
    expect(stdout.written).toEqual([])
  })

  it('has colours on a terminal only, and only when wanted', () => {
    const paint = (isTTY: boolean, wanted: boolean) =>
      new Terminal({ stdout: stream(isTTY), stderr: stream(true) }, wanted).paint('red', 'x')
    expect([paint(true, true), paint(false, true), paint(true, false)]).toEqual(['\u001B[31mx\u001B[39m', 'x', 'x'])
  })
})

it('writes figures as people read them', () => {
  expect([bytes(0), bytes(1_023), bytes(1_024), bytes(200 * 2 ** 20)]).toEqual(['0 B', '1023 B', '1.0 KiB', '200 MiB'])
  expect([count(16_384), plural(1, 'slot'), plural(2, 'slot')]).toEqual(['16,384', '1 slot', '2 slots'])
  expect([exactly(90_000), exactly(3_600_000), exactly(1_500)]).toEqual(['90 s', '1 h', '1500 ms'])
  expect([seconds(940), seconds(61_000), short('abcdef', 4)]).toEqual(['0.94 s', '61.0 s', 'abc…'])
})
