#!/usr/bin/env bats
# Networks whose devices are made by plugins of the Container Network Interface: Debian's, and one that is ours to fail.
load common
load hosts

lease_of() { davit inspect "$1" | jq -r ".[0].NetworkSettings.Networks[].$2"; }
leases() { find "$dir/leases" -name '10.*' -printf '%f\n' | sort; }
# bridge, addresses by host-local below $dir, and PLUGINS behind it.
conflist() { # NAME [PLUGIN-OBJECTS]
    jq -n --arg name "$1" --arg leases "$dir/leases" --argjson more "[${2:-}]" '{cniVersion: "1.0.0", name: $name, plugins: ([{type: "bridge", bridge: "cni0",
        isDefaultGateway: true, ipMasq: false, hairpinMode: true, ipam: {type: "host-local", dataDir: $leases, ranges: [[{subnet: "10.66.0.0/24"}]]}}] + $more)}' > "$dir/$1.conflist"
    davit network create --driver cni --opt conflist="$dir/$1.conflist" "$1" >/dev/null
}
# A plugin of ours in $dir/plugins, which notes how it is called and does SCRIPT.
plugin() { # NAME SCRIPT
    mkdir -p "$dir/plugins"
    printf '#!/bin/sh\ninput=$(cat)\nprintf "%%s %%s %%s %%s\\n" %s "$CNI_COMMAND" "$CNI_IFNAME" "$CNI_CONTAINERID" >> %s/calls\nprintf "%%s\\n" "$input" > %s/input-%s-$CNI_COMMAND\n%s\n' \
        "$1" "$dir" "$dir" "$1" "$2" > "$dir/plugins/$1"
    chmod +x "$dir/plugins/$1"
}
passes_on='[ "$CNI_COMMAND" = DEL ] || printf "%s" "$input" | jq .prevResult'
begin() {
    stop_davitd
    jq -n --arg ours "$dir/plugins" '{cni_plugin_directories: ["/usr/lib/cni", $ours]}' > "$dir/davitd.json"
    mkdir -p "$dir/libexec"
    ln -sf "$build"/davit-* "$dir/libexec"
    rm -f "$dir/calls"
    start_again
}
start_again() { DAVIT_LIBEXEC=$dir/libexec DAVIT_CONFIG=$dir/davitd.json start_davitd; }
setup() { begin; }

@test "Debian's bridge and host-local: addresses, the way out, names, and everything given back" {
    conflist wire
    web one --network wire
    web two --network wire --network-alias other
    [ "$(lease_of one IPAddress)/$(lease_of one IPPrefixLen) $(lease_of one Gateway)" = "10.66.0.2/24 10.66.0.1" ]
    [ "$(lease_of one MacAddress)" = "$(davit exec one cat /sys/class/net/eth0/address)" ]
    [ "$(davit exec one wget -qO- http://10.66.0.3/)" = two ]
    [ "$(davit exec one wget -qO- http://two/)$(davit exec one wget -qO- http://other/)" = twotwo ]
    davit exec one grep -q "^10.66.0.2	" /etc/hosts
    ip -n "$neighbour" route add 10.66.0.0/24 via 192.0.2.1
    at_host sysctl -qw net.ipv4.ip_forward=1
    davit exec one ping -c 1 -W 5 192.0.2.2
    ip -n "$neighbour" route del 10.66.0.0/24
    [ "$(davit network inspect wire | jq -r '.[0] | "\(.Driver) \(.Options.conflist)"')" = "cni $dir/wire.conflist" ]
    [ "$(davit network inspect wire | jq -r '.[0].Containers[].IPv4Address' | sort | xargs)" = "10.66.0.2/24 10.66.0.3/24" ]
    [ "$(docker stats --no-stream --format '{{.NetIO}}' one)" != "0B / 0B" ]
    [ "$(leases | xargs)" = "10.66.0.2 10.66.0.3" ]
    davit restart --time 0 one
    wait_until eval '[ "$(leases | xargs)" = "10.66.0.3 10.66.0.4" ]'
    [ "$(lease_of one IPAddress)" = 10.66.0.4 ]
    davit rm --force one two
    wait_until says_nothing leases
    davit network rm wire
}

@test "a chain gets what the one before it made, and what the container wants; it is taken back in the other order" {
    plugin first "$passes_on"
    plugin second "$passes_on"
    conflist chain '{"type": "first", "capabilities": {"portMappings": true}}, {"type": "second", "capabilities": {"ips": true}, "mine": [1, "x"]}'
    idle one --network chain --publish 8080:80 --publish 127.0.0.1:8081:81/udp --ip 10.66.0.77
    [ "$(lease_of one IPAddress)" = 10.66.0.77 ]
    id=$(davit inspect one | jq -r '.[0].Id')
    [ "$(cat "$dir/calls")" = "first ADD eth0 $id
second ADD eth0 $id" ]
    jq -e '.name == "chain" and .cniVersion == "1.0.0" and .type == "first" and (has("capabilities") | not) and .prevResult.ips[0].address == "10.66.0.77/24" and
        .runtimeConfig.portMappings == [{hostPort: 8080, containerPort: 80, protocol: "tcp"}, {hostPort: 8081, containerPort: 81, protocol: "udp", hostIP: "127.0.0.1"}]' "$dir/input-first-ADD"
    jq -e '.mine == [1, "x"] and .runtimeConfig == {ips: ["10.66.0.77"]}' "$dir/input-second-ADD"
    [ "$(davit port one 80)" = 0.0.0.0:8080 ]
    davit rm --force one
    wait_until eval '[ "$(wc -l < "$dir/calls")" = 4 ]'
    [ "$(tail -n 2 "$dir/calls")" = "second DEL eth0 $id
first DEL eth0 $id" ]
    jq -e '.prevResult.ips[0].address == "10.66.0.77/24"' "$dir/input-second-DEL"
    wait_until says_nothing leases
}

@test "portmap publishes ports" {
    conflist mapped '{"type": "portmap", "capabilities": {"portMappings": true}}'
    web one --network mapped --publish 8080:80
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = one ]
    davit rm --force one
    wait_until says_nothing leases
    refute at_neighbour curl -sS --max-time 1 http://192.0.2.1:8080/
}

@test "a plugin that fails ends the start with its words, and those before it take back" {
    plugin refuses '[ "$CNI_COMMAND" = DEL ] || { echo "{\"cniVersion\": \"1.0.0\", \"code\": 7, \"msg\": \"no room\", \"details\": \"in here\"}"; exit 1; }'
    plugin silent ':'
    plugin rambles 'echo nonsense; exit 3'
    conflist refused '{"type": "refuses"}'
    run davit run --name one --network refused busybox true
    [ "$status" -ne 0 ]
    contains "$output" "plugin refuses (ADD): no room: in here"
    says_nothing leases
    conflist quiet '{"type": "silent"}'
    run davit run --name two --network quiet busybox true
    contains "$output" "plugin silent: it printed no result"
    conflist loud '{"type": "rambles"}'
    run davit run --name three --network loud busybox true
    contains "$output" "plugin rambles (ADD): exit status 3"
    conflist missing '{"type": "is-not-there"}'
    run davit run --name four --network missing busybox true
    contains "$output" "no such plugin in /usr/lib/cni, $dir/plugins"
    conflist plain
    run davit run --name five --network plain --publish 80 busybox true
    contains "$output" "no plugin of network plain publishes ports"
    says_nothing leases
}

@test "together with a bridge: devices in the order of the networks, ports by the bridge" {
    conflist wire
    davit create --name both --network wire --publish 8080:80 busybox sh -c 'mkdir /w; echo both > /w/index.html; exec httpd -f -p 80 -h /w'
    davit network connect bridge both
    davit start both
    address=$(davit inspect both | jq -r '.[0].NetworkSettings.Networks.wire.IPAddress')
    contains "$(davit exec both ip -4 -o addr show dev eth0)" "inet $address/24"
    [ "$(davit exec both ip -4 route show default | grep -c 'via 10\.66\.0\.1 dev eth0')" = 1 ]
    davit exec both ip -4 -o addr show dev eth1
    wait_until at_host curl -sS --max-time 5 http://127.0.0.1:8080/
    idle apart
    run davit network connect wire apart
    contains "$output" "its networks of plugins (wire) are made when it starts"
    run davit network disconnect wire both
    contains "$output" "its networks of plugins (wire) go when it ends"
}

@test "whenever davitd dies, what plugins made is taken back" {
    plugin slow 'while [ -e "'"$dir"'/held" ]; do sleep 0.02; done; '"$passes_on"
    conflist slow '{"type": "slow"}'
    # While a container runs that ends before the next one is there.
    idle one --network slow
    process=$(pid_of one)
    kill -9 "$(cat "$dir/pid")"
    kill -9 "$process"
    start_again
    wait_until says_nothing leases
    davit start one
    [ "$(leases)" = "$(lease_of one IPAddress)" ]
    mac=$(lease_of one MacAddress)
    # While it goes on running.
    kill -9 "$(cat "$dir/pid")"
    start_again
    [ "$(lease_of one MacAddress) $(lease_of one Gateway)" = "$mac 10.66.0.1" ]
    [ -n "$(leases)" ]
    davit rm --force one
    wait_until says_nothing leases
    # While the plugins are at work.
    touch "$dir/held"
    rm -f "$dir/calls"
    davit run --detach --name two --network slow busybox sleep 1000 &
    wait_until grep -q "slow ADD" "$dir/calls"
    kill -9 "$(cat "$dir/pid")"
    start_again
    rm "$dir/held"
    wait_until says_nothing leases
}

@test "a restart waits until what was there is taken back" {
    plugin held 'while [ "$CNI_COMMAND" = DEL ] && [ -e "'"$dir"'/held" ]; do sleep 0.02; done; '"$passes_on"
    conflist held '{"type": "held"}'
    for round in 1 2 3; do
        rm -f "$dir/calls"
        idle one --network held
        touch "$dir/held"
        davit restart --time 0 one &
        restart=$!
        wait_until grep -q "held DEL" "$dir/calls"
        [ "$(grep -c ADD "$dir/calls")" = 1 ]
        rm "$dir/held"
        wait $restart
        [ "$(cut -d ' ' -f 2 "$dir/calls" | xargs)" = "ADD DEL ADD" ]
        [ "$(leases)" = "$(lease_of one IPAddress)" ]
        davit rm --force one
        wait_until says_nothing leases
    done
}

@test "what was asked for first is done first, however late its process begins" {
    plugin notes "$passes_on"
    conflist noted '{"type": "notes"}'
    idle one --network noted
    rm "$dir/libexec/davit-cni"
    # A removal begins when the start behind it has been done, or waits for it.
    printf '#!/bin/sh\nif grep -q isRemoval /proc/self/fd/0; then until [ "$(grep -c ADD %s/calls)" = 2 ] || grep -q -- "->" /proc/locks; do sleep 0.02; done; fi\nexec %s/davit-cni\n' \
        "$dir" "$build" > "$dir/libexec/davit-cni"
    chmod +x "$dir/libexec/davit-cni"
    davit restart --time 0 one
    ln -sf "$build/davit-cni" "$dir/libexec/davit-cni"
    [ "$(cut -d ' ' -f 2 "$dir/calls" | xargs)" = "ADD DEL ADD" ]
    [ "$(leases)" = "$(lease_of one IPAddress)" ]
}

@test "mistakes are refused before anything is made" {
    echo '{"name": "x", "plugins": []}' > "$dir/x.conflist"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" xx
    contains "$output" 'cniVersion: "" is not supported'
    echo '{"cniVersion": "0.2.0", "name": "x", "plugins": []}' > "$dir/x.conflist"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" xx
    contains "$output" 'cniVersion: "0.2.0" is not supported'
    echo '{"cniVersion": "1.0.0", "name": "x", "plugins": []}' > "$dir/x.conflist"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" xx
    contains "$output" "a list of one or more"
    echo '{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "../../bin/sh"}]}' > "$dir/x.conflist"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" xx
    contains "$output" "plugins[0].type"
    echo '{"cniVersion": "1.0.0", "name": "x", "type": "bridge"}' > "$dir/x.conflist"
    chmod o+w "$dir/x.conflist"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" xx
    contains "$output" "others than root can write to it"
    chmod o-w "$dir/x.conflist"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" --subnet 10.1.0.0/16 xx
    contains "$output" "is what its configuration list says"
    run davit network create --driver cni --opt conflist="$dir/x.conflist" --opt parent=eth0 xx
    contains "$output" "Options.parent"
    run davit network create --driver cni nowhere
    contains "$output" 'no network "nowhere" in /etc/cni/net.d'
    davit network create --driver cni --opt conflist="$dir/x.conflist" xx
    for options in "--egress none" "--network-send-bps 1m" "--ip6 fd00::1"; do
        run davit create --network xx $options busybox true
        [ "$status" -ne 0 ]
        contains "$output" "xx"
    done
}
