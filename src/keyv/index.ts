export { HoldfastKeyv, type KeyvEntry } from './store.ts'
