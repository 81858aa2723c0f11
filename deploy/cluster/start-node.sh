#!/bin/sh
# Become one node of the cluster. PORT and ADDRESS are the node's own; passwords and users are written to memory only.
# Further arguments go to the server, after everything else, and win.
set -eu
umask 077
config=${CONFIG:-/etc/holdfast}
run=${RUN:-/run/holdfast}
. "$config/credentials.sh"

write_users "$run/users.acl" "$config/users.acl"
replication=$(secret replication_password)
cat >"$run/node.conf" <<END
include "$config/node.conf"
dir "${DATA:-/data}"
port $PORT
cluster-announce-ip $ADDRESS
aclfile "$run/users.acl"
masteruser replication
masterauth $replication
END

server=$(program server)
exec "$server" "$run/node.conf" "$@"
