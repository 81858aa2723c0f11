export type Colour = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold'

/** Select Graphic Rendition codes: on, off. */
const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

export type Paint = (colour: Colour, text: string) => string

export const painted: Paint = (colour, text) => {
  const [on, off] = CODES[colour]
  return text === '' ? '' : `\u001B[${on}m${text}\u001B[${off}m`
}

export const plain: Paint = (_colour, text) => text
