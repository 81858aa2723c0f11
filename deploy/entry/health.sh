#!/bin/sh
# health.sh <user>: healthy is who answers PING to that user. A server that still loads its data answers an error, which
# redis-cli prints and calls a success: so the word itself is asked for.
set -eu
. "${CONFIG:-/etc/holdfast}/credentials.sh"
password=$(secret "$1_password")
cli=$(program cli)
[ "$(REDISCLI_AUTH=$password "$cli" -p "$PORT" --no-auth-warning --user "$1" PING)" = PONG ]
