#!/usr/bin/env bats
# Namespaces that davitd makes ahead of the containers that need them.
load common
load hosts

in_reserve() { readlink "/proc/$(cat "$dir/pid")"/fd/* 2>/dev/null | grep "^$1:" | sort; }
count() { in_reserve "$1" | wc -l; }
restart_with() { # CONFIGURATION
    stop_davitd
    echo "$1" > "$dir/davitd.json"
    DAVIT_CONFIG=$dir/davitd.json start_davitd
}
namespace_of() { readlink "/proc/$(pid_of "$1")/ns/$2"; }

@test "containers start in namespaces that were there before, each in its own, and others come in their place" {
    local one user net
    wait_until eval '[ "$(count net)" = 4 ]'
    user=$(in_reserve user)
    net=$(in_reserve net)
    for one in "" "--network bridge --publish 8080:80" "--network none" "--init"; do
        idle first $one
        contains "$net" "$(namespace_of first net)"
        contains "$user" "$(namespace_of first user)"
        idle second
        [ "$(namespace_of first net)" != "$(namespace_of second net)" ]
        [ "$(namespace_of first user)" != "$(namespace_of second user)" ]
        remove_containers
        wait_until eval '[ "$(count net)" = 4 ]'
        user=$(in_reserve user)
        net=$(in_reserve net)
    done
}

@test "ids are the container's own in them, at every start, and its network works" {
    idle first
    idle second
    [ "$(davit exec first awk '{print $2}' /proc/self/uid_map)" != "$(davit exec second awk '{print $2}' /proc/self/uid_map)" ]
    davit exec first ping -c 1 -W 5 "$(address_of second)"
    davit exec first ping -c 1 -W 5 second
    davit exec first ping -c 1 -W 5 127.0.0.1
    ids=$(davit exec first cat /proc/self/uid_map)
    wait_until eval '[ "$(count net)" = 4 ]'
    net=$(in_reserve net)
    davit restart --time 0 first
    contains "$net" "$(namespace_of first net)"
    [ "$(davit exec first cat /proc/self/uid_map)" = "$ids" ]
    davit exec first ping -c 1 -W 5 second
}

@test "limits are set in them as elsewhere" {
    hard=$(ulimit -Hn)
    [ "$(davit run --rm --ulimit nofile=100:$hard busybox sh -c 'ulimit -Hn')" = "$hard" ]
    [ "$(davit run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -Hn; ulimit -n')" = $'200\n100' ]
}

@test "who shares a namespace, or has the host's ids, takes none" {
    idle first
    wait_until eval '[ "$(count net)" = 4 ]'
    net=$(in_reserve net)
    for options in "--network host" "--network container:first" "--userns host --network none"; do
        idle second $options
        [ "$(in_reserve net)" = "$net" ]
        davit rm --force second
    done
}

@test "with namespace_pool 0 none are made, and containers start" {
    restart_with '{ "namespace_pool": 0 }'
    [ "$(count net)" = 0 ]
    web page --publish 8080:80
    [ "$(at_neighbour curl -s http://192.0.2.1:8080/)" = page ]
    [ "$(count net)" = 0 ]
    echo '{ "namespace_pool": 65 }' > "$dir/many.json"
    run timeout 60 "$davitd" --config "$dir/many.json" --root "$dir/root2" --run "$dir/run2"
    [ "$status" -eq 1 ]
    contains "$output" "namespace_pool: 64 at most"
    restart_with '{}'
}

@test "where containers have the host's ids so have they" {
    restart_with '{ "userns": "host", "namespace_pool": 2 }'
    wait_until eval '[ "$(count net)" = 2 ]'
    net=$(in_reserve net)
    idle first
    contains "$net" "$(namespace_of first net)"
    [ "$(namespace_of first user)" = "$(readlink /proc/self/ns/user)" ]
    davit exec first ping -c 1 -W 5 192.0.2.2
    restart_with '{}'
}

@test "a device that cannot be made ahead is an error of the start, which leaves nothing" {
    davit network create --subnet 10.88.0.0/30 tight
    idle first --network tight
    wait_until eval '[ "$(count net)" = 4 ]'
    # Their names: states and flags settle by and by.
    names() { at_host ip -j link | jq -r '.[].ifname' | sort; }
    wait_until davit exec first ping -c 1 -W 5 10.88.0.1
    devices=$(names)
    run davit run --detach --name second --network tight busybox sleep 1000
    [ "$status" -ne 0 ]
    contains "$output" "no available IPv4 addresses on network tight"
    wait_until eval '[ "$(names)" = "$devices" ]'
}
