#!/usr/bin/env bash
# Sourced. A registry on loopback, for the time of a script: crane reads and writes whole images only through one.
#
#   serve_registry CRANE LOG     starts it; sets `registry` to its process, which the caller ends, and `port`
serve_registry() {
  "$1" registry serve --address 127.0.0.1:0 >"$2" 2>&1 &
  # shellcheck disable=SC2034 # the caller ends it
  registry=$!
  for _ in $(seq 100); do
    port=$(sed -n 's/.*serving on port \([0-9]*\).*/\1/p' "$2")
    [ -z "$port" ] || return 0
    sleep 0.1
  done
  cat "$2" >&2
  echo 'crane starts no registry' >&2
  return 1
}
