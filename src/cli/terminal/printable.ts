/** What moves a cursor, rings, or writes backwards: names and labels come from people, some of whom are no friends. */
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** A text that a terminal shows as it is, on one line. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (char) => `\\u${(char.codePointAt(0) as number).toString(16).padStart(4, '0')}`)
