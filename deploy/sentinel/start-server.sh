#!/bin/sh
# Become one server of the group. PORT and ADDRESS are its own; PRIMARY ('address port') is whom it follows when it
# starts for the first time, and empty for the first primary. Further arguments go to the server, after everything else,
# and win.
set -eu
umask 077
config=${CONFIG:-/etc/holdfast}
run=${RUN:-/run/holdfast}
data=${DATA:-/data}
. "$config/credentials.sh"

# A failover changes who follows whom, and has the server write it down. That one line outlives a restart: a primary of
# yesterday must not come back as a primary. Everything else is taken from server.conf again.
if [ -f "$data/server.conf" ]; then
  role=$(sed -n '/^replicaof /p' "$data/server.conf")
else
  role=${PRIMARY:+replicaof $PRIMARY}
fi

write_users "$run/users.acl" "$config/users.acl" "$config/server-users.acl"
replication=$(secret replication_password)
cat >"$data/server.conf.new" <<END
include "$config/server.conf"
dir "$data"
port $PORT
replica-announce-ip $ADDRESS
aclfile "$run/users.acl"
masteruser replication
masterauth $replication
$role
END
mv "$data/server.conf.new" "$data/server.conf"

server=$(program server)
exec "$server" "$data/server.conf" "$@"
