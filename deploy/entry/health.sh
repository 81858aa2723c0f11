#!/bin/sh
# health.sh <user>: healthy is who answers PING to that user. A server that still loads its data answers an error, which
# redis-cli prints and calls a success: so the word itself is asked for.
set -eu
. "${CONFIG:-/etc/holdfast}/credentials.sh"
log_in "$1"
cli=$(program cli)
[ "$("$cli" -h 127.0.0.1 -p "$PORT" --no-auth-warning --user "$1" PING)" = PONG ]
