#!/usr/bin/env bats
# Connections end with what made them: what the kernel tracks (conntrack) gives nobody more than rules and ports do.

load ../common
load ../hosts

tracked() { at_host conntrack --dump "$@"; }
nothing_tracked() { says_nothing tracked "$@"; }

# Sends TEXT by UDP from a certain port, once.
send_from() { # CONTAINER PORT TEXT
    nsenter --net="/proc/$(pid_of "$1")/ns/net" socat -u - "UDP4-SENDTO:192.0.2.2:81,sourceport=$2,reuseaddr" <<< "$3"
}
# What arrives at the neighbour's port 81, of UDP.
listen() {
    : > "$dir/heard"
    nsenter --net="/run/netns/$neighbour" socat -u UDP4-RECV:81,reuseaddr "OPEN:$dir/heard,append" 3>&- &
    echo $! > "$dir/server"
    wait_until sh -c "nsenter --net=/run/netns/$neighbour ss -Hlun sport = 81 | grep -q ."
}
heard() { grep -q "$1" "$dir/heard"; }
refused() { [ "$(davit egress "$1" | sed -n 's/refused: \([0-9]*\) packets.*/\1/p')" -ge 1 ]; }
kill_davitd() { kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true; }

@test "whoever gets an address inherits no connection that was made by it" {
    davit network create --subnet 10.77.0.0/24 small >/dev/null
    listen
    idle first --network small --ip 10.77.0.9
    send_from first 5555 one
    wait_until heard one
    contains "$(tracked --orig-src 10.77.0.9)" "sport=5555"
    davit rm --force first
    idle second --network small --ip 10.77.0.9 --egress none
    [ "$(address_of second)" = 10.77.0.9 ]
    nothing_tracked --orig-src 10.77.0.9
    send_from second 5555 two
    # The packet came to the rules, which count what they refuse.
    wait_until refused second
    # With the connection that the first one had it would have passed.
    at_host conntrack --create --protonum udp --orig-src 10.77.0.9 --orig-dst 192.0.2.2 --sport 5555 --dport 81 \
        --src-nat 192.0.2.1 --status SEEN_REPLY --timeout 60
    send_from second 5555 three
    wait_until heard three
    refute heard two
    davit rm --force second
    stop_server
}

@test "what came in by a port of the host ends with the container that it led to" {
    davit network create --subnet 10.77.0.0/24 small >/dev/null
    answers() {
        nsenter --net="/proc/$(pid_of "$1")/ns/net" socat -u UDP4-RECV:53,reuseaddr "OPEN:$dir/heard,append" 3>&- &
        echo $! > "$dir/server"
        wait_until sh -c "nsenter --net=/proc/$(pid_of "$1")/ns/net ss -Hlun sport = 53 | grep -q ."
    }
    outside() { at_neighbour socat -u - UDP4-SENDTO:192.0.2.1:5300,sourceport=4444,reuseaddr <<< "$1"; }
    : > "$dir/heard"
    idle first --network small --ip 10.77.0.9 --publish 5300:53/udp
    answers first
    outside one
    wait_until heard one
    contains "$(tracked --reply-src 10.77.0.9)" "dport=5300"
    stop_server
    davit rm --force first
    idle second --network small --ip 10.77.0.9
    nothing_tracked --reply-src 10.77.0.9
    answers second
    at_host nft 'table inet seen { chain in { type filter hook prerouting priority -400; udp dport 5300 counter; }; }'
    outside two
    [ "$(at_host nft -j list table inet seen | jq '[.. | .counter? // empty | .packets] | add')" = 1 ]
    # With the connection that there was it would have come to the second one.
    at_host conntrack --delete --protonum udp --orig-port-dst 5300
    at_host conntrack --create --protonum udp --orig-src 192.0.2.2 --orig-dst 192.0.2.1 --sport 4444 --dport 5300 \
        --dst-nat 10.77.0.9:53 --status SEEN_REPLY --timeout 60
    outside three
    wait_until heard three
    refute heard two
    at_host nft delete table inet seen
    stop_server
    davit rm --force second
}

# A connection of CONTAINER to the neighbour that stays open: what goes into $dir/line goes out.
connect() { # CONTAINER
    rm -f "$dir/line"
    mkfifo "$dir/line"
    nsenter --net="/proc/$(pid_of "$1")/ns/net" socat -u - TCP4:192.0.2.2:81 < "$dir/line" 3>&- &
    echo $! > "$dir/client"
    exec 5> "$dir/line"
    echo "begin" >&5
    wait_until heard begin
}
# What it sends comes to its rules, and no further.
is_cut_off() { # CONTAINER
    echo "never" >&5
    wait_until refused "$1"
    refute heard never
}
disconnect() { exec 5>&-; kill "$(cat "$dir/client")" 2>/dev/null || true; wait "$(cat "$dir/client")" 2>/dev/null || true; }
listen_tcp() {
    : > "$dir/heard"
    nsenter --net="/run/netns/$neighbour" socat -u TCP4-LISTEN:81,fork,reuseaddr "OPEN:$dir/heard,append" 3>&- &
    echo $! > "$dir/server"
    wait_until sh -c "nsenter --net=/run/netns/$neighbour ss -Hltn sport = 81 | grep -q ."
}

@test "a change of rules ends the connections that it refuses, and no others" {
    listen_tcp
    idle one
    connect one
    # These let it through.
    for rules in "192.0.2.2" "192.0.2.0/24:80-90" "192.0.2.2:81/tcp"; do
        davit egress --allow "$rules" one
        echo "by $rules" >&5
        wait_until heard "by $rules"
        contains "$(tracked --orig-src "$(address_of one)")" "dport=81"
    done
    # These do not.
    for rules in "192.0.2.2:80" "192.0.2.2/udp" "192.0.2.3"; do
        davit egress --allow "$rules" one
        nothing_tracked --orig-src "$(address_of one)" --protonum tcp
        davit egress --allow 192.0.2.2 one
        # The kernel takes it up again where it is: rules decide, not the past.
        echo "after $rules" >&5
        wait_until heard "after $rules"
    done
    davit egress --none one
    is_cut_off one
    disconnect
    davit rm --force one
    stop_server
}

@test "addresses of names stay with the rules that they were learnt by" {
    upstream --address=/kept.test/192.0.2.2 --address=/gone.test/192.0.2.2
    listen_tcp
    idle one --dns 192.0.2.2 --egress 'kept.test@192.0.2.0/24:81'
    davit exec one nslookup -type=a kept.test
    connect one
    davit egress --allow 10.9.9.9 --allow 'kept.test@192.0.2.0/24:81' one
    echo "still" >&5
    wait_until heard still
    # New ones as well, without another question.
    asked=$(grep -c query "$dir/asked")
    echo again | nsenter --net="/proc/$(pid_of one)/ns/net" timeout 30 socat -u - TCP4:192.0.2.2:81
    wait_until heard again
    [ "$(grep -c query "$dir/asked")" = "$asked" ]
    davit egress --allow 'gone.test@192.0.2.0/24:81' one
    nothing_tracked --orig-src "$(address_of one)" --protonum tcp
    is_cut_off one
    disconnect
    davit rm --force one
    stop_server
}

@test "what ended while there was no davitd leaves nothing behind" {
    davit network create --subnet 10.77.0.0/24 small >/dev/null
    listen
    idle first --network small --ip 10.77.0.9
    idle stays --network small --ip 10.77.0.10
    send_from first 5555 one
    send_from stays 5556 two
    wait_until heard two
    pid=$(pid_of first)
    monitor=$(monitor_of first)
    kill_davitd
    kill -9 "$pid"
    wait_until ! kill -0 "$monitor"
    start_davitd
    wait_until nothing_tracked --orig-src 10.77.0.9
    contains "$(tracked --orig-src 10.77.0.10)" "sport=5556"
    davit rm --force first stays
    stop_server
}

@test "an address whose connections have not ended is nobody else's" {
    # There is one address for all.
    davit network create --subnet 10.77.0.0/30 tiny >/dev/null
    listen
    for round in 1 2 3 4 5 6 7 8; do
        idle "one$round" --network tiny
        address=$(address_of "one$round")
        nothing_tracked --orig-src "$address"
        send_from "one$round" 5555 "round $round"
        wait_until heard "round $round"
        contains "$(tracked --orig-src "$address")" "sport=5555"
        davit rm --force "one$round"
    done
    stop_server
}

@test "who sends to a port of the host is led to the container that gets it, however long it has been sending" {
    : > "$dir/heard"
    outside() { at_neighbour socat -u - UDP4-SENDTO:192.0.2.1:5300,sourceport=4444,reuseaddr <<< "$1"; }
    idle first
    for round in 1 2; do
        outside "before $round"
        contains "$(tracked --protonum udp --orig-port-src 4444)" UNREPLIED
        idle "one$round" --publish 5300:53/udp
        nsenter --net="/proc/$(pid_of "one$round")/ns/net" socat -u UDP4-RECV:53,reuseaddr "OPEN:$dir/heard,append" 3>&- &
        echo $! > "$dir/server"
        arrives() { outside "after $round"; heard "after $round"; }
        wait_until arrives
        refute heard before
        davit rm --force "one$round"
        end_server "$(cat "$dir/server")"
        rm "$dir/server"
    done
    davit rm --force first
}

@test "a connection to the host that a change of rules has ended is not taken up again when the host speaks" {
    davit network create --subnet 10.77.0.0/24 --opt io.davit.network.host_access=true open >/dev/null
    cat > "$dir/talk" <<'END'
import socket, sys, threading, time
def say():
    while True:
        try:
            peer.sendall(sys.argv[1].encode())
        except OSError:
            return
        time.sleep(0.005)
if sys.argv[1] == "host":
    server = socket.create_server(("10.77.0.1", 9003))
    peer = server.accept()[0]
else:
    peer = socket.create_connection(("10.77.0.1", 9003))
threading.Thread(target=say, daemon=True).start()
with open(sys.argv[2], "w", buffering=1) as heard:
    while data := peer.recv(65536):
        print(len(data), file=heard)
END
    : > "$dir/ticks"
    idle one --network open --egress 10.77.0.1:9003
    nsenter --net="/run/netns/$host" python3 "$dir/talk" host "$dir/ticks" 3>&- &
    echo $! > "$dir/server"
    wait_until sh -c "nsenter --net=/run/netns/$host ss -Hltn sport = 9003 | grep -q ."
    nsenter --net="/proc/$(pid_of one)/ns/net" timeout 200 python3 "$dir/talk" container "$dir/answers" 3>&- &
    client=$!
    wait_until test -s "$dir/ticks"
    davit egress --none one
    wait_until refused one
    at_host nft 'table inet seen { chain out { type filter hook output priority -400; oifname "dv-*" tcp sport 9003 counter; }; }'
    spoken() { [ "$(at_host nft -j list table inet seen | jq '[.. | .counter? // empty | .packets] | add')" -ge 2 ]; }
    wait_until spoken
    # The host has spoken, and that has begun nothing.
    nothing_tracked --protonum tcp --orig-src 10.77.0.1
    nothing_tracked --protonum tcp --orig-src "$(address_of one)"
    # Without that wall it does.
    take_down "$(cat "$dir/pid")" flush inet davit local
    taken_up() { ! nothing_tracked --protonum tcp --orig-src 10.77.0.1; }
    wait_until taken_up
    at_host nft delete table inet seen
    stop_server
    kill "$client" 2>/dev/null || true
    davit rm --force one
}

# Signals the next process that ends connections, as soon as there is one, and writes its pid.
signal_next() { # SIGNAL
    : > "$dir/caught"
    python3 - "$(cat "$dir/pid")" "$1" "$dir/looks" > "$dir/caught" 3>&- <<'END' &
import os, signal, sys, time
def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]
def is_it(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().startswith("davit-conntrack"[:15])
    except OSError:
        return False
deadline = time.monotonic() + 240
open(sys.argv[3], "w").close()
while time.monotonic() < deadline:
    for spawner in children(sys.argv[1]):
        for one in filter(is_it, children(spawner)):
            os.kill(one, getattr(signal, sys.argv[2]))
            sys.exit(print(one))
sys.exit("there was none")
END
    catcher=$!
    wait_until test -e "$dir/looks"
    rm "$dir/looks"
}

@test "while who ends connections is stopped, or was killed, addresses wait for the next one" {
    davit network create --subnet 10.77.0.0/30 tiny >/dev/null
    listen
    for signal in SIGKILL SIGSTOP; do
        idle first --network tiny
        send_from first 5555 "before $signal"
        wait_until heard "before $signal"
        signal_next "$signal"
        davit rm --force first
        wait "$catcher"
        davit run --detach --name second --network tiny busybox sleep 1000 > "$dir/started" 3>&- &
        starting=$!
        # Nobody else waits.
        davit version
        davit run --rm --network none busybox true
        wait "$starting"
        nothing_tracked --orig-src "$(address_of second)"
        # What goes on when it is too late ends nothing.
        send_from second 5556 "after $signal"
        wait_until heard "after $signal"
        kill -CONT "$(cat "$dir/caught")" 2>/dev/null || true
        wait_until ! kill -0 "$(cat "$dir/caught")"
        contains "$(tracked --orig-src "$(address_of second)")" "sport=5556"
        davit rm --force second
    done
    stop_server
}
