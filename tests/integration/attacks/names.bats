#!/usr/bin/env bats
# Names under attack: forged answers, answers about somebody else.

load ../common
load ../hosts

forger() {
    rm -f "$dir/asked"
    nsenter --net="/run/netns/$neighbour" "$BATS_TEST_DIRNAME/forger.py" 192.0.2.2 "$dir/asked" 3>&- &
    echo $! > "$dir/server"
    wait_until grep -q ready "$dir/asked"
}
ask() { as_root_of "$1" dig +noidnin +noidnout +time=3 +tries=2 +short -p 65353 @127.0.0.11 "${@:2}"; }

@test "an answer is taken from who was asked, with the id and the question, and no two questions are alike" {
    forger
    idle asking --dns 192.0.2.2
    # The attack is one: who does not look takes the first answer.
    contains "$(at_host python3 -c '
import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\3bar\0\0\1\0\1", ("192.0.2.2", 53))
print(socket.inet_ntoa(one.recv(512)[-4:]))')" 203.0.113.66
    for i in $(seq 100); do [ "$(ask asking "n$i.example" A)" = 203.0.113.7 ]; done
    tail -n 100 "$dir/asked" > "$dir/questions"
    cut -d' ' -f1 "$dir/questions" | sort -u > "$dir/ids"
    cut -d' ' -f2 "$dir/questions" | sort -u > "$dir/ports"
    [ "$(wc -l < "$dir/ids")" -ge 95 ]
    [ "$(wc -l < "$dir/ports")" -ge 90 ]
    # Not one after the other: over most of what there is.
    [ $(($(sort -n "$dir/ids" | tail -n 1) - $(sort -n "$dir/ids" | head -n 1))) -ge 40000 ]
    [ $(($(sort -n "$dir/ports" | tail -n 1) - $(sort -n "$dir/ports" | head -n 1))) -ge 10000 ]
}

@test "what an answer says of other names opens nothing" {
    forger
    idle limited --dns 192.0.2.2 --egress '*.example:80'
    learnt() { at_host nft list table inet davit_egress | grep -o "203\.0\.113\.[0-9]*" | sort -u; }
    # The resolver hands the answer on; what it says of others is nobody's.
    contains "$(ask limited x1.example A)" 203.0.113.7
    [ "$(learnt)" = 203.0.113.7 ]
    # With a rule for that name it would be let through: it can be.
    davit egress --allow 'foo:80' limited
    contains "$(ask limited foo A)" 203.0.113.7
    [ "$(learnt)" = 203.0.113.7 ]
}

@test "names of any case and a dot at the end are the same, and no other byte slips through" {
    forger
    idle limited --dns 192.0.2.2 --egress 'Good.Example.' --egress 'xn--bcher-kva.example'
    for name in good.example GOOD.eXample good.example. XN--bcher-KVA.example; do contains "$name: $(ask limited "$name" A)" "$name: 203.0.113.7"; done
    asked=$(wc -l < "$dir/asked")
    for name in good.example.evil.test xgood.example good\\.example 'good.example\000.evil.test' 'good\032.example' sub.good.example; do
        contains "$(as_root_of limited dig +noidnin +noidnout +time=3 +tries=2 -p 65353 @127.0.0.11 "$name" A)" NXDOMAIN
    done
    [ "$(wc -l < "$dir/asked")" = "$asked" ]
    run davit create --egress bücher.example busybox
    [ "$status" -ne 0 ]
    contains "$output" "xn--"
}
