#!/usr/bin/env bats
# Networks of other kinds: IPv6, macvlan, ipvlan, VLANs, network namespaces of somebody else's; and what goes through.
load common
load hosts

# Whether this kernel has such devices.
has_kind() { at_host ip link add name probe "${@:2}" type "$1" 2>/dev/null && at_host ip link del probe; }
lease_of() { davit inspect "$1" | jq -r ".[0].NetworkSettings.Networks[].$2"; }
fetch() { davit exec "$1" wget -qO- "http://$2/"; }

@test "IPv6: addresses, names, the way out, published ports" {
    ip -n "$host" addr add 2001:db8::1/64 dev uplink nodad
    ip -n "$neighbour" addr add 2001:db8::2/64 dev eth0 nodad
    at_host sysctl -qw net.ipv6.conf.uplink.accept_ra=1
    davit network create --ipv6 --subnet fd77::/64 --subnet 10.77.0.0/24 six
    web one --network six -p 8080:80
    [ "$(lease_of one GlobalIPv6Address) $(lease_of one GlobalIPv6PrefixLen) $(lease_of one IPv6Gateway)" = "fd77::2 64 fd77::1" ]
    web two --network six --ip6 fd77::99
    [ "$(fetch one '[fd77::99]')" = two ]
    contains "$(davit exec one nslookup -type=aaaa two)" "fd77::99"
    contains "$(davit exec one nslookup fd77::99)" "two.six"
    davit exec one grep -q "^fd77::2	" /etc/hosts
    served :: '[::1]'
    [ "$(fetch one '[2001:db8::2]:8000')" = neighbour ]
    stop_server
    grep -q "^2001:db8::1 " "$dir/seen"
    [ "$(at_host sysctl -n net.ipv6.conf.uplink.accept_ra)" = 2 ]
    [ "$(at_neighbour curl -gsS --max-time 20 'http://[2001:db8::1]:8080/')" = one ]
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = one ]
    [ "$(fetch two '[2001:db8::1]:8080')" = one ]
    [ "$(fetch one '[2001:db8::1]:8080')" = one ]
    [ "$(davit port one | xargs)" = "80/tcp -> 0.0.0.0:8080 80/tcp -> [::]:8080" ]
    monitor=$(monitor_of one)
    kill -9 "$(cat "$dir/pid")"
    take_down "$monitor" delete inet davit
    start_davitd
    wait_until at_neighbour curl -gsS --max-time 5 'http://[2001:db8::1]:8080/'
    [ "$(lease_of two GlobalIPv6Address)" = fd77::99 ]
    run davit run --rm --network six --ip6 fd77::99 busybox true
    contains "$output" "fd77::99 is already in use"
    run davit create --network six --ip6 fd78::1 busybox
    contains "$output" "not an address for containers"
    [ "$(docker network inspect six --format '{{.EnableIPv6}} {{len .IPAM.Config}}')" = "true 2" ]
    # Only one of the host's addresses, only one family.
    web three --network six -p '[2001:db8::1]:8081:80'
    [ "$(at_neighbour curl -gsS --max-time 20 'http://[2001:db8::1]:8081/')" = three ]
    refute at_neighbour curl -sS --max-time 1 http://192.0.2.1:8081/
    run davit run --network bridge -p '[2001:db8::1]:8082:80' busybox true
    contains "$output" "has IPv6"
    run davit create --network six -p '[::1]:8082:80' busybox
    contains "$output" "ports of [::1] cannot be published"
}

@test "networks with IPv6 are apart as well, and get subnets of their own" {
    davit network create --ipv6 left
    davit network create --ipv6 right
    web here --network left
    web there --network right
    [[ $(lease_of here GlobalIPv6Address) == fd* ]]
    [ "$(davit network inspect left right | jq -r '.[].IPAM.Config[1].Subnet' | sort -u | wc -l)" = 2 ]
    refute davit exec here timeout 1 wget -qO- "http://[$(lease_of there GlobalIPv6Address)]/"
    refute at_neighbour curl -gsS --max-time 1 "http://[$(lease_of there GlobalIPv6Address)]/"
    run davit network create --subnet fd99::/64 four
    contains "$output" "needs EnableIPv6"
    run davit network create --ipv6 --subnet fd99::/127 four
    contains "$output" "not a subnet of IPv6"
}

@test "macvlan: containers are neighbours of the host" {
    davit network create --driver macvlan --opt parent=uplink --subnet 192.0.2.0/24 --gateway 192.0.2.254 --ip-range 192.0.2.64/26 wire
    web wired --network wire
    [ "$(lease_of wired IPAddress)" = 192.0.2.64 ]
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.64/)" = wired ]
    served 192.0.2.2 192.0.2.2
    [ "$(fetch wired 192.0.2.2:8000)" = neighbour ]
    stop_server
    grep -q "^192.0.2.64 " "$dir/seen"
    refute at_host curl -sS --max-time 1 http://192.0.2.64/
    web other --network wire
    [ "$(fetch other wired)" = wired ]
    [ "$(davit network ls --quiet --filter driver=macvlan | wc -l)" = 1 ]
    says_nothing davit network ls --quiet --filter driver=ipvlan
    contains "$(davit events --since 1 --until "$(($(date +%s) + 1))" --filter type=network)" "type=macvlan"
    # What stands of it on disk is what a new davitd needs.
    stop_davitd
    start_davitd
    davit restart --time 0 other
    wait_until davit exec other wget -qO- http://wired/
    run davit run --network wire -p 80:80 busybox true
    contains "$output" "no bridge"
    run davit run --network "$(davit network create --driver macvlan --opt parent=nowhere lost)" busybox true
    contains "$output" "no device nowhere"
    run davit network create --driver macvlan --opt macvlan_mode=odd wrong
    contains "$output" 'macvlan_mode: "odd"'
}

@test "macvlan without a parent: containers see each other alone" {
    has_kind dummy || skip "this kernel has no dummy devices (CONFIG_DUMMY)"
    davit network create --driver macvlan inner
    web first --network inner
    web second --network inner
    [ "$(fetch second first)" = first ]
    refute eval 'davit exec second ip route | grep -q default'
    davit rm --force first second
    davit network rm inner
    refute eval 'at_host ip -br link | grep -q "^dv-"'
}

@test "ipvlan, and VLANs of the host's device" {
    has_kind ipvlan link uplink || skip "this kernel has no ipvlan devices (CONFIG_IPVLAN)"
    davit network create --driver ipvlan --opt parent=uplink --subnet 192.0.2.0/24 --gateway 192.0.2.254 --ip-range 192.0.2.128/26 wire
    web wired --network wire
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.128/)" = wired ]
    davit rm --force wired
    davit network rm wire
    ip -n "$neighbour" link add link eth0 name eth0.50 type vlan id 50
    ip -n "$neighbour" addr add 198.51.100.2/24 dev eth0.50
    ip -n "$neighbour" link set eth0.50 up
    davit network create --driver macvlan --opt parent=uplink.50 --subnet 198.51.100.0/24 tagged
    web tag --network tagged --ip 198.51.100.77
    [ "$(at_neighbour curl -sS --max-time 20 http://198.51.100.77/)" = tag ]
    davit rm --force tag
    davit network rm tagged
    davit network create --driver ipvlan --opt parent=uplink.50 --opt ipvlan_mode=l3 --subnet 198.51.100.0/24 --ip-range 198.51.100.128/25 routed
    web route --network routed
    at_neighbour ip route replace 198.51.100.128/32 via 198.51.100.1 dev eth0.50 onlink
    at_neighbour ip neigh replace 198.51.100.1 lladdr "$(at_host cat /proc/net/vlan/config >/dev/null; at_host ip -j link show uplink.50 | jq -r '.[0].address')" dev eth0.50
    [ "$(at_neighbour curl -sS --max-time 20 http://198.51.100.128/)" = route ]
    ip -n "$neighbour" link del eth0.50
}

@test "what goes through a container's devices is counted" {
    davit network create --subnet 10.77.0.0/24 one
    davit network create --subnet 10.78.0.0/24 --driver macvlan --opt parent=uplink two
    web source --network one
    davit exec source dd if=/dev/zero of=/w/large bs=1000 count=1000
    davit run --detach --name sink --network one busybox sleep 1000
    davit network connect two source
    counter() { davit --help >/dev/null; curl -s --unix-socket "$dir/run/davit.sock" "http://d/containers/$1/stats?stream=false&one-shot=true" | jq ".networks.$2"; }
    [ "$(counter source 'eth1.rx_errors')" = 0 ]
    davit exec sink wget -qO /dev/null http://source/large
    [ "$(counter sink eth0.rx_bytes)" -gt 1000000 ]
    [ "$(counter sink eth0.tx_bytes)" -lt 500000 ]
    [ "$(counter source eth0.tx_bytes)" -gt 1000000 ]
    contains "$(davit stats --no-stream)" "NET I/O"
    contains "$(docker stats --no-stream --format '{{.NetIO}}' source)" "MB"
}

@test "what goes through a container's devices is limited" {
    davit network create --subnet 10.77.0.0/24 one
    web slow --network one --network-send-bps 2m --network-receive-bps 1m
    idle peer --network one
    pid=$(pid_of slow)
    contains "$(timeout 20 nsenter --net="/proc/$pid/ns/net" tc -s qdisc show dev eth0)" "tbf"
    contains "$(timeout 20 nsenter --net="/proc/$pid/ns/net" tc -d -j qdisc show dev eth0 | jq -c '.[0].options.rate')" 2097152
    contains "$(at_host tc -j qdisc show | jq -c '[.[] | select(.kind == "tbf") | .options.rate]')" "[1048576]"
    davit exec slow dd if=/dev/zero of=/w/large bs=1000 count=6000
    # The bucket decides, not the clock: what has not been let through at once has waited.
    davit exec peer wget -qO /dev/null http://slow/large
    [ "$(timeout 20 nsenter --net="/proc/$pid/ns/net" tc -s -j qdisc show dev eth0 | jq '.[0].overlimits')" -gt 0 ]
    [ "$(davit inspect slow | jq -c '.[0].HostConfig.NetworkRate')" = '{"Send":2097152,"Receive":1048576}' ]
    refused() { run davit create "${@:2}" busybox; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "cannot be kept on network none" --network none --network-send-bps 1m
    davit network create --driver macvlan --opt parent=uplink wire
    refused "cannot be kept on network wire" --network wire --network-receive-bps 1m
}

@test "a network namespace of somebody else's" {
    run davit run --rm --network "ns:/run/netns/$neighbour" busybox ip -o addr show eth0
    contains "$output" 192.0.2.2/24
    refused() { run davit run --rm --network "$2" busybox true; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "no network namespace" "ns:/proc/self/ns/pid"
    refused "no network namespace" ns:/etc/passwd
    refused "No such file" ns:/run/netns/none-such
    refused "absolute path" ns:relative
    run davit run --userns auto --network "ns:/run/netns/$neighbour" busybox true
    contains "$output" "one that the host has made"
}
