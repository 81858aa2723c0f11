export * from './cluster/index.ts'
export * from './namespace/index.ts'
export * from './shards/index.ts'
