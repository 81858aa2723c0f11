import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** What is typed in answer to a question, to the end of its line; nothing where no more can be typed. */
export function askOn(input: Readable, output: { write(text: string): unknown }, question: string): Promise<string> {
  output.write(question)
  // No terminal to readline, which would keep Ctrl-C from ending the program.
  const lines = createInterface({ input, terminal: false })
  return new Promise((resolve) => {
    let answer: string | undefined
    lines.once('line', (line) => {
      answer = line
      lines.close()
    })
    lines.once('close', () => {
      // Nobody ended the line.
      if (answer === undefined) output.write('\n')
      resolve(answer ?? '')
    })
  })
}
