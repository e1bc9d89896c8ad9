#!/usr/bin/env bash
# A git server over ssh: AsyncSSH, from PyPI, in front of git itself. (Over http, the tests put `git http-backend` behind a
# server of their own.)
# shellcheck disable=SC2154 # here, cache, state and tmp are set in scripts/backends

git_files=$here/servers/git
git_version=$(sed -n 's/^asyncssh==\([^ ]*\).*/\1/p' "$git_files/requirements.txt")
git_home=$cache/git-$git_version-$(recipe "$git_files"/{requirements.txt,server.py})-$python_version

git_needs() {
  need git 'git 2.36 or newer' git git
  need ssh 'an ssh client' openssh-client openssh
  need_python
}

git_install() {
  say "installing AsyncSSH $git_version (some seconds the first time)"
  install_python "$git_files/requirements.txt"
  cp "$git_files/server.py" "$tmp"
}

git_launch() {
  launch git "$git_home/bin/python" -B "$git_home/server.py" "$state/git"
}

git_ready() {
  local url
  url=$(address git 'listening on' ssh://) || failed git
  provide SACKER_TEST_GIT "$url"
}
