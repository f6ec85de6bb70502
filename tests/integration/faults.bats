#!/usr/bin/env bats
# Whatever call fails, and wherever a worker dies: the store has what it had, or the whole image.
load common

setup_file() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock" DAVIT_LIBEXEC="$dir/libexec"
    mkdir "$dir/libexec"
    ln -s "$build/davit-fetch" "$dir/libexec/davit-fetch"
    # Workers get no environment of ours: a program in front of theirs reads what is to fail from a file.
    printf '#!/bin/sh\n[ ! -s %s/fault ] || { FAULT=$(cat %s/fault) FAULT_MARK=%s/mark LD_PRELOAD=%s/fault.so; export FAULT FAULT_MARK LD_PRELOAD; }\nexec %s/davit-image "$@"\n' \
        "$dir" "$dir" "$dir" "$shared" "$build" > "$dir/libexec/davit-image"
    chmod +x "$dir/libexec/davit-image"
    make_image
    start_registry plain
    start_davitd
    image=127.0.0.1:$plain_port/faulty
    export image
    davit load --input "$dir/image.tar"
    davit tag faulty:1 "$image:1"
    davit push --quiet "$image:1"
    list_of faulty:1 > "$dir/reference"
    [ "$(wc -l < "$dir/reference")" = 9 ]
    remove_images
    contents > "$dir/empty"
}

teardown_file() {
    rm -f "$dir/fault"
    stop_davitd
    xargs kill < "$dir/servers" 2>/dev/null
    rm -rf --one-file-system "$dir"
}

setup() {
    rm -f "$dir/fault"
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || start_davitd
    wait_until is_empty
}

# Two layers with one entry of every kind, and so few that every call can be tried.
make_image() {
    mkdir -p "$dir/tree/sub"
    echo text > "$dir/tree/file"
    ln "$dir/tree/file" "$dir/tree/hard"
    ln -s file "$dir/tree/soft"
    mkfifo "$dir/tree/pipe"
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"kept")' "$dir/tree/sub"
    tar c --xattrs -C "$dir/tree" . > "$dir/one.tar"
    python3 - "$dir/two.tar" <<'PYTHON'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as tar:
    for name in "sub/.wh.gone", "sub/new", "other/file", "other/.wh..wh..opq":
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
PYTHON
    umoci init --layout "$dir/layout"
    umoci new --image "$dir/layout:1"
    umoci raw add-layer --image "$dir/layout:1" "$dir/one.tar"
    umoci raw add-layer --image "$dir/layout:1" "$dir/two.tar"
    skopeo copy --quiet "oci:$dir/layout:1" "docker-archive:$dir/image.tar:docker.io/library/faulty:1"
}

list_of() { # IMAGE
    local id
    id=$(davit create "$1" /x)
    mkdir "$dir/list.tree"
    davit export "$id" | tar x --xattrs --xattrs-include='*' -C "$dir/list.tree"
    davit rm "$id" > /dev/null
    # A directory that no layer has an entry for has the time of its making.
    "$BATS_TEST_DIRNAME/tree-list" "$dir/list.tree" | sed '/^other d/s/[0-9]\{19\}//'
    rm -r "$dir/list.tree"
}

remove_images() {
    local id
    for id in $(davit images --quiet | sort -u); do davit rmi --force "$id" > /dev/null; done
    rm -f "$dir/root/pulls/"*
    davit image prune --force > /dev/null
}
contents() { (cd "$dir/root" && find blobs layers ingest | sort); }
is_empty() { remove_images; contents | cmp -s - "$dir/empty"; }

# sweep CALL ERRNO|kill IMAGE COMMAND...: fails the first, the second, ... call until there are no more of them.
sweep() {
    local call=$1 how=$2 name=$3 number=0 status
    while [ $((++number)) -le 400 ]; do
        rm -f "$dir/mark"
        echo "$call:$number:$how" > "$dir/fault"
        "${@:4}" > "$dir/out" 2>&1 && status=0 || status=1
        : > "$dir/fault"
        [ -s "$dir/mark" ] || break
        if [ $status = 0 ]; then
            list_of "$name" | diff "$dir/reference" - || { echo "wrong after $call:$number:$how"; return 1; }
        elif davit inspect "$name" > /dev/null 2>&1; then
            echo "refused and there after $call:$number:$how: $(cat "$dir/out")"
            return 1
        fi
        wait_until is_empty || { echo "left after $call:$number:$how:"; contents | diff "$dir/empty" -; return 1; }
    done
    [ $number -gt 1 ] || { echo "$call was never called"; return 1; }
    [ $status = 0 ] || { echo "fails without a fault: $(cat "$dir/out")"; return 1; }
    list_of "$name" | diff "$dir/reference" -
    wait_until is_empty
}

load_it() { davit load --input "$dir/image.tar"; }
pull_it() { davit pull --quiet "$image:1"; }

@test "load: a disk that is full at any point" {
    not_sanitized "make system calls by themselves, past what fails them here"
    for call in write pwrite openat mkdirat fsync syncfs renameat symlinkat linkat mknodat fsetxattr; do
        sweep $call 28 faulty:1 load_it
    done
}

@test "load: a disk that fails at any point" {
    not_sanitized "make system calls by themselves, past what fails them here"
    for call in read write fsync renameat fchownat fchmod utimensat futimens ftruncate; do
        sweep $call 5 faulty:1 load_it
    done
}

@test "load: no processes, pipes or memory" {
    not_sanitized "make system calls by themselves, past what fails them here"
    for call in pipe2 fork memfd_create; do
        sweep $call 12 faulty:1 load_it
    done
}

@test "load: a process of the worker is killed at any point" {
    not_sanitized "make system calls by themselves, past what fails them here"
    for call in write fsync renameat mkdirat openat; do
        sweep $call kill faulty:1 load_it
    done
}

@test "pull: a disk that is full at any point" {
    not_sanitized "make system calls by themselves, past what fails them here"
    for call in write fsync renameat mkdirat syncfs; do
        sweep $call 28 "$image:1" pull_it
    done
}

@test "pull: a process of the worker is killed at any point, and the next pull goes on from there" {
    not_sanitized "make system calls by themselves, past what fails them here"
    for call in write fsync renameat; do
        sweep $call kill "$image:1" pull_it
    done
}

@test "on a full disk what cannot be kept is refused, and what ends is not forgotten" {
    mkdir "$dir/full"
    timeout 100 unshare --mount bash -s "$davitd" "$build/davit" "$dir" "$shared/busybox.tar" <<'END' 3>&-
set -e
d=$3/full
davit() { "$davit" "$@"; }
davitd=$1 davit=$2 archive=$4
mount -t tmpfs -o size=24m none "$d"
export DAVIT_HOST=unix://$3/full.sock
serve() {
    "$davitd" --root "$d/root" --run "$3/full.run" --socket "$3/full.sock" >>"$3/full.log" 2>&1 &
    pid=$!
    until davit version >/dev/null 2>&1; do sleep 0.02; done
}
refused() { ! "$@" >"$out" 2>&1 && grep -Eq "No space left|disk is full" "$out" || { echo "not refused: $*"; cat "$out"; exit 1; }; }
out=$3/full.out
serve "$@"
davit load --input "$archive" >/dev/null
davit run --detach --name runs busybox sleep 1000 >/dev/null
davit create --name ends busybox sh -c 'exit 3' >/dev/null
davit run --detach --name policy --restart unless-stopped busybox sleep 1000 >/dev/null
davit create --name goes busybox true >/dev/null
davit create --name before busybox >/dev/null
mkdir "$3/imported"
davit import "$3/imported" imported:1 >/dev/null
davit tag busybox other:1
davit tag busybox third:1
davit volume create old >/dev/null
davit network create old >/dev/null
dd if=/dev/zero of="$d/ballast" bs=4k 2>/dev/null || true
refused davit create --name nothing busybox
refused davit volume create nothing
refused davit commit before nothing:1
refused davit rename before nothing
refused davit load --input "$archive"
[ "$(davit exec runs echo works)" = works ]
davit start ends >/dev/null
[ "$(davit wait ends)" = 3 ]
davit stop --time 0 runs >/dev/null
davit stop --time 0 policy >/dev/null
davit rm goes >/dev/null
refused davit tag busybox nothing:1
# What is taken away needs no room, one after the other.
davit rmi other:1 >/dev/null
davit rmi third:1 >/dev/null
davit rmi imported:1 >/dev/null
davit volume rm old >/dev/null
davit network rm old >/dev/null
[ "$(davit images --format '{{.Repository}}')" = busybox ]
[ "$(davit ps --all --format '{{.Names}}' | sort | xargs)" = "before ends policy runs" ]
# Nor by the next davitd, while the disk is still full and no row could be written.
kill -9 "$pid"
serve "$@"
[ "$(davit inspect --format '{{.State.ExitCode}} {{.State.Error}}' ends)" = "3 " ]
[ "$(davit inspect --format '{{.State.ExitCode}} {{.State.Error}}' runs)" = "137 " ]
[ "$(davit inspect --format '{{.State.Status}}' policy)" = exited ]
davit rm policy >/dev/null
rm "$d/ballast"
[ "$(davit ps --all --format '{{.Names}}' | sort | xargs)" = "before ends runs" ]
davit create --name after busybox >/dev/null
davit volume create after >/dev/null
davit start --attach ends || [ $? = 3 ]
davit rm before ends runs after >/dev/null
kill "$pid"
wait "$pid" || true
END
}
