export { SessionTooLargeError } from './errors.ts'
export type {
  CreateSessionOptions,
  RegenerateSessionOptions,
  RevokeAllSessionsOptions,
  SessionPatch,
  SessionsOptions,
} from './options.ts'
export { type Session, Sessions } from './sessions.ts'
export type { SessionInfo } from './users.ts'
