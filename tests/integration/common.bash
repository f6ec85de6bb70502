# What the integration tests share. Every test file has a davitd of its own under a private directory;
# nothing here touches another's, so files and tests may run in any order and at the same time.

# DAVIT_BUILD is for another build than the usual one, such as one with sanitizers.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${DAVIT_BUILD:-$top/build}
shared=$top/build/integration
davitd=$build/davitd
oci=${DAVIT_OCI:-$build/davit-oci}

# The machine's own network is left alone; what is about networks has one of its own (hosts.bash).
export DAVIT_DEFAULT_NETWORK=none

# What hangs ends some day; on a busy machine much takes longer than it should.
davit() { timeout 240 "$build/davit" "$@"; }
# Debian's docker client, old enough and new enough (API 1.41) for what people run.
docker() { DOCKER_CONFIG=$dir/docker timeout 240 "$shared/docker" -H "unix://$dir/run/davit.sock" "$@"; }

start_davitd() {
    "$davitd" --root "$dir/root" --run "$dir/run" 3>&- >>"$dir/log" 2>&1 &
    echo $! > "$dir/pid"
    wait_until davit version
}

stop_davitd() {
    kill "$(cat "$dir/pid")" 2>/dev/null
    wait "$(cat "$dir/pid")" 2>/dev/null || true
    wait_until ! kill -0 "$(cat "$dir/pid")" 2>/dev/null
}

# Tries a command until it succeeds, for four minutes at most: the event itself is what is waited for.
# For tests of what a build with sanitizers cannot have: little memory, libc's own calls, a program without libraries.
not_sanitized() { [ -z "${ASAN_OPTIONS:-}" ] || skip "built with sanitizers, which $1"; }

wait_until() {
    local deadline=$((SECONDS + 240))
    until { if [ "$1" = "!" ]; then ! "${@:2}"; else "$@"; fi; } >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || { echo "still not: $*" >&2; return 1; }
        sleep 0.02
    done
}

setup_daemon_file() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock"
    start_davitd
    davit load --input "$shared/busybox.tar"
}

# With --volumes their anonymous volumes as well.
remove_containers() {
    local id
    for id in $(davit ps --all --quiet --no-trunc); do davit rm --force "$@" "$id" >/dev/null; done
}

teardown_daemon_file() {
    davit version >/dev/null 2>&1 || start_davitd
    remove_containers
    stop_davitd
    rm -rf --one-file-system "$dir"
}

# A bundle in $dir with a busybox root and a configuration that a jq filter has changed.
setup_bundle() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    mkdir -p "$dir/bundle/rootfs/bin" "$dir/bundle/rootfs/tmp" "$dir/bundle/rootfs/etc"
    cp /bin/busybox "$dir/bundle/rootfs/bin/"
    for applet in sh cat ls id sleep echo true touch stat grep mount hostname head tty kill; do
        ln -s busybox "$dir/bundle/rootfs/bin/$applet"
    done
    "$oci" spec --bundle "$dir/bundle"
    id=test-$$-$BATS_TEST_NUMBER
    configure '.process.terminal = false'
}

# davit-oci leaves the parent of its cgroups for the next.
remove_empty_parent() {
    local mount
    for mount in $(findmnt -n -o TARGET -t cgroup2); do rmdir "$mount/davit" 2>/dev/null || true; done
}

teardown_bundle() {
    [ -z "${helper:-}" ] || kill "$helper" 2>/dev/null || true
    "$oci" --root "$dir/state" delete --force "$id" >/dev/null 2>&1
    "$oci" --root "$dir/state" delete --force "$id-2" >/dev/null 2>&1
    remove_empty_parent
    rm -rf --one-file-system "$dir"
}

configure() {
    jq "$1" "$dir/bundle/config.json" "${@:2}" > "$dir/bundle/config.new"
    mv "$dir/bundle/config.new" "$dir/bundle/config.json"
}

program() { # the program to run, as arguments
    configure '.process.args = $ARGS.positional' --args -- "$@"
}

# The file descriptor 3 is bats's own; a container that kept it would keep bats waiting.
runtime() { timeout 240 "$oci" --root "$dir/state" "$@" 3>&-; }

# Fails where the command succeeds: a line that begins with "!" fails no test.
refute() {
    if "$@"; then
        echo "succeeded: $*" >&2
        return 1
    fi
}

# The command succeeds, and prints nothing.
says_nothing() {
    local output
    output=$("$@") || { echo "failed: $*" >&2; return 1; }
    [ -z "$output" ] || { echo "$*: $output" >&2; return 1; }
}

# Nothing is in these directories, and they are there. (layers/.empty is where overlays are mounted.)
is_empty() { says_nothing find "$@" -mindepth 1 ! -name .empty -print -quit; }

contains() { # TEXT PART
    [[ $1 == *"$2"* ]] || { echo "in: $1" >&2; echo "missing: $2" >&2; return 1; }
}

# A port that is free now; who binds it takes it at once.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_registry NAME [YAML-OF-HTTP]: docker-registry on a port of its own, in $NAME_port.
start_registry() {
    local port
    port=$(free_port)
    mkdir -p "$dir/$1"
    printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp:\n  addr: 127.0.0.1:%s\n%s' \
        "$dir/$1/data" "$port" "${2:-}" > "$dir/$1/config.yml"
    docker-registry serve "$dir/$1/config.yml" 3>&- > "$dir/$1/log" 2>&1 &
    echo $! >> "$dir/servers"
    eval "export $1_port=$port"
    wait_until curl -sk -o "$dir/null" "http${3:-}://127.0.0.1:$port/v2/"
}
