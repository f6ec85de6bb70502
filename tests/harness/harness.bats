#!/usr/bin/env bats
# Harnesses that damage, fill and stop what davit needs, each for a short while; by hand for as long as one likes
# and with seeds nobody has tried: here what fails must be what was changed.

setup() { dir=$(mktemp -d /tmp/davit-test.XXXXXX); }
teardown() { rm -rf --one-file-system "$dir"; }

harness() { timeout 900 python3 "$BATS_TEST_DIRNAME/$1" "$dir" "${@:2}" 3>&- | grep -v '^ok'; [ "${PIPESTATUS[0]}" -eq 0 ]; }

@test "loss: files of every kind that are gone, empty, torn or flipped cost nothing else" { harness loss.py random 40 1; }

@test "full: what a full or failing disk refuses has not happened, and what it takes stays true" { harness full.py random 40 1; }

@test "hostile: what root of a container does against its host is noticed by nobody else" { harness hostile.py random 40 1; }

@test "stopped: whichever process of davit is stopped or killed, others go on and what is killed dies" { harness stopped.py random 40 1; }
