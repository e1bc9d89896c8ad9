#!/usr/bin/env bash
# Azurite, the blob service of Azure, from npm. The lock file pins each package by its hash.
# shellcheck disable=SC2154 # here, cache, state, tmp, access_key and secret_key are set in scripts/backends

azurite_files=$here/servers/azurite
azurite_version=$(sed -n 's/.*azurite": "\([0-9.]*\)".*/\1/p' "$azurite_files/package.json")
azurite_home=$cache/azurite-$azurite_version-$(recipe "$azurite_files"/{package.json,package-lock.json})
azurite_key=$(printf '%s' "$secret_key" | base64)

azurite_needs() {
  need_node
}

azurite_install() {
  say "installing Azurite $azurite_version (half a minute the first time)"
  install_node "$azurite_files"
}

# The debug log is never written to: its path is for `stop`, which knows the server by the folder.
azurite_launch() {
  launch azurite AZURITE_ACCOUNTS="$access_key:$azurite_key" NODE_OPTIONS=--max-old-space-size=256 \
    node "$azurite_home/node_modules/azurite/dist/src/blob/main.js" --blobHost 127.0.0.1 --blobPort 0 --silent \
    --disableTelemetry --location "$state/azurite-data"
}

azurite_ready() {
  local url
  url=$(address azurite 'Azurite Blob service successfully listens on') || failed azurite
  provide SACKER_TEST_AZURE "$url"
  provide AZURE_STORAGE_ACCOUNT_NAME "$access_key"
  provide AZURE_STORAGE_ACCOUNT_KEY "$azurite_key"
}
