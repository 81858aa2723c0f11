// The family of Keyv, under the names that their packages export.
export { default as KeyvRedis } from '@keyv/redis'
export { Cacheable } from 'cacheable'
export { Keyv } from 'keyv'
