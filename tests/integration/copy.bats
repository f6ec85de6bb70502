#!/usr/bin/env bats
# Files into and out of containers that run, ran, or never did; and what a hostile one can do about it: nothing.
load common

setup_file() {
    setup_daemon_file
    mkdir "$dir/docker"
    mkdir -p "$dir/host/sub"
    echo one > "$dir/host/one"
    echo two > "$dir/host/sub/two"
    ln -s one "$dir/host/link"
    chmod 4755 "$dir/host/one"
    touch -d '2020-01-02 03:04:05.123456789Z' "$dir/host/one"
    echo secret > "$dir/secret"
}
teardown_file() { teardown_daemon_file; }
teardown() {
    remove_containers --volumes
    davit volume prune --all --force >/dev/null
    rm -rf "$dir/out"
}

api() { curl --silent --unix-socket "$dir/run/davit.sock" "$@"; }
code() { api --output "$dir/answer" --write-out '%{http_code}' "$@"; }
put() { code -X PUT --data-binary @- "http://d/containers/$1/archive?path=$2"; }
stat_of() { api --head "http://d/containers/$1/archive?path=$2" | tr -d '\r' | sed -n 's/^X-Docker-Container-Path-Stat: //p' | base64 -d; }
# The three states of a container; in the first two nothing of it runs.
in_each_state() {
    davit create --name never busybox sleep 1000 >/dev/null
    davit run --name ended busybox true
    davit run --detach --name runs busybox sleep 1000 >/dev/null
    for name in never ended runs; do "$@" "$name"; done
}

both_ways() {
    docker cp "$dir/host" "$1:/tmp/"
    docker cp "$1:/tmp/host" "$dir/out"
    diff -r --no-dereference "$dir/host" "$dir/out"
    [ "$(stat -c %a:%Y "$dir/out/one")" = "$(stat -c %a:%Y "$dir/host/one")" ]
    [ "$(readlink "$dir/out/link")" = one ]
    rm -rf "$dir/out"
    echo changed > "$dir/changed"
    docker cp "$dir/changed" "$1:/tmp/host/one"
    [ "$(docker cp "$1:/tmp/host/one" - | tar -xO)" = changed ]
    docker cp "$1:/tmp/host/." "$dir/out"
    [ "$(cat "$dir/out/one")" = changed ]
    rm -rf "$dir/out"
}

@test "docker cp, both ways, whatever the container does" {
    in_each_state both_ways
    [ "$(davit exec runs cat /tmp/host/sub/two)" = two ]
    davit start never
    [ "$(davit exec never cat /tmp/host/sub/two)" = two ]
}

@test "what is mounted is reached as well" {
    davit volume create data >/dev/null
    mkdir "$dir/bound"
    davit create --name never --volume data:/data --volume "$dir/bound:/bound" --tmpfs /scratch busybox sleep 1000 >/dev/null
    docker cp "$dir/host/one" never:/data/
    docker cp "$dir/host/one" never:/bound/
    [ "$(cat "$(davit volume inspect data | jq -r '.[0].Mountpoint')/one" "$dir/bound/one" | xargs)" = "one one" ]
    davit start never
    docker cp "$dir/host/one" never:/scratch/
    [ "$(davit exec never cat /scratch/one /data/one | xargs)" = "one one" ]
    rm -r "$dir/bound"
}

@test "with ids of its own, a container gives and gets the ids that it sees" {
    davit run --detach --name runs --userns auto busybox sh -c 'touch /mine; chown 12:34 /mine; exec sleep 1000' >/dev/null
    wait_until davit exec runs test -e /mine
    [ "$(docker cp runs:/mine - | tar -tv --numeric-owner | awk '{print $2}')" = 12/34 ]
    chown 56:78 "$dir/host/sub/two"
    docker cp -a "$dir/host/sub/two" runs:/
    [ "$(tar -C "$dir/host/sub" -c two | put runs /tmp)" = 200 ]
    [ "$(davit exec runs stat -c %u:%g /tmp/two)" = 56:78 ]
    davit stop --time 0 runs
    [ "$(docker cp runs:/mine - | tar -tv --numeric-owner | awk '{print $2}')" = 12/34 ]
    [ "$(docker cp runs:/tmp/two - | tar -tv --numeric-owner | awk '{print $2}')" = 56/78 ]
    chown 0:0 "$dir/host/sub/two"
}

@test "what a path is, in docker's words" {
    davit run --detach --name runs busybox sh -c 'ln -s /etc/passwd /l; mkdir -m 1777 /d; mkfifo /p; exec sleep 1000' >/dev/null
    wait_until davit exec runs test -e /p
    [ "$(stat_of runs /etc/passwd | jq -r '.name, .size, .mode' | xargs)" = "passwd $(davit exec runs stat -c %s /etc/passwd) 420" ]
    [ "$(stat_of runs /l | jq -r '.linkTarget, (.mode / 134217728 | floor)' | xargs)" = "/etc/passwd 1" ]
    [ "$(stat_of runs /d | jq '.mode == 2147483648 + 1048576 + 511')" = true ]
    [ "$(stat_of runs /p | jq '.mode / 33554432 | floor')" = 1 ]
    [ "$(stat_of runs /)" != "" ]
}

@test "links in a container lead nowhere else" {
    mkdir -p "$dir/evil"
    trap_links() {
        local path
        if [ "$1" = runs ]; then davit exec runs ln -s "$dir" /escape; davit exec runs ln -s ../../../../../../.. /up
        else ln -s "$dir" "$dir/evil/escape"; ln -s ../../../../../../.. "$dir/evil/up"; tar -C "$dir/evil" -c . | put "$1" /; rm "$dir/evil/"*; fi
        for path in "/escape/secret" "/up$dir/secret" "/../../../..$dir/secret"; do
            [ "$(code "http://d/containers/$1/archive?path=$path")" = 404 ]
        done
        [ "$(echo x | put "$1" "/escape")" = 404 ]
        # A tar whose own link would be followed.
        rm -rf "$dir/evil"; mkdir -p "$dir/evil/a"
        ln -s "$dir" "$dir/evil/a/out"
        tar -C "$dir/evil" -cf "$dir/evil.tar" a
        mkdir -p "$dir/evil2/a/out"; echo bad > "$dir/evil2/a/out/planted"
        tar -C "$dir/evil2" -rf "$dir/evil.tar" a/out/planted
        put "$1" /tmp < "$dir/evil.tar" >/dev/null
        [ ! -e "$dir/planted" ]
        rm -rf "$dir/evil" "$dir/evil2"; mkdir -p "$dir/evil"
    }
    in_each_state trap_links
    [ "$(cat "$dir/secret")" = secret ]
}

@test "names that would leave are refused" {
    davit create --name never busybox true >/dev/null
    python3 -c '
import io, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
    info = tarfile.TarInfo("../../outside"); info.size = 1
    tar.addfile(info, io.BytesIO(b"x"))' > "$dir/dots.tar"
    [ "$(put never /tmp < "$dir/dots.tar")" != 200 ]
    contains "$(cat "$dir/answer")" "would leave"
    [ "$(echo garbage | put never /tmp)" != 200 ]
}

@test "where nothing may be written nothing is; what is not there is 404, what is no directory 400" {
    davit volume create fixed >/dev/null
    davit create --name fixed --read-only --volume fixed:/v:ro --volume open:/w busybox sleep 1000 >/dev/null
    try() {
        [ "$(tar -C "$dir/host" -c one | put fixed /tmp)" = 403 ]
        contains "$(cat "$dir/answer")" "read-only"
        [ "$(tar -C "$dir/host" -c one | put fixed /v)" = 403 ]
        [ "$(tar -C "$dir/host" -c one | put fixed /w)" = 200 ]
        [ "$(tar -C "$dir/host" -c one | put fixed /none)" = 404 ]
        [ "$(tar -C "$dir/host" -c one | put fixed /etc/passwd)" = 400 ]
        [ "$(code "http://d/containers/fixed/archive?path=/none")" = 404 ]
        contains "$(cat "$dir/answer")" "Could not find the file /none"
        [ "$(code "http://d/containers/fixed/archive")" = 400 ]
    }
    try
    davit start fixed
    try
    [ "$(code "http://d/containers/nobody/archive?path=/")" = 404 ]
}

@test "a directory does not take a file's place, nor a file a directory's, if it is told so" {
    davit run --detach --name runs busybox sh -c 'mkdir /tmp/one; exec sleep 1000' >/dev/null
    wait_until davit exec runs test -e /tmp/one
    [ "$(tar -C "$dir/host" -c one | put runs '/tmp&noOverwriteDirNonDir=true')" = 400 ]
    contains "$(cat "$dir/answer")" "cannot overwrite directory with non-directory"
    [ "$(tar -C "$dir/host" -c one | put runs /tmp)" = 200 ]
    [ "$(davit exec runs cat /tmp/one)" = one ]
}

@test "compressed, whited out by name only, and owned as asked for" {
    davit run --detach --name runs --user 7:8 busybox sleep 1000 >/dev/null
    mkdir "$dir/odd"; echo literal > "$dir/odd/.wh.passwd"
    [ "$(tar -C "$dir/odd" -cz .wh.passwd | put runs /etc)" = 200 ]
    [ "$(davit exec --user 0 runs cat /etc/.wh.passwd)" = literal ]
    davit exec runs test -e /etc/passwd
    [ "$(tar -C "$dir/host" -c one | put runs '/tmp&copyUIDGID=true')" = 200 ]
    [ "$(davit exec runs stat -c %u:%g /tmp/one)" = 7:8 ]
    rm -r "$dir/odd"
}

@test "a container does not start while files are copied into it" {
    davit create --name never busybox true >/dev/null
    mkfifo "$dir/slow"
    curl --silent --unix-socket "$dir/run/davit.sock" -X PUT -T "$dir/slow" "http://d/containers/never/archive?path=/tmp" > "$dir/slow.out" 3>&- &
    client=$!
    exec 9> "$dir/slow"
    head -c 512 <(tar -C "$dir/host" -c one) >&9
    refused() { ! davit start never 2>"$dir/err" && grep -q 'being copied' "$dir/err"; }
    wait_until refused
    tail -c +513 <(tar -C "$dir/host" -c one) >&9
    exec 9>&-
    wait $client
    wait_until davit start never
    rm "$dir/slow"
}

@test "the one who copies is in the container's tree, with few privileges" {
    davit run --detach --name runs busybox sleep 1000 >/dev/null
    mkfifo "$dir/slow"
    curl --silent --unix-socket "$dir/run/davit.sock" -X PUT -T "$dir/slow" "http://d/containers/runs/archive?path=/tmp" > "$dir/slow.out" 3>&- &
    client=$!
    exec 9> "$dir/slow"
    head -c 1024 <(tar -C "$dir/host" -c one) >&9
    find_worker() { for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' < "$p/cmdline" 2>/dev/null)" = "davit-image copy-in " ] && echo "$p"; done; }
    is_confined() { worker=$(find_worker | head -1); [ -n "$worker" ] && grep -q '^Seccomp:.2$' "$worker/status" && [ ! -e "$worker/root$dir" ]; }
    wait_until is_confined
    exec 9>&-
    wait $client
    rm "$dir/slow"
}

davit_both_ways() {
    davit cp "$dir/host" "$1:/tmp/"
    davit cp "$1:/tmp/host" "$dir/out"
    diff -r --no-dereference "$dir/host" "$dir/out"
    [ "$(stat -c %a:%y "$dir/out/one")" = "$(stat -c %a:%y "$dir/host/one")" ]
    # Into a directory that is there, under its own name; the content alone; a file under another name.
    davit cp "$1:/tmp/host" "$dir/out"
    [ -d "$dir/out/host/sub" ]
    davit cp "$dir/host/." "$1:/tmp/host"
    davit cp "$1:/tmp/host/." "$dir/out/host"
    diff -r --no-dereference "$dir/host" "$dir/out/host"
    # The content alone, into a directory that is empty or not there, keeps its tree.
    mkdir "$dir/empty"
    davit cp "$1:/tmp/host/." "$dir/empty"
    diff -r --no-dereference "$dir/host" "$dir/empty"
    davit cp "$1:/tmp/host/." "$dir/new"
    diff -r --no-dereference "$dir/host" "$dir/new"
    rm -rf "$dir/empty" "$dir/new"
    davit cp "$dir/host/one" "$1:/tmp/renamed"
    davit cp "$1:/tmp/renamed" "$dir/out/again"
    [ "$(cat "$dir/out/again")" = one ]
    [ "$(davit cp "$1:/tmp/renamed" - | tar -tf -)" = renamed ]
    tar -C "$dir/host" -c sub | davit cp - "$1:/tmp/renamed.d" 2>/dev/null && false
    tar -C "$dir/host" -c sub | davit cp - "$1:/tmp"
    rm -rf "$dir/out"
}

@test "davit cp, both ways, whatever the container does" {
    in_each_state davit_both_ways
    [ "$(davit exec runs cat /tmp/sub/two)" = two ]
}

@test "davit cp: links are copied or followed, and followed at the target" {
    davit run --detach --name runs busybox sh -c 'mkdir /real; ln -s real /dirlink; ln -s /etc/passwd /filelink; exec sleep 1000' >/dev/null
    wait_until davit exec runs test -e /filelink
    mkdir "$dir/out"
    davit cp runs:/filelink "$dir/out/"
    [ "$(readlink "$dir/out/filelink")" = /etc/passwd ]
    davit cp --follow-link runs:/filelink "$dir/out/followed"
    grep -q root "$dir/out/followed"
    [ ! -L "$dir/out/followed" ]
    davit cp "$dir/host/link" runs:/dirlink
    [ "$(davit exec runs readlink /real/link)" = one ]
    davit cp --follow-link "$dir/host/link" runs:/dirlink/file
    [ "$(davit exec runs cat /real/file)" = one ]
}

@test "davit cp: owners, and what is refused" {
    davit run --detach --name runs --user 7:8 busybox sleep 1000 >/dev/null
    davit exec --user 0 runs sh -c 'echo x > /tmp/x; chown 11:12 /tmp/x'
    mkdir "$dir/out"
    davit cp runs:/tmp/x "$dir/out/mine"
    [ "$(stat -c %u:%g "$dir/out/mine")" = "$(id -u):$(id -g)" ]
    davit cp --archive runs:/tmp/x "$dir/out/theirs"
    [ "$(stat -c %u:%g "$dir/out/theirs")" = 11:12 ]
    refused() { run davit cp "${@:2}"; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "Could not find the file" runs:/none "$dir/out"
    refused "No such file" "$dir/none" runs:/tmp
    refused "over the file" "$dir/host" runs:/tmp/x
    refused "over the file" runs:/tmp "$dir/out/mine"
    refused "no such directory" runs:/tmp/x "$dir/out/none/"
    refused "between containers" runs:/tmp/x runs:/tmp/y
    refused "is expected" "$dir/out" "$dir/host"
    refused "No such container" nobody:/x "$dir/out"
}

@test "directories with many entries, and paths that are none" {
    davit create --name many busybox true >/dev/null
    mkdir "$dir/many"
    for i in $(seq 3000); do : > "$dir/many/file-$i"; done
    davit cp "$dir/many" many:/
    [ "$(davit cp many:/many - | tar t | wc -l)" = 3001 ]
    davit cp many:/ - | tar t 2>/dev/null | grep -q 'many/file-3000$'
    [ "$(davit export many | tar t | grep -c '^many/file-')" = 3000 ]
    [ "$(davit diff many | grep -c 'A /many/file-')" = 3000 ]
    long=$(head -c 300 /dev/zero | tr '\000' x)
    for path in "$long" "$long/x"; do
        [ "$(curl -sS --unix-socket "$dir/run/davit.sock" -o "$dir/answer" -w '%{http_code}' "http://d/containers/many/archive?path=/$path")" = 400 ]
        [ "$(curl -sS --unix-socket "$dir/run/davit.sock" -o "$dir/answer" -w '%{http_code}' -X PUT --data-binary @/dev/null "http://d/containers/many/archive?path=/$path")" = 400 ]
    done
    davit rm many >/dev/null
    rm -r "$dir/many"
}

@test "a container's tar writes nothing beside the directory that it was to go to" {
    mkdir -p "$dir/out/target"
    ln -s "$dir/out" "$dir/out/target/up"
    python3 -c '
import io, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
    def add(name, **more):
        info = tarfile.TarInfo(name)
        for key, value in more.items(): setattr(info, key, value)
        info.size = 0 if more.get("type", tarfile.REGTYPE) != tarfile.REGTYPE else 1
        tar.addfile(info, io.BytesIO(b"x"))
    add("top", type=tarfile.DIRTYPE, mode=0o755)
    add("top/link", type=tarfile.SYMTYPE, linkname=sys.argv[1])
    add("top/link/planted")
    add("top/up/planted")
    add("top/hard", type=tarfile.LNKTYPE, linkname="top/link/secret")' "$dir" > "$dir/evil.tar"
    "$build/davit-image" unpack "$dir/out/target" "" < "$dir/evil.tar" 2>/dev/null || true
    [ ! -e "$dir/planted" ]
    [ ! -e "$dir/out/planted" ]
    # As somebody else than root, too, who cannot make the directory its own root.
    chmod 711 "$dir"; mkdir -m 777 "$dir/theirs"
    ( cd / && setpriv --reuid 65534 --regid 65534 --clear-groups "$build/davit-image" unpack "$dir/theirs" "" < "$dir/evil.tar" 2>/dev/null ) || true
    [ ! -e "$dir/planted" ]
    [ "$(cat "$dir/secret")" = secret ]
}
