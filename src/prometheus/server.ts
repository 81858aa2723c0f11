import type { Exposition, Family } from './exposition.ts'

type Row = readonly [field: string, name: string, type: Family['type'], help: string]

/** Fields of INFO by the names that redis_exporter gives them, so that its rules and dashboards work on ours. */
const ROWS: readonly Row[] = [
  ['uptime_in_seconds', 'redis_uptime_in_seconds', 'gauge', 'Since the server started'],
  ['connected_clients', 'redis_connected_clients', 'gauge', 'Connections of clients'],
  ['blocked_clients', 'redis_blocked_clients', 'gauge', 'Connections that wait in a blocking command'],
  ['maxclients', 'redis_max_clients', 'gauge', 'Most connections that the server takes'],
  ['used_memory', 'redis_memory_used_bytes', 'gauge', 'Memory that the server has allocated'],
  ['used_memory_rss', 'redis_memory_used_rss_bytes', 'gauge', 'Memory of the process as the system sees it'],
  ['used_memory_peak', 'redis_memory_used_peak_bytes', 'gauge', 'Most memory so far'],
  ['maxmemory', 'redis_memory_max_bytes', 'gauge', 'The maxmemory setting; 0 for none'],
  ['mem_fragmentation_ratio', 'redis_mem_fragmentation_ratio', 'gauge', 'Memory of the process by that allocated'],
  [
    'mem_not_counted_for_evict',
    'redis_mem_not_counted_for_eviction_bytes',
    'gauge',
    'Memory that maxmemory does not count',
  ],
  ['loading', 'redis_loading_dump_file', 'gauge', '1 while the server loads its data'],
  ['rdb_changes_since_last_save', 'redis_rdb_changes_since_last_save', 'gauge', 'Writes since the last snapshot'],
  ['rdb_last_save_time', 'redis_rdb_last_save_timestamp_seconds', 'gauge', 'Last snapshot, or start of the server'],
  ['rdb_last_bgsave_status', 'redis_rdb_last_bgsave_status', 'gauge', '1 when the last snapshot succeeded'],
  ['aof_enabled', 'redis_aof_enabled', 'gauge', '1 when the append-only file is on'],
  ['aof_last_write_status', 'redis_aof_last_write_status', 'gauge', '1 when the last write to it succeeded'],
  ['aof_last_bgrewrite_status', 'redis_aof_last_bgrewrite_status', 'gauge', '1 when its last rewrite succeeded'],
  ['aof_delayed_fsync', 'redis_aof_delayed_fsync', 'counter', 'Writes that waited for an fsync of it'],
  ['latest_fork_usec', 'redis_latest_fork_usec', 'gauge', 'How long the last fork took, in µs'],
  ['connected_slaves', 'redis_connected_slaves', 'gauge', 'Replicas that are connected'],
  ['master_repl_offset', 'redis_master_repl_offset', 'gauge', 'Offset of replication'],
  ['cluster_enabled', 'redis_cluster_enabled', 'gauge', '1 on a node of a Cluster'],
  ['cluster_state', 'redis_cluster_state', 'gauge', '1 when the Cluster serves, as this node sees it'],
  ['cluster_slots_assigned', 'redis_cluster_slots_assigned', 'gauge', 'Slots that have an owner'],
  ['cluster_slots_ok', 'redis_cluster_slots_ok', 'gauge', 'Slots whose owner answers'],
  ['cluster_slots_pfail', 'redis_cluster_slots_pfail', 'gauge', 'Slots whose owner does not answer this node'],
  ['cluster_slots_fail', 'redis_cluster_slots_fail', 'gauge', 'Slots whose owner answers no majority'],
  ['cluster_known_nodes', 'redis_cluster_known_nodes', 'gauge', 'Nodes of the Cluster, replicas among them'],
  ['cluster_size', 'redis_cluster_size', 'gauge', 'Nodes that own slots'],
  ['total_connections_received', 'redis_connections_received_total', 'counter', 'Connections that were taken'],
  ['rejected_connections', 'redis_rejected_connections_total', 'counter', 'Connections refused at maxclients'],
  ['total_commands_processed', 'redis_commands_processed_total', 'counter', 'Commands that were carried out'],
  ['evicted_keys', 'redis_evicted_keys_total', 'counter', 'Keys evicted at maxmemory'],
  ['evicted_clients', 'redis_evicted_clients_total', 'counter', 'Connections closed at maxmemory-clients'],
  ['expired_keys', 'redis_expired_keys_total', 'counter', 'Keys that have expired'],
  ['keyspace_hits', 'redis_keyspace_hits_total', 'counter', 'Reads of keys that were there'],
  ['keyspace_misses', 'redis_keyspace_misses_total', 'counter', 'Reads of keys that were not'],
  ['total_net_input_bytes', 'redis_net_input_bytes_total', 'counter', 'Bytes read from clients'],
  ['total_net_output_bytes', 'redis_net_output_bytes_total', 'counter', 'Bytes written to clients'],
]

const OF_COMMAND = [
  ['calls', 'redis_commands_total', 1, 'Calls by command'],
  ['usec', 'redis_commands_duration_seconds_total', 1e6, 'Time spent by command'],
  ['failed_calls', 'redis_commands_failed_calls_total', 1, 'Calls that failed, by command'],
  ['rejected_calls', 'redis_commands_rejected_calls_total', 1, 'Calls refused before they began, by command'],
] as const

const OF_DATABASE = [
  ['keys', 'redis_db_keys', 1, 'Keys by database'],
  ['expires', 'redis_db_keys_expiring', 1, 'Keys with a time to live, by database'],
  ['avg_ttl', 'redis_db_avg_ttl_seconds', 1_000, 'Mean time to live, by database'],
] as const

const OF_REPLICA = [
  ['lag', 'redis_connected_slave_lag_seconds', 1, 'Since a replica was heard of'],
  ['offset', 'redis_connected_slave_offset_bytes', 1, 'Offset that a replica has confirmed'],
] as const

/** What `INFO all` of one server said, and CLUSTER INFO of a node; undefined when it gave no answer. */
export function exposeServer(
  exposition: Exposition,
  server: string,
  info: ReadonlyMap<string, string> | undefined,
): void {
  const up = exposition.family('redis_up', 'gauge', '1 when the server answered')
  up.samples.push(['', { server }, info === undefined ? 0 : 1])
  if (info === undefined) return
  exposition
    .family('redis_instance_info', 'gauge', 'What the server is')
    .samples.push(['', { server, ...instanceLabels(info) }, 1])
  for (const [field, name, type, help] of ROWS) {
    const text = info.get(field)
    if (text === undefined) continue
    const value = text === 'ok' ? 1 : text === 'err' || text === 'fail' ? 0 : Number(text)
    if (Number.isFinite(value)) exposition.family(name, type, help).samples.push(['', { server }, value])
  }
  for (const [field, text] of info) {
    const [, kind, name = ''] = /^(cmdstat|errorstat|latency_percentiles_usec|db|slave)_?(.+)$/.exec(field) ?? []
    const part = (wanted: string) => partOf(text, wanted)
    const add = (rows: readonly (readonly [string, string, number, string])[], type: Family['type'], label: object) => {
      for (const [wanted, metric, unit, help] of rows) {
        const value = part(wanted)
        if (value === undefined) continue
        exposition.family(metric, type, help).samples.push(['', { server, ...label }, Number(value) / unit])
      }
    }
    if (kind === 'cmdstat') add(OF_COMMAND, 'counter', { cmd: name })
    else if (kind === 'errorstat')
      add([['count', 'redis_errors_total', 1, 'Replies of an error']], 'counter', { err: name })
    else if (kind === 'db' && /^\d+$/.test(name)) add(OF_DATABASE, 'gauge', { db: `db${name}` })
    else if (kind === 'slave' && /^\d+$/.test(name))
      add(OF_REPLICA, 'gauge', {
        slave_ip: part('ip') ?? '',
        slave_port: part('port') ?? '',
        slave_state: part('state') ?? '',
      })
    else if (kind === 'latency_percentiles_usec')
      exposeLatency(exposition, { server, cmd: name }, text, info.get(`cmdstat_${name}`) ?? '')
  }
}

/** As redis_exporter has it: a summary by percentiles of 100, in µs. */
function exposeLatency(
  exposition: Exposition,
  labels: { readonly server: string; readonly cmd: string },
  percentiles: string,
  stats: string,
): void {
  const { samples } = exposition.family('redis_latency_percentiles_usec', 'summary', 'Time of a call by command, in µs')
  for (const [, quantile = '', value] of percentiles.matchAll(/p([\d.]+)=([\d.]+)/g))
    samples.push(['', { ...labels, quantile }, Number(value)])
  samples.push(['_sum', labels, Number(partOf(stats, 'usec') ?? 0)])
  samples.push(['_count', labels, Number(partOf(stats, 'calls') ?? 0)])
}

/** One of `name=value,name=value`. */
function partOf(text: string, name: string): string | undefined {
  return new RegExp(`(?:^|,)${name}=([^,]+)`).exec(text)?.[1]
}

function instanceLabels(info: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const fields = ['role', 'redis_version', 'valkey_version', 'redis_mode', 'os', 'maxmemory_policy']
  return Object.fromEntries(fields.flatMap((field) => (info.has(field) ? [[field, info.get(field) as string]] : [])))
}
