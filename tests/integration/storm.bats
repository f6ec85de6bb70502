#!/usr/bin/env bats
# davitd is killed again and again while containers are made, run and removed: what it has acknowledged stays true.
load common

setup() { dir=$(mktemp -d /tmp/davit-test.XXXXXX); }
teardown() { rm -rf --one-file-system "$dir"; }

@test "a storm of kill -9: no container, log line or exit status is lost, and nothing is left over" {
    timeout 300 python3 "$BATS_TEST_DIRNAME/storm.py" "$davitd" "$build/davit" "$shared/busybox.tar" "$dir/storm" 30 3>&-
}
