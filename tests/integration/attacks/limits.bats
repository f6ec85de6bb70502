#!/usr/bin/env bats
# What one container may cost the host's kernel: the connections that it tracks, new ones and packets a second.

load ../common
load ../hosts

settings() { # NUMBER: of connections that a container may have begun
    stop_davitd
    echo "{\"network_connections\": $1}" > "$dir/davitd.json"
    export DAVIT_CONFIG="$dir/davitd.json"
    start_davitd
}
tracked() { at_host sysctl -n net.netfilter.nf_conntrack_count; }
table() { at_host nft list table inet davit_limits | tr -d '\n\t'; }
# The kernels of both sides would reset connections that they have not made.
muted() { "$@" nft 'table inet mute { chain in { type filter hook input priority 0; tcp sport 20000-20099 drop; tcp dport 20000-20099 drop; }; }'; }
# COUNT datagrams to as many ports, each a new connection.
datagrams() { # CONTAINER ADDRESS COUNT
    as_root_of "$1" python3 -c '
import socket, sys
address, count = sys.argv[1], int(sys.argv[2])
one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
for port in range(count):
    try:
        one.sendto(b"", (address, 1000 + port % 60000))
    except OSError:
        pass
' "$2" "$3"
}
told() { davit events --since "$1" --until "$(date +%s)" | grep "network_limited" | grep -q "limit=$2[,)]"; }

@test "a million connections of one container leave the host's table to others" {
    settings 4096
    idle greedy
    web modest --publish 8091:80
    since=$(date +%s)
    muted at_neighbour
    muted as_root_of greedy
    greedy=$(address_of greedy)
    # Room for the attack, and not for more: as most kernels have it.
    most=$(sysctl -n net.netfilter.nf_conntrack_max)
    nsenter --net="/run/netns/$neighbour" "$shared/flood" answer > "$dir/flood" 2>&1 3>&- &
    echo $! > "$dir/server"
    wait_until grep -q ready "$dir/flood"
    as_root_of greedy "$shared/flood" connect "$greedy" 192.0.2.2 1000000 5 > "$dir/made"
    echo "made: $(cat "$dir/made"), tracked: $(tracked)"
    [ "$(cat "$dir/made")" -gt 2000 ]
    [ "$(cat "$dir/made")" -le 8192 ]
    [ "$(tracked)" -le 5000 ]
    [ "$(at_neighbour curl -s --max-time 30 http://192.0.2.1:8091/)" = modest ]
    wait_until told "$since" connections
    # It is this wall that holds: without it the table is full, of connections that the kernel does not give up.
    take_down "$(cat "$dir/pid")" flush inet davit_limits limits
    as_root_of greedy "$shared/flood" connect "$greedy" 192.0.2.2 $((most + 40000)) 1000 > "$dir/made"
    echo "made: $(cat "$dir/made"), tracked: $(tracked)"
    [ "$(tracked)" -ge $((most - 1000)) ]
    refute at_neighbour curl -s -o "$dir/null" --max-time 3 http://192.0.2.1:8091/
    stop_server
    for side in at_neighbour "as_root_of greedy"; do $side nft delete table inet mute; done
    at_host conntrack --flush
}

@test "the limit of connections is the same for both families, and the container's own where it has one" {
    settings 16384
    davit network create --ipv6 --subnet 10.81.0.0/24 --subnet fd00:81::/64 both >/dev/null
    idle usual --network both
    idle few --network both --network-connections 10
    idle any --network both --network-connections -1
    contains "$(table)" "ct count over 16384"
    contains "$(table)" "ct count over 10 "
    [ "$(table | grep -o "02:42:[0-9a-f:]* : jump count_" | wc -l)" = 2 ]
    # The kernel forgets who has counted nothing for a while, and counts all the same.
    datagrams few 192.0.2.2 1
    at_host conntrack --flush
    wait_until eval '! table | grep -q "02:42:[0-9a-f:]* ct count"'
    at_host conntrack --flush
    datagrams few 192.0.2.2 30
    datagrams few 2001:db8::1 30
    [ "$(at_host conntrack --dump --orig-src "$(address_of few)" | wc -l)" = 10 ]
    says_nothing at_host conntrack --dump --family ipv6
    # What is written anew for others keeps what was counted.
    davit network create another >/dev/null
    davit run --detach --name restricted --network another --egress none busybox sleep 1000
    datagrams few 192.0.2.2 60
    [ "$(at_host conntrack --dump --orig-src "$(address_of few)" | wc -l)" = 10 ]
    davit rm --force restricted >/dev/null
    datagrams any 192.0.2.2 300
    [ "$(at_host conntrack --dump --orig-src "$(address_of any)" | wc -l)" = 300 ]
    [ "$(davit inspect few | jq -c '.[0].HostConfig.NetworkLimits')" = '{"Connections":10}' ]
    davit rm --force usual few any >/dev/null
    ! table | grep "02:42\|count_dve\|counted_dve" || false
}

@test "new connections and packets of a container are limited a second, and nobody else's" {
    idle eager --network-new-connections 20
    idle other
    since=$(date +%s)
    SECONDS=0
    at_host conntrack --flush
    datagrams eager 192.0.2.2 5000
    begun=$(at_host conntrack --dump --orig-src "$(address_of eager)" | wc -l)
    [ "$begun" -ge 20 ]
    [ "$begun" -le $((20 + 20 * (SECONDS + 1))) ]
    datagrams other 192.0.2.2 5000
    [ "$(at_host conntrack --dump --orig-src "$(address_of other)" | wc -l)" = 5000 ]
    wait_until told "$since" new-connections
    idle loud --network-packets 20
    at_host nft "table inet seen { chain in { type filter hook prerouting priority -400; ip saddr $(address_of loud) udp dport >= 1000 counter; }; }"
    SECONDS=0
    datagrams loud 192.0.2.2 5000
    passed=$(at_host nft -j list table inet seen | jq '[.. | .counter? // empty | .packets] | add')
    [ "$passed" -ge 10 ]
    [ "$passed" -le $((20 + 20 * (SECONDS + 1))) ]
    wait_until told "$since" packets
    # Who is below it again is heard again.
    wait_until davit exec loud ping -c 1 -W 1 172.17.0.1
    take_down "$(cat "$dir/pid")" flush bridge davit limited
    take_down "$(cat "$dir/pid")" flush bridge davit guard
    datagrams loud 192.0.2.2 5000
    [ "$(at_host nft -j list table inet seen | jq '[.. | .counter? // empty | .packets] | add')" -ge $((passed + 5000)) ]
    at_host nft delete table inet seen
    stop_davitd
    start_davitd
}

@test "limits that cannot be kept are refused" {
    refused() { run davit create "${@:2}" busybox; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "cannot be kept on network none" --network none --network-packets 10
    refused "cannot be kept on network host" --network host --network-connections 10
    davit network create --driver macvlan --opt parent=uplink wire >/dev/null
    refused "cannot be kept on network wire" --network wire --network-new-connections 10
    refused "NetworkLimits.Connections" --network-connections -2
    refused "NetworkLimits.Packets" --network-packets 4294967296
    idle walled --network-packets 10
    run davit network connect wire walled
    [ "$status" -ne 0 ]
    contains "$output" "cannot be kept on network wire"
}
