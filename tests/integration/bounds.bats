#!/usr/bin/env bats
# Clients that take all they can get: others are served, and memory stays within its bounds.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

pss_kib() { awk '/^Pss:/ {print $2}' "/proc/$(cat "$dir/pid")/smaps_rollup"; }

# Starts clients (see bounds.py), in $clients, and waits until they hold what they can get.
hold() {
    coproc CLIENTS { exec python3 "$BATS_TEST_DIRNAME/bounds.py" "$1" "$dir/run/davit.sock" "$2"; }
    clients=$CLIENTS_PID
    read -r line <&"${CLIENTS[0]}"
    [ "$line" = held ]
}
let_go() {
    eval "exec ${CLIENTS[1]}>&-"
    wait "$clients"
}

serves() {
    davit version >/dev/null
    [ "$(davit run --rm busybox echo served)" = served ]
    docker ps >/dev/null
}

@test "ten thousand connections that say nothing, or half of something" {
    not_sanitized "keep memory that was freed"
    limit=$(ulimit -Hn)
    hold idle $((limit > 11000 ? 10000 : limit - 1000))
    serves
    [ "$(pss_kib)" -lt 131072 ]
    let_go
    serves
    wait_until eval '[ "$(pss_kib)" -lt 16384 ]'
}

@test "with few descriptors the idle ones make room" {
    stop_davitd
    (ulimit -n 128; start_davitd)
    hold idle 500
    serves
    let_go
    stop_davitd
    start_davitd
}

@test "large requests that do not come to their end" {
    not_sanitized "keep memory that was freed"
    hold bodies 60
    head -c 3000000 /dev/zero | tr '\000' ' ' > "$dir/body"
    run curl -sS --unix-socket "$dir/run/davit.sock" --data-binary "@$dir/body" http://d/containers/create
    contains "$output" "too many requests are on their way"
    davit version
    [ "$(davit ps --quiet | wc -l)" = 0 ]
    [ "$(pss_kib)" -lt 131072 ]
    let_go
    serves
}

@test "large heads that do not come to their end" {
    not_sanitized "keep memory that was freed"
    hold heads 3000
    serves
    pss_kib; [ "$(pss_kib)" -lt 131072 ]
    let_go
    serves
    wait_until eval '[ "$(pss_kib)" -lt 16384 ]'
}

@test "large requests that wait" {
    not_sanitized "keep memory that was freed"
    davit run --detach --name held busybox sleep 1000 >/dev/null
    for kind in "waiters 60" "headed 3000"; do
        hold $kind
        serves
        pss_kib
        [ "$(pss_kib)" -lt 131072 ]
        let_go
    done
    davit rm --force held
    serves
}

@test "who has said all and says so by closing its half is answered all the same" {
    davit run --detach --name half busybox sleep 1000 >/dev/null
    for path in /system/df /containers/half/archive?path=/etc /containers/half/changes /images/get?names=busybox /containers/half/stats?stream=0; do
        python3 - "$dir/run/davit.sock" "$path" <<'END'
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b"GET %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n" % sys.argv[2].encode())
client.shutdown(socket.SHUT_WR)
said = b""
while data := client.recv(65536):
    said += data
assert said.startswith(b"HTTP/1.1 200 OK\r\n") and len(said.split(b"\r\n\r\n", 1)[1]) > 2, said[:500]
END
    done
    davit rm --force half
}

@test "readers that do not read" {
    not_sanitized "keep memory that was freed"
    davit run --detach --name talks busybox sh -c 'yes 0123456789012345678901234567890123456789 | head -n 500000; echo end; sleep 1000'
    wait_until eval '[ "$(davit logs --tail 1 talks)" = end ]'
    hold readers 400
    [ "$(davit logs talks | wc -l)" = 500001 ]
    serves
    [ "$(pss_kib)" -lt 262144 ]
    let_go
    davit rm --force talks
}
