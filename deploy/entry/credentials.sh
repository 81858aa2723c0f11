# Read by the start scripts: secrets in, users out. POSIX shell, and what both the Debian and the Alpine images have.

# A password, on stdout. One kind of text for all of them: it goes into config files, users' files and URLs as it is,
# and what no quoting can break needs none.
secret() {
  file="${SECRETS:-/run/secrets}/$1"
  if [ ! -r "$file" ]; then
    echo "secret $1: expected a readable file at $file" >&2
    return 1
  fi
  value=$(cat "$file")
  case $value in
    *[!A-Za-z0-9._~-]*)
      echo "secret $1: expected letters, digits and . _ ~ - only, as 'openssl rand -hex 32' gives" >&2
      return 1
      ;;
  esac
  if [ "${#value}" -lt 16 ]; then
    echo "secret $1: expected at least 16 characters, received ${#value}: is it set in .env?" >&2
    return 1
  fi
  printf '%s' "$value"
}

# write_users <to> <template>...: a users' file without comments, with each %name_password% as its SHA-256, so that no
# list of users shows a password, and %namespace% as the application's. An indented line goes on where the one before it
# ended.
write_users() {
  to=$1
  shift
  namespace=${NAMESPACE:-hf}
  case $namespace in
    '' | *[!A-Za-z0-9._-]*)
      echo "NAMESPACE: expected letters, digits and . _ - only, received '$namespace'" >&2
      return 1
      ;;
  esac
  users=$(sed -e '/^#/d' -e '/^ *$/d' -- "$@" | sed -e ':join' -e '$!N' -e 's/\n  */ /' -e 'tjoin' -e 'P' -e 'D')
  for name in $(printf '%s\n' "$users" | grep -o '%[a-z]*_password%' | tr -d '%'); do
    password=$(secret "$name")
    hash=$(printf '%s' "$password" | sha256sum | cut -d ' ' -f 1)
    users=$(printf '%s\n' "$users" | sed "s/%$name%/$hash/")
  done
  printf '%s\n' "$users" | sed "s/%namespace%/$namespace/g" >"$to"
}

# program server|cli: the program's name in Valkey's images, or in Redis' own.
program() {
  command -v "valkey-$1" || command -v "redis-$1"
}

# log_in <user>: the password for the program's environment, where no list of processes shows it. Later versions of
# Valkey call the variable by their own name.
log_in() {
  REDISCLI_AUTH=$(secret "$1_password")
  VALKEYCLI_AUTH=$REDISCLI_AUTH
  export REDISCLI_AUTH VALKEYCLI_AUTH
}
