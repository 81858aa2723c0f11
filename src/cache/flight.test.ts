import { describe, expect, it } from 'vitest'
import { Flight, type Landing, markMoment, momentNow } from './flight.ts'
import { Loading } from './loading.ts'

const load = () => new Loading({ cache: 'it', hardMs: undefined, listening: new Set(), timedOut: () => {} })

describe('a flight', () => {
  it('answers those who came before what it tells of, though they board late, and no others', async () => {
    let land: (landing: Landing) => void = () => {}
    const flight = new Flight(false, load(), () => new Promise((resolve) => (land = resolve)))
    const early = momentNow()
    const loads = markMoment()
    const late = momentNow()
    const boarding = [flight.board(early), flight.board(late)]
    land({ value: 'v', goodBefore: loads })
    expect(await Promise.all(boarding)).toEqual([{ value: 'v', goodBefore: loads }, undefined])
    expect(await flight.board(early)).toMatchObject({ value: 'v' })
  })

  it('rejects with the very error for all who board', async () => {
    const error = new Error('no')
    const flight = new Flight(false, load(), () => Promise.reject(error))
    await expect(flight.board(momentNow())).rejects.toBe(error)
    await expect(flight.board(momentNow())).rejects.toBe(error)
  })
})
