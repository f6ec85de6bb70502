#!/usr/bin/env bats
# Groups of a network's members: who reaches whom there, by named rules.

load common
load hosts

fetch() { as_root_of "$1" curl -gs --max-time "${3:-2}" "http://$2/"; }
reaches() { [ "$(fetch "$1" "$2" 20)" = "$3" ]; }
refused() { # with an answer, not by silence (28)
    run as_root_of "$1" curl -gsS --max-time 20 "http://$2/"
    [ "$status" -ne 0 ] && [ "$status" -ne 28 ]
}
address6_of() { davit inspect "$1" | jq -r '.[0].NetworkSettings.Networks[].GlobalIPv6Address'; }
make_network() { davit network create --ipv6 --subnet 10.95.0.0/24 --subnet fd00:95::/64 --group 'db=web:80,admin' --group 'db6=*' --group 'web=*:80' --group admin shop >/dev/null; }

@test "members reach each other as the rules of their groups say, by both families, and nothing else" {
    make_network
    web db --network shop --network-group db
    web front --network shop --network-group web
    web boss --network shop --network-group admin --network-group web
    web loose --network shop
    for from in front boss; do reaches $from "$(address_of db)" db; reaches $from "[$(address6_of db)]" db; done
    for from in db loose boss; do reaches $from "$(address_of front)" front; reaches $from "[$(address6_of front)]" front; done
    for to in boss; do reaches db "$(address_of $to)" $to; done
    for target in "$(address_of db)" "[$(address6_of db)]"; do refused loose "$target"; done
    for from in db front boss; do refused $from "$(address_of loose)"; refused $from "[$(address6_of loose)]"; done
    wait_until eval 'davit events --since 1 --until "$(date +%s)" | grep group_refused | grep -q "destination=$(address_of db)"'
    # Other ports are the admin's alone.
    as_root_of db socat TCP-LISTEN:81,fork,reuseaddr SYSTEM:'echo other port' 3>&- &
    echo $! > "$dir/server"
    wait_until as_root_of db sh -c 'echo | timeout 2 socat - TCP:127.0.0.1:81 | grep -q other'
    contains "$(as_root_of boss timeout 20 socat - "TCP:$(address_of db):81" < /dev/null)" "other port"
    refute as_root_of front timeout 2 socat - "TCP:$(address_of db):81" < /dev/null
    stop_server; rm -f "$dir/server"
    # Names are found, whoever may be reached, and the way out is there.
    contains "$(davit exec loose nslookup db)" "$(address_of db)"
    davit exec loose ping -c 1 -W 5 192.0.2.2
    [ "$(davit inspect boss | jq -r '.[0].NetworkSettings.Networks.shop.DriverOpts["io.davit.network.groups"]')" = admin,web ]
    # It is these rules that hold.
    take_down "$(cat "$dir/pid")" flush inet davit forward
    reaches loose "$(address_of db)" db
}

@test "frames go through the host, whatever a member's root does" {
    make_network
    web db --network shop --network-group db
    idle loose --network shop
    mac=$(davit inspect db | jq -r '.[0].NetworkSettings.Networks[].MacAddress')
    # Straight to the neighbour's MAC.
    as_root_of loose ip neigh replace "$(address_of db)" lladdr "$mac" dev eth0
    refute fetch loose "$(address_of db)"
    as_root_of loose ip neigh replace "$(address6_of db)" lladdr "$mac" dev eth0
    as_root_of db ip neigh replace "$(address_of loose)" lladdr "$(davit inspect loose | jq -r '.[0].NetworkSettings.Networks[].MacAddress')" dev eth0
    refute fetch loose "[$(address6_of db)]"
    # The port lets it through; the rule of the bridge does not, and without both it is there.
    for port in $(at_host ip -br link show master "$(at_host ip -br link | grep -o '^dv-[0-9a-f]*' | head -n 1)" | grep -o '^dve[0-9a-f]*'); do at_host bridge link set dev "$port" isolated off; done
    refute fetch loose "$(address_of db)"
    take_down "$(cat "$dir/pid")" flush bridge davit forward
    [ "$(fetch loose "$(address_of db)" 20)" = db ]
}

@test "groups come and go with their members, and hold across davitd and lost devices" {
    make_network
    web db --network shop --network-group db
    idle late --network bridge
    davit network connect --group web shop late
    late=$(address_of late | tail -n 1)
    reaches late "$(address_of db)" db
    pid=$(pid_of late) address=$(address_of db)
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    run timeout 30 nsenter --net="/proc/$pid/ns/net" curl -s "http://$address/"
    start_davitd
    [ "$output" = db ]
    reaches late "$(address_of db)" db
    davit network disconnect shop late
    davit network connect shop late
    refused late "$(address_of db)"
    davit network disconnect shop late
    davit network connect --group admin shop late
    bridge=$(at_host ip -br link | grep -o '^dv-[0-9a-f]*' | head -n 1)
    at_host ip link del "$bridge"
    wait_until reaches late "$(address_of db)" db
    wait_until reaches late "[$(address6_of db)]" db
    at_host ip link set "$bridge" down
    at_host ip link set "$bridge" up
    wait_until reaches late "[$(address6_of db)]" db
    proxied() { at_host ip neigh show proxy dev "$bridge" | wc -l; }
    [ "$(proxied)" = 2 ]
    davit rm --force db >/dev/null
    wait_until eval '[ "$(proxied)" = 1 ]'
    # Who gets the address is in no group of its former owner's.
    davit run --detach --name heir --network shop --ip 10.95.0.2 busybox httpd -f -p 80
    refused late 10.95.0.2
    # A port of the host leads to a member whatever its groups; from a member it is a member's way.
    davit run --detach --name open --network shop --publish 8097:80 busybox httpd -f -p 80
    wait_until at_neighbour curl -s -o "$dir/null" --max-time 5 http://192.0.2.1:8097/
    refused late "$(address_of open)"
    refused late 10.95.0.1:8097
}

@test "groups that are none are refused, by davit and by docker's client" {
    refuse() { run davit network create "${@:2}" bad; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refuse 'not a name' --group 'DB=*'
    refuse 'not a name' --group 'a.b'
    refuse 'digits alone' --group '10=*'
    refuse 'not a group of this network' --group 'db=web'
    refuse 'not a group of this network' --group 'db=10.0.0.0/8'
    refuse 'not a group of this network' --group 'db=*:0'
    refuse 'an empty rule' --group 'db=*,,*'
    refuse 'not supported' --driver macvlan --group 'db=*'
    docker network create -o io.davit.network.group.db='*:80' --subnet 10.96.0.0/24 theirs
    run davit run --network theirs --network-group other busybox true
    [ "$status" -ne 0 ]
    contains "$output" 'network theirs has no group "other"'
    run davit run --network host --network-group db busybox true
    [ "$status" -ne 0 ]
    contains "$output" "no options there"
    run davit run --network bridge --network-group db busybox true
    [ "$status" -ne 0 ]
    contains "$output" 'network bridge has no group "db"'
    docker network connect --driver-opt io.davit.network.groups=db theirs "$(docker create --name client busybox true)"
    [ "$(davit inspect client | jq -r '.[0].NetworkSettings.Networks.theirs.DriverOpts["io.davit.network.groups"]')" = db ]
    run docker network connect --driver-opt a=b theirs client
    [ "$status" -ne 0 ]
    davit rm --force client >/dev/null
    docker network rm theirs
}
