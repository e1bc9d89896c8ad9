#!/usr/bin/env bash
# MinIO, from source: its makers publish no binaries any more.
# shellcheck disable=SC2154 # cache, state, tmp, access_key and secret_key are set in scripts/backends

minio_version=v0.0.0-20250907161309-07c3a429bfed
minio_sum=h1:deu0m9BiyqnMbGWfJi1PpVyotSXlDnTmRIme1cUXnxo=
minio_home=$cache/minio-$minio_version

minio_needs() {
  need curl curl curl curl
}

minio_install() {
  need go 'Go 1.24 or newer' golang go
  say 'installing MinIO from source (a few minutes the first time)'
  GOBIN="$tmp" go install "github.com/minio/minio@$minio_version" </dev/null >&2
  case $(go version -m "$tmp/minio" | tr '\t' ' ') in
    *" mod github.com/minio/minio $minio_version $minio_sum"*) ;;
    *) die "what was built is not github.com/minio/minio $minio_version $minio_sum: not installed" ;;
  esac
}

minio_start() {
  # From its fifth minute on, what was deleted leaves the disk within a second; by default, each five minutes.
  launch minio MINIO_ROOT_USER="$access_key" MINIO_ROOT_PASSWORD="$secret_key" MINIO_BROWSER=off MINIO_UPDATE=off \
    MINIO_API_DELETE_CLEANUP_INTERVAL=1s \
    "$minio_home/minio" server --address 127.0.0.1:0 --certs-dir "$state/certs" "$state/minio-data"
}

# MinIO looks for a free port, lets go of it, and then binds it in a way that lets a second MinIO, which looked at
# the same moment, share it. So one at a time. Anything else that takes the port in between ends it: try again.
minio_launch() {
  local tries=3
  mkdir "$state/minio-data"
  lock
  until minio_start && minio_url=$(address minio API:); do
    [ $((tries -= 1)) -gt 0 ] || failed minio
    kill -KILL "$(cat "$state/minio.pid")" 2>/dev/null || true
  done
  unlock
}

minio_ready() {
  answers "$minio_url/minio/health/live" 200 || failed minio
  provide SACKER_TEST_S3 "$minio_url"
}
