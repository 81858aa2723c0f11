import { Holdfast } from '../../holdfast.ts'
import type { SessionInfo } from '../../session/index.ts'
import { inspectUser } from '../../session/inspect.ts'
import type { Context } from '../context.ts'
import { span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'

export interface ListFlags extends SpaceFlags {
  readonly set: string
}

export async function ls(this: Context, flags: ListFlags, user: string): Promise<void> {
  const terminal = this.terminal(flags)
  const [sessions, nowMs] = await withHoldfast(this, flags, async (hf) => {
    const redis = Holdfast.redisOf(hf)
    return [await inspectUser(redis, flags.set, user), redis.serverNowMs()] as const
  })
  if (flags.json) terminal.json({ user, sessions })
  else terminal.data(showSessions(user, sessions, nowMs, terminal.paint))
}

function showSessions(user: string, sessions: readonly SessionInfo[], nowMs: number, paint: Paint): string {
  if (sessions.length === 0) return `${printable(user)} has no session.`
  const columns = ['REF', 'LABEL', 'BEGAN', 'LAST SEEN', 'ENDS IN'].map((title) => ({ title }))
  const ago = (ms: number) => `${span(Math.max(0, nowMs - ms))} ago`
  const rows = sessions.map(({ ref, label = '', createdAtMs, lastSeenMs, expiresAtMs }) => [
    ...[ref, printable(label), ago(createdAtMs), ago(lastSeenMs), span(Math.max(0, expiresAtMs - nowMs))],
  ])
  return table(columns, rows, paint)
}
