#!/usr/bin/env bash
# HDFS, from Maven Central: a NameNode and a DataNode in one process. The tests start clusters of their own by hdfs/Hdfs.java.
# shellcheck disable=SC2154 # here, cache, java, state and tmp are set in scripts/backends

hdfs_files=$here/servers/hdfs
hdfs_version=$(sed -n 's/.* hadoop-hdfs-\([0-9.]*\)\.jar$/\1/p' "$hdfs_files/SHA256SUMS")
hdfs_home=$cache/hdfs-$hdfs_version-$(recipe "$hdfs_files"/{pom.xml,SHA256SUMS,Hdfs.java})

hdfs_needs() {
  need_java
}

# The servers look for their web pages, which are not in the jars that a client may have.
hdfs_install() {
  say "installing HDFS $hdfs_version (about 20 seconds the first time)"
  install_java "$hdfs_files" Hdfs.java
  mkdir -p "$tmp"/classes/webapps/{hdfs,datanode}
  printf '%s\n' 'log4j.rootLogger=ERROR,log' 'log4j.appender.log=org.apache.log4j.ConsoleAppender' \
    'log4j.appender.log.target=System.err' 'log4j.appender.log.layout=org.apache.log4j.SimpleLayout' \
    >"$tmp/classes/log4j.properties"
}

hdfs_launch() {
  launch hdfs "$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Dfile.encoding=UTF-8 \
    "-Djava.io.tmpdir=$state/tmp" -cp "$hdfs_home/classes:$hdfs_home/lib/*" Hdfs "$state/hdfs-data" both
}

hdfs_ready() {
  local url
  url=$(address hdfs 'listening on' hdfs://) || failed hdfs
  provide SACKER_TEST_HDFS "$url"
  provide SACKER_TEST_HDFS_HOME "$hdfs_home"
}
