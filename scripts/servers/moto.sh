#!/usr/bin/env bash
# moto's server, from PyPI: it does what of S3 MinIO does not do.
# shellcheck disable=SC2154 # here, cache, state and tmp are set in scripts/backends

moto_requirements=$here/servers/moto/requirements.txt
moto_version=$(sed -n 's/^moto==\([^ ]*\).*/\1/p' "$moto_requirements")
moto_home=$cache/moto-$moto_version-$(recipe "$moto_requirements")-$python_version

moto_needs() {
  need_python
  need curl curl curl curl
}

moto_install() {
  say "installing moto $moto_version (half a minute the first time)"
  install_python "$moto_requirements"
}

# Its byte code goes into the state folder: the installation is shared, and `stop` knows the server by that folder.
moto_launch() {
  launch moto "$moto_home/bin/python" -X "pycache_prefix=$state/tmp/moto" -m moto.server -H 127.0.0.1 -p 0
}

moto_ready() {
  local url
  url=$(address moto ' \* Running on') || failed moto
  answers "$url/moto-api/data.json" 200 || failed moto
  provide SACKER_TEST_MOTO "$url"
}
