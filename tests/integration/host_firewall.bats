#!/usr/bin/env bats
# Beside a firewall of the host that drops what is forwarded: nftables and iptables-nft. (firewalld and ufw: tests/vm.)

load common
load hosts

setup() {
    # Who routes to containers must not come through, however much is opened.
    at_neighbour ip route replace 172.16.0.0/12 via 192.0.2.1
    ! davit inspect open >/dev/null 2>&1 || return 0
    web open --publish 8090:80 >/dev/null
    idle other >/dev/null
}
teardown() { :; }

# What holds whatever the host's firewall says, and what has to work beside it.
from_outside() { at_neighbour curl -s --max-time 3 "http://$1/"; }
published() { [ "$(from_outside 192.0.2.1:8090)" = open ]; }
way_out() { davit exec other ping -c 1 -W 2 192.0.2.2; }
works() {
    wait_until published
    wait_until way_out
    refute from_outside "$(address_of open)"
}
ours() { at_host nft list ruleset | grep -c 'comment "davit: see davitd.json(5)"' || true; }
host_rules() { at_host nft -f -; }
dropping() {
    host_rules <<< 'flush ruleset
table inet host { chain forward { type filter hook forward priority filter; policy drop; tcp dport 81 drop; }; }
table ip other { chain forward { type filter hook forward priority 10; counter log prefix "closed " reject; }; chain input { type filter hook input priority 0; }; }'
}

@test "a firewall that drops lets davit's bridges through, whichever was there first, and after it was loaded anew" {
    works
    [ "$(ours)" = 0 ]
    dropping
    works
    [ "$(ours)" = 8 ]
    # Before the rule that refuses all, behind the others.
    contains "$(at_host nft list chain ip other forward | tail -n 3 | head -n 1)" 'log prefix "closed " reject'
    dropping
    works
    davit rm --force open other >/dev/null
    stop_davitd
    dropping
    [ "$(ours)" = 0 ]
    start_davitd
    setup
    works
    # What is given with the bridge alone goes on being davit's: neighbours of another network are refused.
    davit network create apart >/dev/null
    idle far --network apart
    refute as_root_of far curl -s -o "$dir/null" --max-time 2 "http://$(address_of open)/"
    davit rm --force far >/dev/null
    at_host nft flush ruleset
    works
}

@test "what the host's administrator refuses stays refused, and stays in front" {
    dropping
    works
    nsenter --net="/run/netns/$neighbour" socat TCP-LISTEN:81,fork,reuseaddr SYSTEM:'echo outside' 3>&- &
    echo $! > "$dir/server"
    wait_until at_host sh -c 'echo | timeout 2 socat - TCP:192.0.2.2:81 | grep -q outside'
    refute as_root_of other timeout 2 socat - TCP:192.0.2.2:81
    # A rule that is added behind ours comes before them.
    at_host nft add rule inet host forward ip daddr 192.0.2.2 icmp type echo-request drop
    wait_until refute way_out
    # One that leads all to a chain which drops is a last rule as well.
    at_host nft flush chain inet host forward
    at_host nft -f - <<< 'add chain inet host logdrop
add rule inet host logdrop log prefix "closed "
add rule inet host logdrop counter drop
add rule inet host forward goto logdrop'
    works
    contains "$(at_host nft list chain inet host forward | tail -n 3 | head -n 1)" "goto logdrop"
    at_host nft flush chain inet host forward
    works
    [ "$(at_host nft list chain inet host forward | grep -c 'davit: see' || true)" = 4 ]
    # Who is no longer closed has no rules of ours.
    at_host nft add chain inet host forward '{ policy accept; }'
    wait_until eval '[ "$(at_host nft list chain inet host forward | grep -c "davit: see" || true)" = 0 ]'
    [ "$(as_root_of other socat - TCP:192.0.2.2:81 < /dev/null)" = outside ]
    stop_server; rm -f "$dir/server"
    at_host nft flush ruleset
}

@test "iptables-nft: its policy, its rules, and what loads them anew" {
    iptables() { at_host iptables-nft "$@"; }
    iptables -P FORWARD DROP
    works
    contains "$(iptables -S FORWARD)" "-o dv-+"
    # A change that begins with something else is one as well.
    iptables -P FORWARD ACCEPT
    iptables -F FORWARD
    at_host nft 'table ip host { set allowed { type ipv4_addr; }; chain forward { type filter hook forward priority filter; }; }'
    works
    host_rules <<< 'add element ip host allowed { 192.0.2.77 }
add rule ip host forward drop'
    works
    at_host nft delete table ip host
    iptables -P FORWARD DROP
    iptables -F FORWARD
    works
    printf '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A FORWARD -p tcp --dport 81 -j ACCEPT\n-A FORWARD -j REJECT\nCOMMIT\n' > "$dir/rules"
    at_host iptables-nft-restore "$dir/rules"
    works
    [ "$(iptables -S FORWARD | tail -n 1)" = "-A FORWARD -j REJECT --reject-with icmp-port-unreachable" ]
    iptables -P FORWARD ACCEPT
    iptables -F
    works
    at_host nft flush ruleset
}

@test "host_firewall leave: nothing is changed, and nothing else is taken" {
    davit rm --force open other >/dev/null
    stop_davitd
    echo '{"host_firewall": "leave"}' > "$dir/davitd.json"
    export DAVIT_CONFIG="$dir/davitd.json"
    start_davitd
    setup
    works
    dropping
    wait_until refute published
    [ "$(ours)" = 0 ]
    at_host nft flush ruleset
    works
    # What a davitd with another setting has added goes.
    at_host nft 'table inet host { chain forward { type filter hook forward priority filter; policy drop; iifname "davit0" accept comment "davit: see davitd.json(5)"; iifname "lan" accept comment "davit"; }; }'
    remove_containers
    stop_davitd
    start_davitd
    setup
    wait_until eval '[ "$(ours)" = 0 ]'
    contains "$(at_host nft list table inet host)" 'comment "davit"'
    at_host nft flush ruleset
    remove_containers
    stop_davitd
    echo '{"host_firewall": "shut"}' > "$dir/davitd.json"
    run timeout 60 nsenter --net="/run/netns/$host" "$davitd" --root "$dir/root" --run "$dir/run"
    [ "$status" -ne 0 ]
    contains "$output" 'host_firewall: "shut" is neither open nor leave'
    unset DAVIT_CONFIG
    start_davitd
}
