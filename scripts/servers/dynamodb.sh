#!/usr/bin/env bash
# DynamoDB Local, from Maven Central. dynamodb/pom.xml asks for it, dynamodb/SHA256SUMS says what may come.
# shellcheck disable=SC2154 # here, cache and state are set in scripts/backends

dynamodb_files=$here/servers/dynamodb
dynamodb_version=$(sed -n 's/.*DynamoDBLocal-\(.*\)\.jar$/\1/p' "$dynamodb_files/SHA256SUMS")
dynamodb_home=$cache/dynamodb-local-$dynamodb_version-$(recipe "$dynamodb_files"/{pom.xml,SHA256SUMS,Loopback.java})

dynamodb_needs() {
  need_java
}

dynamodb_install() {
  say "installing DynamoDB Local $dynamodb_version (about 20 seconds the first time)"
  install_java "$dynamodb_files" Loopback.java
}

dynamodb_launch() {
  launch dynamodb "$java" -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
    -Dfile.encoding=UTF-8 "-Djava.io.tmpdir=$state/tmp" -cp "$dynamodb_home/lib/*:$dynamodb_home/classes" Loopback \
    -inMemory -sharedDb -disableTelemetry
}

dynamodb_ready() {
  local url
  url=$(address dynamodb 'listening on') || failed dynamodb
  answers "$url" 400 || failed dynamodb # it lives: the request is unsigned
  provide SACKER_TEST_DYNAMODB "$url"
}
