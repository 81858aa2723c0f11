#!/bin/sh
# operate.sh <arguments of redis-cli>...: the server's own tool, as the operator, at this server unless -h and -p say
# other.
set -eu
. "${CONFIG:-/etc/holdfast}/credentials.sh"
log_in operator
cli=$(program cli)
exec "$cli" -h 127.0.0.1 -p "$PORT" --no-auth-warning --user operator "$@"
