#!/usr/bin/env bash
# ZooKeeper, from Maven Central: one server, and an ensemble of three in one process. The tests that kill members start
# an ensemble of their own from the same installation. zookeeper/pom.xml asks for it, zookeeper/SHA256SUMS says what may
# come.
# shellcheck disable=SC2154 # here, cache, java and state are set in scripts/backends

zookeeper_files=$here/servers/zookeeper
zookeeper_version=$(sed -n 's/.* zookeeper-\([0-9.]*\)\.jar$/\1/p' "$zookeeper_files/SHA256SUMS")
zookeeper_home=$cache/zookeeper-$zookeeper_version-$(recipe "$zookeeper_files"/{pom.xml,SHA256SUMS,Loopback.java})

zookeeper_needs() {
  need_java
}

zookeeper_install() {
  say "installing ZooKeeper $zookeeper_version (about 20 seconds the first time)"
  install_java "$zookeeper_files" Loopback.java
}

zookeeper_launch() {
  launch_zookeeper zookeeper
  launch_zookeeper zookeeper-ensemble 3
}

launch_zookeeper() { # NAME [MEMBERS]
  # `srvr` says whether a member has a quorum; quotas are off by default.
  launch "$1" "$java" -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
    -Dzookeeper.4lw.commands.whitelist=srvr -Dzookeeper.admin.enableServer=false -Dzookeeper.enforceQuota=true \
    "-Djava.io.tmpdir=$state/tmp" -cp "$zookeeper_home/lib/*:$zookeeper_home/classes" Loopback "$state/$1" "${@:2}"
}

zookeeper_ready() {
  local url
  url=$(address zookeeper 'listening on' '') || failed zookeeper
  provide SACKER_TEST_ZOOKEEPER "$url"
  address zookeeper-ensemble 'listening on' '' >/dev/null || failed zookeeper-ensemble
  provide SACKER_TEST_ZOOKEEPER_ENSEMBLE "$(sed -n 's/^listening on //p' "$state/zookeeper-ensemble.log")"
  # For the tests that start and kill members themselves.
  provide SACKER_TEST_ZOOKEEPER_HOME "$zookeeper_home"
}
