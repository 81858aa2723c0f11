#!/bin/sh
# Become one Sentinel. PORT and ADDRESS are its own, QUORUM how many must agree that the primary is gone; PRIMARY
# ('address port') is the first primary. Further arguments go to the Sentinel, after everything else, and win.
set -eu
umask 077
config=${CONFIG:-/etc/holdfast}
run=${RUN:-/run/holdfast}
data=${DATA:-/data}
. "$config/credentials.sh"

# What Sentinel has learned outlives a restart: who is primary now, who else is there, and for whom it has voted.
# Everything else is taken from sentinel.conf again.
state="$data/sentinel.conf"
primary=$PRIMARY
learned=
if [ -f "$state" ]; then
  primary=$(sed -n 's/^sentinel monitor primary \([^ ]* [0-9]*\) .*/\1/p' "$state")
  learned=$(grep -E '^sentinel (myid|current-epoch|(config-epoch|leader-epoch|known-[a-z]+) primary) ' "$state" || true)
fi

write_users "$run/sentinel-users.acl" "$config/sentinel-users.acl"
password=$(secret sentinel_password)
cat >"$state.new" <<END
sentinel monitor primary ${primary:-$PRIMARY} $QUORUM
END
cat "$config/sentinel.conf" - >>"$state.new" <<END
dir "$data"
port $PORT
sentinel announce-ip $ADDRESS
sentinel announce-port $PORT
aclfile "$run/sentinel-users.acl"
sentinel auth-user primary sentinel
sentinel auth-pass primary $password
sentinel sentinel-user sentinel
sentinel sentinel-pass $password
$learned
END
mv "$state.new" "$state"

server=$(program server)
exec "$server" "$state" --sentinel "$@"
