export { LockLostError, LockTimeoutError, OnceConflictError, OnceFailedError, type OnceFailure } from './errors.ts'
export type { HeldLocks } from './held-set.ts'
export type { HeldLock, Holding } from './hold.ts'
export type { HolderView, LockView, WaiterView } from './inspect.ts'
export { Leader } from './leader.ts'
export { Lock } from './lock.ts'
export { LockSet } from './lock-set.ts'
export type { Lockable } from './lockable.ts'
export type {
  AcquireOptions,
  LeaderOptions,
  LockOptions,
  OnceOptions,
  PermitOptions,
  SemaphoreOptions,
  Term,
} from './options.ts'
export { Quorum, type QuorumOptions } from './quorum.ts'
export { type HeldQuorum, QuorumLock } from './quorum-lock.ts'
export { RwLock } from './rw-lock.ts'
export { Semaphore } from './semaphore.ts'
