#!/usr/bin/env bats
# What a container may reach: by subnet, port and name; and that nothing else is reached, whoever dies.
load common
load hosts

fetch() { davit exec "$1" timeout 2 wget -qO- "http://$2/" 2>&1; }
reaches() { fetch "$@" | grep -qv "^wget"; }
refuses() { ! reaches "$@"; }
no_egress_tables() { local tables; tables=$(at_host nft list tables) && [[ $tables != *davit_egress* ]]; }
egress_table() { at_host nft list table "$1" davit_egress 2>/dev/null; }

@test "none: neither the outside, nor the host, nor neighbours, nor names; but whoever asks it is answered" {
    upstream --address=/known.example/192.0.2.2
    served 192.0.2.2 192.0.2.2
    nsenter --net="/run/netns/$host" python3 -m http.server --directory "$dir/served" 8001 >/dev/null 2>&1 3>&- &
    local own=$!
    wait_until at_host curl -s 127.0.0.1:8001
    davit network create --subnet 10.93.0.0/24 --opt io.davit.network.host_access=true open
    web free --network open --dns 192.0.2.2
    web closed --network open --egress none --dns 192.0.2.2 -p 8080:80
    for target in 192.0.2.2:8000 10.93.0.1:8001 192.0.2.1:8001 "$(address_of free)"; do
        reaches free "$target" || [ "$target" = "$(address_of free)" ]
        refuses closed "$target"
    done
    kill $own
    contains "$(davit exec closed nslookup known.example 2>&1 || true)" NXDOMAIN
    refute grep -q known.example "$dir/asked"
    davit exec closed nslookup free
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = closed ]
    contains "$(davit egress closed)" "nothing"
    [ "$(davit egress closed | sed -n 's/refused: \([0-9]*\) packets.*/\1/p')" -ge 3 ]
    contains "$(davit events --since 1 --until "$(($(date +%s) + 1))" --filter event=egress_refused --filter container=closed)" "destination=192.0.2.2"
    # Also what was for a neighbour in the same bridge.
    contains "$(davit events --since 1 --until "$(($(date +%s) + 1))" --filter event=egress_refused --filter container=closed)" "destination=$(address_of free)"
    [ "$(davit inspect closed | jq -c '.[0].HostConfig.Egress')" = '{"Allow":[]}' ]
}

@test "names: what the answers say, while they are valid, at the ports that are said" {
    upstream --host-record=good.example,192.0.2.2 --address=/bad.example/192.0.2.2 --cname=alias.other.example,good.example --local-ttl=100
    served 192.0.2.2 192.0.2.2
    davit run --detach --name picky --dns 192.0.2.2 --egress good.example:8000 --egress '*.other.example:8000' --egress 'peer:80' busybox sleep 1000
    refuses picky 192.0.2.2:8000
    refuses picky bad.example:8000
    refute grep -q bad.example "$dir/asked"
    [ "$(fetch picky good.example:8000)" = neighbour ]
    reaches picky 192.0.2.2:8000
    egress_table inet | grep -q "192.0.2.2 timeout 2m10s"
    refuses picky good.example:8001
    davit egress --allow '*.other.example:8000' picky
    refuses picky 192.0.2.2:8000
    [ "$(fetch picky alias.other.example:8000)" = neighbour ]
    refuses picky other.example:8000
    # Neighbours have names as well.
    davit egress --allow peer:80 picky
    web peer
    [ "$(fetch picky peer)" = peer ]
    refuses picky 192.0.2.2:8000
    davit egress --all picky
    reaches picky 192.0.2.2:8000
    [ "$(davit egress picky)" = everything ]
    [ "$(davit inspect picky | jq -c '.[0].HostConfig.Egress')" = null ]
}

@test "names: who answers for one cannot lead a container to this host, its containers, or this site" {
    davit network create --subnet 10.93.0.0/24 --opt io.davit.network.host_access=true open
    upstream --host-record=evil.example,10.93.0.1 --host-record=host.example,192.0.2.1 --host-record=inside.example,10.9.0.2 \
        --host-record=loop.example,127.0.0.1 --host-record=mapped.example,::ffff:10.9.0.2 --host-record=good.example,192.0.2.2 --local-ttl=100000
    at_neighbour ip addr replace 10.9.0.2/32 dev eth0
    at_host ip route replace 10.9.0.2/32 via 192.0.2.2
    served 0.0.0.0 192.0.2.2
    nsenter --net="/run/netns/$host" python3 -m http.server --directory "$dir/served" 8001 >/dev/null 2>&1 3>&- &
    local own=$!
    wait_until at_host curl -s 127.0.0.1:8001
    web victim --network open
    # By the same names, who may reach everything gets there.
    davit run --detach --name free --network open --dns 192.0.2.2 busybox sleep 1000
    for target in evil.example:8001 host.example:8001 inside.example:8000; do reaches free "$target"; done
    davit run --detach --name led --network open --dns 192.0.2.2 --egress '*' busybox sleep 1000
    [ "$(fetch led good.example:8000)" = neighbour ]
    for target in evil.example:8001 host.example:8001 inside.example:8000 10.93.0.1:8001 192.0.2.1:8001 10.9.0.2:8000; do refuses led "$target"; done
    contains "$(davit exec led nslookup mapped.example || true)" "::ffff:10.9.0.2"
    contains "$(davit events --since 1 --until "$(($(date +%s) + 1))" --filter event=egress_refused --filter container=led)" "answer=10.9.0.2"
    # Nobody keeps an answer for longer than it holds.
    contains "$(egress_table inet)" "192.0.2.2 timeout 1h30s"
    # A rule that says where, and neighbours by their own names, are another matter.
    davit egress --allow 'inside.example@10.9.0.0/24:8000' --allow 'host.example@10.9.0.0/24' --allow victim:80 led
    [ "$(fetch led inside.example:8000)" = neighbour ]
    refuses led host.example:8001
    [ "$(fetch led victim)" = victim ]
    kill $own
    at_neighbour ip addr del 10.9.0.2/32 dev eth0
    at_host ip route del 10.9.0.2/32
}

@test "names: one container knows so many addresses, and no more" {
    # A zone whose every name has eight addresses of its own.
    nsenter --net="/run/netns/$neighbour" python3 - 5353 >/dev/null 2>&1 3>&- <<'END' &
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.2", 53))
n = 0
while True:
    q, who = s.recvfrom(512)
    end = q.index(b"\0", 12) + 5
    answers = b""
    if q[end - 4 : end - 2] == b"\0\1":
        for _ in range(8):
            n += 1
            answers += b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 86400, 4) + bytes([198, 51 + (n >> 16), n >> 8 & 255, n & 255])
    s.sendto(q[:2] + b"\x81\x80\0\1" + struct.pack("!H", len(answers) // 16) + b"\0\0\0\0" + q[12:end] + answers, who)
END
    echo $! > "$dir/zone"
    davit run --detach --name greedy --dns 192.0.2.2 --egress '*.many.example' busybox sleep 1000
    ask() { davit exec greedy sh -c 'i=$1; while [ $i -lt $2 ]; do nslookup -type=a n$i.many.example >/dev/null && i=$((i+1)); done' sh "$1" "$2"; }
    known() { at_host nft -j list set "$1" davit_egress "$(at_host nft -j list sets "$1" | jq -r '.nftables[].set? | select(.table == "davit_egress" and (.name | startswith("r0_"))).name')" | jq '[.. | .elem? // empty | if type == "array" then length else empty end] | add'; }
    ask 0 10
    [ "$(known inet)" -eq 80 ]
    ask 10 150
    [ "$(known inet)" -eq 1024 ]
    [ "$(known bridge)" -eq 1024 ]
    kill "$(cat "$dir/zone")"
}

@test "subnets, ports and protocols, of both families" {
    ip -n "$host" addr replace 2001:db8::1/64 dev uplink nodad
    ip -n "$neighbour" addr replace 2001:db8::2/64 dev eth0 nodad
    served :: 192.0.2.2
    davit network create --ipv6 six
    davit run --detach --name limited --network six --egress 192.0.2.0/24:8000-8010 --egress '[2001:db8::2]:8000' busybox sleep 1000
    reaches limited 192.0.2.2:8000
    reaches limited '[2001:db8::2]:8000'
    davit egress --allow 192.0.2.0/24:8001-8010 --allow '[2001:db8::/64]/udp' limited
    refuses limited 192.0.2.2:8000
    refuses limited '[2001:db8::2]:8000'
    refute davit exec limited ping -c 1 -W 1 192.0.2.2
    davit egress --allow 192.0.2.2 limited
    davit exec limited ping -c 1 -W 5 192.0.2.2
    refuses limited '[2001:db8::2]:8000'
}

@test "with another's address it reaches nothing" {
    served 192.0.2.2 192.0.2.2
    web free
    davit run --detach --name closed --cap-add NET_ADMIN --egress none busybox sleep 1000
    reaches free 192.0.2.2:8000
    davit pause free
    other=$(address_of free)
    mac=$(printf '02:42:%02x:%02x:%02x:%02x' ${other//./ })
    davit exec closed sh -c "ip addr flush dev eth0; ip addr add $other/16 dev eth0; ip route add default via 172.17.0.1; ip link set dev eth0 address $mac"
    refuses closed 192.0.2.2:8000
    davit exec closed sh -c "ip addr add 172.17.99.99/16 dev eth0; ip addr del $other/16 dev eth0"
    refuses closed 192.0.2.2:8000
    davit unpause free
    reaches free 192.0.2.2:8000
}

@test "rules hold while davitd is away, and what was learnt stays" {
    upstream --address=/good.example/192.0.2.2
    served 192.0.2.2 192.0.2.2
    davit run --detach --name picky --dns 192.0.2.2 --egress good.example:8000 busybox sleep 1000
    pid=$(davit inspect picky | jq '.[0].State.Pid')
    inside() { timeout 60 nsenter --net="/proc/$pid/ns/net" curl -sS --max-time "$1" "http://$2/"; }
    refuses picky 192.0.2.2:8000
    [ "$(fetch picky good.example:8000)" = neighbour ]
    kill -9 "$(cat "$dir/pid")"
    [ "$(inside 30 192.0.2.2:8000)" = neighbour ]
    refute inside 3 192.0.2.1:8000
    # Nobody lets an address through: the name has no answer.
    refute eval 'timeout 20 nsenter --net="/proc/$pid/ns/net" dig +time=3 +tries=1 +short @127.0.0.11 -p 65353 good.example | grep -q 192.0.2.2'
    start_davitd
    reaches picky 192.0.2.2:8000
    [ "$(fetch picky good.example:8000)" = neighbour ]
    refuses picky good.example:8001
    # Nobody else takes them away.
    refute at_host nft delete table inet davit_egress
    davit restart --time 0 picky
    refuses picky 192.0.2.2:8000
    [ "$(fetch picky good.example:8000)" = neighbour ]
}

@test "an end leaves nothing of it, and its address is free for others" {
    served 192.0.2.2 192.0.2.2
    davit run --detach --name closed --egress none busybox sleep 1000
    davit run --detach --name stays --egress 10.0.0.0/8 busybox sleep 1000
    address=$(address_of closed)
    id=$(davit inspect closed | jq -r '.[0].Id[:12]')
    egress_table inet | grep -q "$id"
    davit rm --force closed
    wait_until eval '! egress_table inet | grep -q "$id" && ! egress_table bridge | grep -q "$id"'
    # As soon as its connections have ended.
    davit run --detach --name free busybox sleep 1000
    has_it() { [ "$(address_of free)" = "$address" ] || { davit rm --force free; davit run --detach --name free busybox sleep 1000; false; }; }
    wait_until has_it
    reaches free 192.0.2.2:8000
    refuses stays 192.0.2.2:8000
    # One that ends while there is no davitd as well.
    pid=$(davit inspect stays | jq '.[0].State.Pid')
    kill -9 "$(cat "$dir/pid")"
    kill -9 "$pid"
    start_davitd
    wait_until no_egress_tables
}

@test "names that no rule is for are counted, and some of them told of" {
    # On a busy machine nslookup asks a second time.
    names() { davit egress curious | sed -n 's/refused: .* bytes, \([0-9]*\) names/\1/p'; }
    idle curious --egress ok.example.org
    [ "$(names)" = 0 ]
    run davit exec curious nslookup -type=a evil.example.com 127.0.0.11
    contains "$output" NXDOMAIN
    wait_until eval '[ "$(names)" -ge 1 ]'
    contains "$(davit events --since 1 --until "$(($(date +%s) + 1))" --filter event=egress_refused --filter container=curious)" "query=evil.example.com"
    # More than are told of at once, and while davitd is away.
    davit exec --detach curious sh -c 'for i in $(seq 30); do nslookup -type=a evil$i.example.com 127.0.0.11; done; touch /asked; while [ ! -e /gone ]; do sleep 0.1; done
        nslookup -type=a late.example.com 127.0.0.11; touch /late'
    wait_until davit exec curious test -e /asked
    wait_until eval '[ "$(names)" -ge 31 ]'
    root=/proc/$(pid_of curious)/root
    kill -9 "$(cat "$dir/pid")"
    nsenter --target "$(echo "$root" | cut -d/ -f3)" --all --setuid 0 --setgid 0 touch /gone
    wait_until nsenter --target "$(echo "$root" | cut -d/ -f3)" --all --setuid 0 --setgid 0 test -e /late
    # The next davitd finds a resolver that has refusals to tell of: that is not the first that it hears.
    names_pid=$(resolver)
    kill -STOP "$names_pid"
    asked=$(date +%s)
    wait_until eval '[ "$(date +%s)" -gt $((asked + 1)) ]'
    { wait_until eval '[ "$(at_host grep -c "$dir/run/resolver.sock" /proc/net/unix)" -gt 1 ]'; kill -CONT "$names_pid"; } 3>&- &
    waker=$!
    start_davitd
    wait "$waker"
    [ "$(resolver)" = "$names_pid" ]
    wait_until eval '[ "$(names)" -ge 32 ]'
    davit egress --allow '*.example.net' curious
    [ "$(names)" = 0 ]
    davit exec curious nslookup -type=a evil.example.com 127.0.0.11 || true
    wait_until eval '[ "$(names)" -ge 1 ]'
    davit restart --time 0 curious
    [ "$(names)" = 0 ]
}

@test "rules that are none, and networks where they cannot be kept, are refused" {
    refused() { run davit create "${@:2}" busybox; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    for rule in 10.0.0.0/33 name:0 name/icmp 'a b' '*x.example' 10.0.0.256; do refused "egress: \"$rule\"" --egress "$rule"; done
    refused "cannot be kept on network host" --network host --egress none
    davit network create --driver macvlan --opt parent=uplink wire
    refused "cannot be kept on network wire" --network wire --egress none
    davit run --detach --name limited --egress none busybox sleep 1000
    run davit network connect wire limited
    contains "$output" "has egress rules"
    run davit egress --allow nonsense:x limited
    [ "$status" -ne 0 ]
    contains "$(davit egress limited)" nothing
    davit run --rm --network none --egress none busybox true
}

@test "rules hold for the address of IPv6 that a device has by itself" {
    davit network create --ipv6 --opt io.davit.network.host_access=true six >/dev/null
    web open --network six
    idle limited --network six --egress none
    idle free --network six
    local_of() { nsenter --net="/proc/$(pid_of "$1")/ns/net" ip -6 -o addr show scope link dev eth0 | sed 's/.*inet6 \([^/]*\).*/\1/'; }
    reaches() { nsenter --net="/proc/$(pid_of "$1")/ns/net" timeout 2 curl -gs "http://[$(local_of open)%eth0]/"; }
    # It is a way for those who have no rules.
    nsenter --net="/proc/$(pid_of open)/ns/net" socat TCP6-LISTEN:80,fork,reuseaddr,ipv6only=1 SYSTEM:'printf "HTTP/1.0 200 OK\r\n\r\nopen"' 3>&- &
    echo $! > "$dir/server"
    wait_until reaches free
    refute reaches limited
    # The host's as well.
    bridge=dv-$(davit network inspect six | jq -r '.[0].Id[:12]')
    gateway=$(at_host ip -6 -o addr show scope link dev "$bridge" | sed 's/.*inet6 \([^/]*\).*/\1/')
    end_server "$(cat "$dir/server")"
    nsenter --net="/run/netns/$host" socat TCP6-LISTEN:9012,fork,reuseaddr SYSTEM:'echo host' 3>&- &
    echo $! > "$dir/server"
    greets() { nsenter --net="/proc/$(pid_of "$1")/ns/net" timeout 2 socat -u "TCP6:[$gateway%eth0]:9012" - | grep -q host; }
    wait_until greets free
    refute greets limited
    stop_server
    davit rm --force open limited free
}

@test "what a container reaches while it learns is noted, and suggested as rules that let it do the same" {
    upstream --address=/api.example.org/198.51.100.7 --address=/www.example.org/198.51.100.7 --address=/corp.example.org/10.99.0.2
    served 0.0.0.0 192.0.2.2
    at_host ip route add 198.51.100.0/24 via 192.0.2.2
    at_host ip route add 10.99.0.0/24 via 192.0.2.2
    at_neighbour ip addr add 198.51.100.7/32 dev lo
    at_neighbour ip addr add 10.99.0.2/32 dev lo
    reach() { davit exec pupil sh -c 'timeout 5 wget -qO- http://api.example.org:8000/ && timeout 5 wget -qO- http://www.example.org:8000/ && timeout 5 wget -qO- http://corp.example.org:8000/ && timeout 5 wget -qO- http://192.0.2.2:8000/' && as_root_of pupil socat -u - UDP4-SENDTO:10.99.0.2:514 <<< x; }
    davit run --detach --name pupil --dns 192.0.2.2 --egress learn --egress 192.0.2.2:8001 busybox sleep 1000
    reach
    # A rule for what has no port would let all else through.
    davit exec pupil ping -c 1 -W 5 198.51.100.7
    contains "$(davit egress pupil)" "everything, and learns"
    suggested() { davit egress --suggest pupil > "$dir/rules" && grep -qx "$1" "$dir/rules"; }
    for rule in 192.0.2.2:8001 api.example.org:8000 www.example.org:8000 corp.example.org@10.99.0.2:514/udp corp.example.org@10.99.0.2:8000 192.0.2.2:8000; do
        wait_until suggested "$rule" || { cat "$dir/rules"; false; }
    done
    [ "$(wc -l < "$dir/rules")" = 6 ]
    # They outlive davitd, and the container's end.
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    start_davitd
    [ "$(davit egress --suggest pupil)" = "$(cat "$dir/rules")" ]
    reach
    davit stop --time 0 pupil
    [ "$(davit egress --suggest pupil)" = "$(cat "$dir/rules")" ]
    davit start pupil
    # With them it does the same, and nothing else; what it is doing goes on.
    reach
    mkfifo "$dir/held"
    nsenter --net="/proc/$(pid_of pupil)/ns/net" socat -u "OPEN:$dir/held" TCP:198.51.100.7:8000 3>&- &
    holder=$!
    exec 7> "$dir/held"
    held() { at_host conntrack --dump --proto tcp --dst 198.51.100.7 --state ESTABLISHED 2>/dev/null | grep -q dport=8000; }
    wait_until held
    davit egress --adopt pupil
    held
    exec 7>&-
    wait $holder || true
    [ "$(davit egress pupil | grep -v refused)" = "$(cat "$dir/rules")" ]
    reach
    refute davit exec pupil timeout 2 wget -qO- http://198.51.100.7:8001/
    contains "$(davit egress pupil)" "refused: "
    # The rules that it has stay, unless others are said.
    davit egress --learn pupil
    [ "$(davit egress --suggest pupil)" = "$(cat "$dir/rules")" ]
    davit egress --learn --allow 192.0.2.2:8001 pupil
    [ "$(davit egress --suggest pupil)" = 192.0.2.2:8001 ]
    davit exec pupil timeout 5 wget -qO- http://192.0.2.2:8000/
    wait_until suggested 192.0.2.2:8000
    refute davit egress --learn --none pupil
    refute davit egress --suggest --all pupil
    davit egress --learn pupil
    run davit egress --adopt pupil
    [ "$status" -ne 0 ]
    contains "$output" "nothing was noted"
    refute davit create --network none --egress learn --network host busybox
    for route in 198.51.100.0/24 10.99.0.0/24; do at_host ip route del "$route"; done
    for address in 198.51.100.7/32 10.99.0.2/32; do at_neighbour ip addr del "$address" dev lo; done
}
