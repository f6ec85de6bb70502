#!/usr/bin/env bats
# Ways past published ports: from the LAN straight to containers, by other addresses, after the host's firewall was loaded anew.

load ../common
load ../hosts

from_lan() { at_neighbour curl -gs --max-time "${2:-2}" "http://$1/"; }
# A machine on the same wire that knows where containers live.
lan_knows() { at_neighbour ip route replace "$1" via 192.0.2.1; }
seen() { at_host nft -j list counter inet seen "$1" | jq '[.. | .packets? // empty] | add'; }
count_at_host() { at_host nft 'table inet seen { counter tried { }; chain in { type filter hook prerouting priority -400; iifname "uplink" ip daddr 172.16.0.0/12 counter name tried; }; }'; }

@test "who routes to containers from the LAN reaches no port of theirs, published or not" {
    lan_knows 172.16.0.0/12
    count_at_host
    web public --publish 8100:80
    web private --publish 127.0.0.1:8101:80
    web closed
    [ "$(from_lan 192.0.2.1:8100 30)" = public ]
    for name in public private closed; do
        before=$(seen tried)
        refute from_lan "$(address_of $name)"
        [ "$(seen tried)" -gt "$before" ]
    done
    refute from_lan 192.0.2.1:8101
    refute from_lan 192.0.2.1:80
    # Without the wall each is one connection away.
    take_down "$(cat "$dir/pid")" flush inet davit forward
    [ "$(from_lan "$(address_of closed)" 30)" = closed ]
    [ "$(from_lan "$(address_of private)" 30)" = private ]
    at_host nft delete table inet seen
}

@test "a reload of the host's firewall opens nothing, not for a moment" {
    lan_knows 172.16.0.0/12
    web private --publish 127.0.0.1:8102:80
    private=$(address_of private)
    # As a firewall of the host is loaded: all is flushed, then rules that accept, again and again.
    timeout 60 nsenter --net="/run/netns/$host" sh -c 'for i in $(seq 400); do nft flush ruleset; nft "table inet host { chain forward { type filter hook forward priority 0; policy accept; }; }"; done; echo done' > "$dir/reloads" 3>&- &
    reloads=$!
    tries=0
    while [ ! -s "$dir/reloads" ]; do
        refute at_neighbour curl -s -o "$dir/null" --max-time 0.2 "http://$private/"
        refute at_neighbour curl -s -o "$dir/null" --max-time 0.2 http://192.0.2.1:8102/
        tries=$((tries + 1))
    done
    wait $reloads
    [ "$tries" -gt 2 ]
    [ "$(at_host curl -s --max-time 30 http://127.0.0.1:8102/)" = private ]
    at_host nft flush ruleset
}

@test "a port of one address of the host is none of the others" {
    at_host ip addr add 192.0.2.11/24 dev uplink
    web one --publish 192.0.2.11:8103:80
    [ "$(from_lan 192.0.2.11:8103 30)" = one ]
    refute from_lan 192.0.2.1:8103
    refute at_host curl -s -o "$dir/null" --max-time 2 http://127.0.0.1:8103/
    davit network create other >/dev/null
    idle far --network other
    refute as_root_of far curl -s -o "$dir/null" --max-time 2 "http://$(address_of one)/"
    # By the host's address it is published for containers as well.
    [ "$(as_root_of far curl -s --max-time 30 http://192.0.2.11:8103/)" = one ]
    davit rm --force one >/dev/null
    refute from_lan 192.0.2.11:8103
    at_host ip addr del 192.0.2.11/24 dev uplink
}

@test "packets from the LAN that pretend to come from containers are nobody's answers" {
    lan_knows 172.16.0.0/12
    web target
    idle other
    # Towards a container, in the name of its neighbour and of the host's side of the bridge.
    at_host nft "table inet seen { counter tried { }; counter passed { }; chain in { type filter hook prerouting priority -400; iifname uplink ip saddr 172.16.0.0/12 counter name tried; }; chain out { type filter hook postrouting priority 400; oifname davit0 ip saddr 172.16.0.0/12 udp dport 5555 counter name passed; }; }"
    for source in "$(address_of other)" 172.17.0.1; do
        at_neighbour ip addr add "$source/32" dev lo
        for _ in 1 2 3; do at_neighbour socat -u - "UDP4-SENDTO:$(address_of target):5555,bind=$source" <<< x; done
        at_neighbour ip addr del "$source/32" dev lo
    done
    [ "$(seen tried)" -ge 6 ]
    [ "$(seen passed)" = 0 ]
    take_down "$(cat "$dir/pid")" flush inet davit forward
    at_host sh -c 'echo 0 > /proc/sys/net/ipv4/conf/uplink/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter'
    at_neighbour ip addr add "$(address_of other)/32" dev lo
    at_neighbour socat -u - "UDP4-SENDTO:$(address_of target):5555,bind=$(address_of other)" <<< x
    [ "$(seen passed)" = 1 ]
    at_neighbour ip addr del "$(address_of other)/32" dev lo
    at_host nft delete table inet seen
}
