import type { Duration } from '../../base/duration.ts'
import { type ClusterAdmin, openClusterAdmin } from '../../ops/cluster/index.ts'
import type { Context } from '../context.ts'
import { connectOptions, type ServerFlags } from '../flags.ts'

/** Runs `work` with the cluster that the flags and the environment name. */
export async function withAdmin<T>(
  context: Context,
  flags: ServerFlags & { readonly wait?: Duration | undefined },
  work: (admin: ClusterAdmin) => Promise<T>,
): Promise<T> {
  const settle = flags.wait === undefined ? {} : { settleTimeout: flags.wait }
  const admin = openClusterAdmin({ ...connectOptions(context, flags), ...settle })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}
