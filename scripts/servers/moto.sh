#!/usr/bin/env bash
# moto's server, from PyPI: it does what of S3 MinIO does not do.
# shellcheck disable=SC2154 # here, cache, state and tmp are set in scripts/backends

moto_requirements=$here/servers/moto/requirements.txt
moto_version=$(sed -n 's/^moto==//p' "$moto_requirements")
# What is compiled is so for one Python.
moto_home=$cache/moto-$moto_version-$(recipe "$moto_requirements")
moto_home=$moto_home-$(python3 -c 'import platform; print(platform.python_version())' 2>/dev/null || echo no-python)

moto_needs() {
  need python3 'Python 3.10 or newer' 'python3 python3-venv' python
  need curl curl curl curl
}

moto_install() {
  say "installing moto $moto_version (half a minute the first time)"
  # Made under another name, it is run as a module alone: the scripts in its bin name the folder that they were made in.
  python3 -m venv "$tmp" >&2 || die 'python3 has no venv (Debian: apt-get install python3-venv)'
  "$tmp/bin/python" -m pip --disable-pip-version-check --quiet install --no-deps -r "$moto_requirements" </dev/null >&2
  "$tmp/bin/python" -m pip --disable-pip-version-check check >&2 || die 'what moto needs is not all in its requirements'
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
