// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u0000-\u001f\\]/

/** A text without control characters, as JSON writes them, so that tabs and line breaks are free to separate. Most stay as they are. */
export const toLine = (text: string): string => (UNSAFE.test(text) ? JSON.stringify(text).slice(1, -1) : text)

/** The text that was written so. */
export const fromLine = (line: string): string => (line.includes('\\') ? (JSON.parse(`"${line}"`) as string) : line)
