#!/usr/bin/env bats
# davitd is killed at any moment while containers with networks, ports, names and rules come and go. SEED repeats a run.
load common
load hosts

ROUNDS=${ROUNDS:-12}

# A few containers that come and go until the client loses its davitd.
churn() {
    local number
    for number in $(seq 100); do
        davit run --detach --name "c$1-$number" --network mesh --network-alias "all" $2 busybox httpd -f -p 80 || return 0
        [ $((number % 3)) -eq 0 ] || davit rm --force "c$1-$number" || return 0
    done >/dev/null 2>&1
}
running() { davit ps --format '{{.Names}}' --filter network=mesh; }
ports_of_table() { at_host nft -j list map inet davit ports 2>/dev/null | jq -s -c '[.[].nftables[] | .map? | .elem? // [] | .[] | .[0].concat[1]] | sort'; }
ports_of_containers() { davit ps --quiet --no-trunc | while read -r one; do davit inspect "$one" | jq '.[0].NetworkSettings.Ports[][]?.HostPort | tonumber'; done | jq -s -c 'sort'; }
sources_of_table() { at_host nft -j list map inet davit_egress containers 2>/dev/null | jq -s -c '[.[].nftables[] | .map? | .elem? // [] | .[] | .[0]] | sort'; }
limited_addresses() { davit ps --quiet --no-trunc | while read -r one; do davit inspect "$one" | jq '.[0] | select(.HostConfig.Egress) | .NetworkSettings.Networks[].IPAddress'; done | jq -s -c 'sort'; }
elements() { at_host nft -j list set inet davit "$1" 2>/dev/null | jq -s -c '[.[].nftables[] | .set? | .elem? // [] | .[]] | sort'; }
grouped_addresses() { davit ps --quiet --no-trunc | while read -r one; do davit inspect "$one" | jq '.[0].NetworkSettings.Networks[] | select(.DriverOpts) | .IPAddress'; done | jq -s -c 'sort'; }
bridge() { at_host ip -br link | grep -o '^dv-[0-9a-f]*' | head -n 1; }
counted() { at_host nft list map inet davit_limits connections 2>/dev/null | grep -o "02:42:" | wc -l; }
members_agree() {
    local set
    set=$(elements "$(bridge)_grouped")
    [ "${set:-[]}" = "$(grouped_addresses)" ] && [ "$(counted)" = "$(running | wc -l)" ]
}
agree() { [ "$(ports_of_table)" = "$(ports_of_containers)" ] && [ "$(sources_of_table)" = "$(limited_addresses)" ] && members_agree; }
explain() {
    echo "ports: $(ports_of_table), of containers: $(ports_of_containers); limited: $(sources_of_table), of containers: $(limited_addresses); grouped: $(elements "$(bridge)_grouped"), of containers: $(grouped_addresses); counted: $(counted) of $(running | wc -l)"
    tail -n 5 "$dir/log"
}
devices() { at_host ip -br link | grep -c '^dve'; }

@test "whenever davitd dies, the next one has the devices, addresses, ports, names and rules of what runs, and no others" {
    seed=${SEED:-$RANDOM}
    echo "SEED=$seed"
    RANDOM=$seed
    davit network create --subnet 10.77.0.0/24 --group "grouped=*:80" mesh
    for round in $(seq "$ROUNDS"); do
        churn "$round-a" "-p 80" &
        churn "$round-b" "--egress 10.77.0.0/24" &
        churn "$round-c" "--network-group grouped --network-connections 100" &
        sleep "0.$(printf %03d $((RANDOM % 600)))"
        kill -9 "$(cat "$dir/pid")"
        # The clients, and the one that was killed: the next finds its lock free only then.
        wait 2>/dev/null || true
        start_davitd
        # Whatever was half made is over, and the kernel frees namespaces by and by.
        wait_until agree || { explain; false; }
        wait_until eval '[ "$(devices)" = "$(running | wc -l)" ]'
        [ "$(davit ps --quiet --no-trunc | while read -r one; do davit inspect "$one" | jq -r '.[0].NetworkSettings.Networks[].IPAddress'; done | sort | uniq -d)" = "" ]
        [ $((round % 4)) -ne 0 ] || remove_containers
    done
    davit run --detach --name asks --network mesh busybox sleep 1000
    for name in $(running | grep -v asks | head -n 5); do wait_until davit exec asks nslookup "$name"; done
    remove_containers
    wait_until eval '[ "$(devices)" = 0 ] && agree'
}
