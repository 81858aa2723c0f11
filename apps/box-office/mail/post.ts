/** Where letters go: to an address by SMTP, where there is a server for it and an address; else into a folder of the shop. */

import { createFolder, type Folder } from './folder.ts'
import { openSmtp } from './smtp.ts'

export interface Letter {
  /** What it is about, once and for all: two letters of one name are the same letter. Letters, digits and dashes. */
  readonly name: string
  /** Undefined: nobody told us of an address. */
  readonly to: string | undefined
  readonly subject: string
  readonly text: string
  readonly html: string
}

export type Way = 'mail' | 'file'

export interface Post {
  /**
   * Resolves when the letter is there: accepted by the mail server, or written to the disk. The same letter twice replaces itself in the folder;
   * by SMTP both carry the same Message-ID.
   *
   * throws  LetterRefusedError when it will never be taken; anything else may pass
   */
  send(letter: Letter): Promise<Way>
  /** What was written. */
  readonly files: Pick<Folder, 'read'>
  close(): Promise<void>
}

export interface SmtpOptions {
  /** smtp://user:password@host:port, or smtps:// */
  readonly url: string
  /** Default 'Box Office <tickets@box-office.invalid>'. */
  readonly from?: string | undefined
  /** Who is sent the reports; left out, they are files. */
  readonly reportsTo?: string | undefined
}

export interface PostOptions {
  readonly smtp: SmtpOptions | undefined
  /** Left out: one of this run, removed by `close`. */
  readonly folder: string | undefined
}

/** The mail server said no, for good: there is no such address, or it takes nothing of us. */
export class LetterRefusedError extends Error {
  override readonly name = 'LetterRefusedError'
}

export function openPost({ smtp, folder }: PostOptions): Post {
  const files = createFolder(folder)
  const mail = smtp === undefined ? undefined : openSmtp(smtp)
  return {
    files,
    async send(letter) {
      if (mail !== undefined && letter.to !== undefined) {
        await mail.send({ ...letter, to: letter.to })
        return 'mail'
      }
      await files.write(letter)
      return 'file'
    },
    async close() {
      await mail?.close()
      await files.remove()
    },
  }
}
