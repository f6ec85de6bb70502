#!/usr/bin/env bats
# What somebody removes of networks by hand, or by a program that takes them for its own, is made again; rules hold meanwhile.

load common
load hosts

setup() {
    web open --publish 8081:80
    idle other
    idle limited --egress none
}

answers() { [ "$(at_neighbour curl -s --max-time 2 http://192.0.2.1:8081/)" = open ]; }
reaches() { nsenter --net="/proc/$(pid_of other)/ns/net" curl -s --max-time 2 "http://$(address_of open)/"; }
# The host's end of its device.
device_of() {
    local index
    index=$(nsenter --net="/proc/$(pid_of "$1")/ns/net" ip -o link show eth0 | sed -n 's/.*eth0@if\([0-9]*\):.*/\1/p')
    at_host ip -o link | sed -n "s/^$index: \([^@]*\)@.*/\1/p"
}
all_is_well() {
    wait_until answers
    wait_until reaches
    refute nsenter --net="/proc/$(pid_of limited)/ns/net" timeout 2 curl -s "http://$(address_of open)/"
    # In its own name alone: the device's elements are those of the device that is there.
    contains "$(at_host nft list set bridge davit sources)" "$(device_of open)"
}
mended() { davit events --since 1 --until "$(($(date +%s) + 1))" --filter type=network --filter event=mend; }

@test "a bridge, its address, its port and a container's device that are removed are there again" {
    all_is_well
    says_nothing mended
    address=$(address_of open)
    at_host ip link del davit0
    all_is_well
    contains "$(mended)" davit0
    contains "$(davit info --format json | jq -r '.Warnings[]')" "devices or addresses of network bridge"
    at_host ip addr flush dev davit0
    all_is_well
    at_host ip link set "$(device_of other)" nomaster
    all_is_well
    former=$(device_of open)
    at_host ip link del "$former"
    wait_until sh -c "'$build/davit' exec open ip addr show eth0 | grep -q $address"
    all_is_well
    [ "$(device_of open)" != "$former" ]
    refute contains "$(at_host nft list set bridge davit sources)" "$former"
    # The way out as well.
    davit exec open ip route | grep default
    # Twice, and the second time while davitd is away.
    at_host ip link del davit0
    all_is_well
    former=$(device_of open)
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    at_host ip link del davit0
    at_host ip link del "$former"
    start_davitd
    all_is_well
    # What davitd itself removes is no loss.
    count=$(mended | wc -l)
    davit rm --force other
    davit restart --time 0 open
    wait_until answers
    [ "$(mended | wc -l)" = "$count" ]
}

@test "a container that has lost hosts, resolv.conf or hostname starts with new ones" {
    files="$dir/root/containers/$(davit inspect --format '{{.Id}}' other)"
    for name in hosts resolv.conf hostname; do
        davit kill other
        davit wait other
        rm "$files/$name"
        davit start other
        [ -s "$files/$name" ]
        davit exec other cat "/etc/$name"
    done
}

@test "a network that is lost is named, and its containers can be given another or leave it" {
    davit network create lost >/dev/null
    davit create --name one --network lost busybox true
    davit create --name two --network lost busybox true
    says_nothing sh -c "'$build/davit' system check | grep lost || true"
    id=$(davit network inspect lost | jq -r '.[0].Id')
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    rm -f "$dir/root/networks/$id.json" "$dir/root/networks/.$id.json.copy"
    start_davitd
    contains "$(davit system check || true)" "network lost of container one is gone"
    run davit start one
    contains "$output" "make one of that name"
    davit network disconnect lost two
    davit start two
    davit network create lost >/dev/null
    davit network connect lost one
    davit start --attach one
    [ "$(davit inspect one | jq -c '[.[0].NetworkSettings.Networks | keys[]]')" = '["lost"]' ]
    davit system check
    davit rm one two
}

@test "who removes a device again and again holds nobody up" {
    davit run --detach --name eater --cap-add NET_ADMIN busybox sh -c 'while :; do ip link del eth0 2>/dev/null; sleep 0.1; done'
    gone() { [ "$(mended | grep -c "$(davit inspect --format '{{.Id}}' eater)")" -ge "$1" ]; }
    wait_until gone 2
    all_is_well
    davit rm --force eater
}
