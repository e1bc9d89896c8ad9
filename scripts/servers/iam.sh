#!/usr/bin/env bash
# An evaluator of IAM policies behind a small server, from npm. The lock file pins each package by its hash.
# shellcheck disable=SC2154 # here, cache, state and tmp are set in scripts/backends

iam_files=$here/servers/iam
iam_version=$(sed -n 's/.*iam-simulate": "\(.*\)".*/\1/p' "$iam_files/package.json")
iam_home=$cache/iam-$iam_version-$(recipe "$iam_files"/{package.json,package-lock.json,server.mjs})

iam_needs() {
  need_node
}

iam_install() {
  need npm 'npm, which comes with Node.js' npm node
  say "installing the evaluator of IAM policies, iam-simulate $iam_version (some seconds the first time)"
  install_node "$iam_files"
  cp "$iam_files/server.mjs" "$tmp"
}

# The folder is an argument for `stop`, which knows the server by it.
iam_launch() {
  launch iam node "$iam_home/server.mjs" "$state/tmp"
}

iam_ready() {
  local url
  url=$(address iam 'listening on') || failed iam
  provide SACKER_TEST_IAM "$url"
}
