import { type Layout, type NamedAddress, sameNames, showList } from './layout.ts'

/** Tells once a process whose address names other shards than the namespace is spread over. */
export function warnOfOtherList(namespace: string, given: readonly NamedAddress[], layout: Layout): void {
  const { shards, next = shards } = layout
  if (sameNames(given, shards) || sameNames(given, next)) return
  process.emitWarning(
    `holdfast: the address names the shards ${showList(given)}, and the namespace '${namespace}' is on the shards ${showList(shards)}. ` +
      `It is used there, so that nothing appears to be empty. Correct the address; or, to use it on ${showList(given)}, move it: ` +
      'holdfast shards move --url <address of now> --to <address to be>',
    { code: 'HOLDFAST_SHARDS' },
  )
}
