#!/bin/sh
# create-cluster.sh <address:port>...: make one cluster of these nodes, half of them replicas, unless there is one
# already. Running it again changes nothing: neither after a failover, nor after the cluster has grown or shrunk.
set -eu
config=${CONFIG:-/etc/holdfast}
. "$config/credentials.sh"
log_in operator
cli=$(program cli)

# ask <address:port> <command>...
ask() {
  node=$1
  shift
  "$cli" -h "${node%:*}" -p "${node##*:}" --no-auth-warning --user operator -e "$@"
}

# field <address:port> <name>: of CLUSTER INFO.
field() {
  info=$(ask "$1" CLUSTER INFO)
  printf '%s\n' "$info" | tr -d '\r' | sed -n "s/^$2://p"
}

fresh=0
for node in "$@"; do
  slots=$(field "$node" cluster_slots_assigned)
  if [ "$slots" = 16384 ]; then
    echo "$node is in a cluster already: nothing to do"
    exit 0
  fi
  known=$(field "$node" cluster_known_nodes)
  if [ "$slots" = 0 ] && [ "$known" = 1 ]; then
    fresh=$((fresh + 1))
  else
    echo "$node knows $known nodes and $slots of 16384 slots: neither of no cluster, nor of a whole one" >&2
  fi
done
if [ "$fresh" -ne "$#" ]; then
  echo "expected $# nodes of no cluster, received $fresh: mend it with redis-cli --cluster fix, or, if they hold" >&2
  echo "nothing yet, run CLUSTER RESET HARD on each of them and start this again" >&2
  exit 1
fi

"$cli" --no-auth-warning --user operator --cluster create "$@" --cluster-replicas 1 --cluster-yes

# The command ends before the nodes have agreed: a cluster is made when every one of them says so and each replica is
# fed.
ready() {
  [ "$(field "$1" cluster_state)" = ok ] || return 1
  case $(ask "$1" INFO replication | tr -d '\r') in
    *role:master*connected_slaves:0*) return 1 ;;
    *role:slave*master_link_status:down*) return 1 ;;
  esac
}
for node in "$@"; do
  tries=0
  until ready "$node"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
      echo "$node: expected cluster_state:ok and its replication up within a minute" >&2
      exit 1
    fi
    sleep 0.1
  done
done
echo "the cluster of $# nodes is up"
