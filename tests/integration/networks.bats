#!/usr/bin/env bats
# Networks: bridges, addresses, published ports, isolation.
load common
load hosts

rules() { at_host nft list table inet davit 2>/dev/null; }
get() { curl -sS --max-time 20 "http://$1/"; }
inside() { davit run --rm "${@:2}" busybox wget -qO- "http://$1/"; }
# With an init: the first process of a container is not ended by SIGTERM.
cannot() { ! davit run --rm --init "${@:2}" busybox timeout 1 wget -qO- "http://$1/" 2>/dev/null; }

@test "containers of a network reach each other by address, and the outside by the host's" {
    davit network create --subnet 10.77.0.0/24 --gateway 10.77.0.9 --ip-range 10.77.0.128/25 first
    web one --network first
    [ "$(address_of one)" = 10.77.0.128 ]
    [ "$(inside 10.77.0.128 --network first)" = one ]
    [ "$(davit run --rm --network first --ip 10.77.0.5 busybox ip -4 -o addr show eth0 | grep -c 10.77.0.5/24)" = 1 ]
    (cd "$dir" && mkdir -p served && echo neighbour > served/index.html)
    nsenter --net="/run/netns/$neighbour" python3 -m http.server --directory "$dir/served" 8000 > "$dir/seen" 2>&1 3>&- &
    server=$!
    wait_until at_neighbour curl -s 127.0.0.1:8000
    [ "$(inside 192.0.2.2:8000 --network first)" = neighbour ]
    end_server $server
    grep -q "^192.0.2.1 " "$dir/seen"
    refute grep -q "^10.77" "$dir/seen"
    [ "$(davit exec one cat /etc/hostname)" = "$(davit exec one hostname)" ]
    davit exec one grep -q "^10.77.0.128	$(davit exec one hostname)" /etc/hosts
}

@test "published ports: from the neighbour, the host, its loopback, other containers and the container itself" {
    web pub --network bridge --publish 8080:80 --publish 127.0.0.1:8081:80
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = pub ]
    for from in 127.0.0.1:8080 127.0.0.1:8081 192.0.2.1:8080; do [ "$(at_host curl -sS --max-time 20 "http://$from/")" = pub ]; done
    refute at_neighbour curl -sS --max-time 1 http://192.0.2.1:8081/
    [ "$(inside 192.0.2.1:8080 --network bridge)" = pub ]
    [ "$(davit exec pub wget -qO- http://192.0.2.1:8080/)" = pub ]
    davit network create other
    [ "$(inside 192.0.2.1:8080 --network other)" = pub ]
    [ "$(davit port pub | sort | tr '\n' ' ')" = "80/tcp -> 0.0.0.0:8080 80/tcp -> 127.0.0.1:8081 " ]
    contains "$(davit ps)" "0.0.0.0:8080->80/tcp"
    [ "$(davit ps --filter network=bridge --filter publish=8080 --format '{{.Names}}')" = pub ]
    says_nothing davit ps --quiet --filter network=other
    says_nothing davit ps --quiet --filter publish=8080/udp
    davit stop --time 0 pub
    refute at_neighbour curl -sS --max-time 1 http://192.0.2.1:8080/
    davit start pub
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
}

@test "ports that are taken are refused, any free one is found, udp works" {
    web pub --network bridge -p 8080:80 -p 80
    port=$(davit port pub | sed -n 's/.*:\([0-9]*\)$/\1/p' | grep -v 8080)
    [ "$(at_host curl -sS --max-time 20 "http://127.0.0.1:$port/")" = pub ]
    run davit run --network bridge -p 8080:80 busybox true
    [ "$status" -eq 125 ]
    contains "$output" "Bind for 0.0.0.0:8080 failed: port is already allocated"
    nsenter --net="/run/netns/$host" python3 -m http.server 8090 >/dev/null 2>&1 3>&- &
    server=$!
    wait_until at_host curl -s 127.0.0.1:8090
    run davit run --network bridge -p 8090:80 busybox true
    contains "$output" "port is already allocated"
    end_server $server
    web range --network bridge -p 8080-8082:80
    contains "$(davit port range)" "0.0.0.0:8081"
    davit run --detach --name udp --network bridge -p 5353:53/udp busybox sleep 1000
    nsenter --net="/proc/$(davit inspect udp | jq '.[0].State.Pid')/ns/net" socat UDP4-LISTEN:53,fork EXEC:'echo pong' 3>&- &
    server=$!
    wait_until eval '[ "$(echo ping | at_neighbour socat -T 1 - UDP4:192.0.2.1:5353)" = pong ]'
    end_server $server
    run davit create --network none -p 80:80 busybox
    contains "$output" "has no ports to publish"
}

@test "networks are apart from each other, and nobody comes in from outside" {
    davit network create left
    davit network create right
    davit network create --internal closed
    davit network create --opt com.docker.network.bridge.enable_icc=false lonely
    for name in left right closed lonely; do web "at-$name" --network "$name"; done
    [ "$(inside "$(address_of at-left)" --network left)" = at-left ]
    cannot "$(address_of at-right)" --network left
    cannot "$(address_of at-lonely)" --network lonely
    [ "$(inside "$(address_of at-closed)" --network closed)" = at-closed ]
    refute eval 'davit exec at-closed ip route | grep -q default'
    at_neighbour ip route replace "$(address_of at-left)" via 192.0.2.1
    refute at_neighbour curl -sS --max-time 1 "http://$(address_of at-left)/"
    # Its own loopback services are the host's alone.
    nsenter --net="/run/netns/$host" python3 -m http.server --bind 127.0.0.1 8091 >/dev/null 2>&1 3>&- &
    server=$!
    wait_until at_host curl -s 127.0.0.1:8091
    run davit run --rm --init --network left --privileged --userns host busybox sh -c 'ip route add 127.0.0.2 via $(ip route | sed -n "s/default via \([^ ]*\).*/\1/p") 2>/dev/null; timeout 1 wget -qO- http://127.0.0.2:8091/'
    [ "$status" -ne 0 ]
    end_server $server
}

@test "what davitd knew it knows again: addresses, ports and rules, whatever happened to them" {
    davit network create --subnet 10.74.0.0/24 --label kept=yes kept
    web pub --network kept -p 8080:80
    address=$(address_of pub)
    monitor=$(monitor_of pub)
    kill -9 "$(cat "$dir/pid")"
    take_down "$monitor" delete inet davit
    take_down "$monitor" delete bridge davit
    start_davitd
    [ "$(address_of pub)" = "$address" ]
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
    davit run --detach --name second --network kept busybox sleep 1000
    [ "$(address_of second)" != "$address" ]
    [ "$(davit network ls --quiet --filter label=kept=yes | wc -l)" = 1 ]
    run davit network rm kept
    contains "$output" "has active endpoints"
    rules | grep -q 10.74.0
    davit rm --force pub second
    davit network rm kept
    wait_until eval '! rules | grep -q "10.74.0\|8080"'
    wait_until eval '! at_host ip -br link | grep -qE "^(dv-|dve)"'
}

@test "a bridge that was left half made is made whole" {
    id=$(davit network create half)
    at_host ip link add "dv-${id:0:12}" type bridge
    web whole --network half -p 8080:80
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = whole ]
    at_host ip link del "dv-${id:0:12}"
    davit restart --time 0 whole
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
}

@test "one davitd has networks on a host, others have none" {
    web first
    nsenter --net="/run/netns/$host" "$davitd" --root "$dir/root2" --run "$dir/run2" 3>&- >>"$dir/log" 2>&1 &
    local other=$!
    export DAVIT_HOST="unix://$dir/run2/davit.sock"
    wait_until davit version
    davit load --input "$shared/busybox.tar"
    run davit run --rm busybox true
    [ "$status" -ne 0 ]
    contains "$output" "another davitd has networks on this host"
    davit run --rm --network none busybox true
    kill $other
    wait $other || true
    export DAVIT_HOST="unix://$dir/run/davit.sock"
    rules | grep -q davit0
    [ "$(inside "$(address_of first)")" = first ]
}

@test "mistakes are refused before anything is made" {
    refused() { run davit network create "${@:2}"; [ "$status" -eq 1 ]; contains "$output" "$1"; }
    davit network create --subnet 10.50.0.0/16 taken
    refused "already exists" taken
    refused "Pool overlaps" --subnet 10.50.7.0/24 overlaps
    refused "not a subnet" --subnet 10.60.0.0/31 small
    refused "not an address of subnet" --subnet 10.61.0.0/24 --gateway 10.62.0.1 outside
    refused "not a part of subnet" --subnet 10.61.0.0/24 --ip-range 10.62.0.0/25 range
    refused "is not supported" --driver overlay driver
    refused "predefined" host
    refused "not supported" --opt unknown=1 option
    run davit network rm bridge
    contains "$output" "pre-defined"
    run davit create --network nowhere busybox
    contains "$output" "network nowhere not found"
    create() { curl -s --unix-socket "$dir/run/davit.sock" -H 'Content-Type: application/json' -d "$2" "http://d/containers/create?name=$1"; }
    id=$(davit network inspect taken | jq -r '.[0].Id')
    contains "$(create twice '{"Image":"busybox","HostConfig":{"NetworkMode":"taken"},"NetworkingConfig":{"EndpointsConfig":{"taken":{},"'$id'":{}}}}')" "network taken is there twice"
    create once '{"Image":"busybox","HostConfig":{"NetworkMode":"'$id'"},"NetworkingConfig":{"EndpointsConfig":{"taken":{"IPAMConfig":{"IPv4Address":"10.50.0.9"}}}}}'
    [ "$(davit inspect once | jq -c '.[0] | [.HostConfig.NetworkMode, (.NetworkSettings.Networks | keys)]')" = '["taken",["taken"]]' ]
    run davit create --network taken --ip 10.51.0.1 busybox
    contains "$output" "not an address for containers"
    run davit run --rm --network taken --ip 10.50.0.1 busybox true
    contains "$output" "not an address for containers"
    davit run --detach --network taken --ip 10.50.0.7 busybox sleep 1000
    run davit run --rm --network taken --ip 10.50.0.7 busybox true
    contains "$output" "Address 10.50.0.7 is already in use"
    for wrong in 0:80 80:99999 80:80/icmp x:80; do run davit create --network taken -p $wrong busybox; [ "$status" -ne 0 ]; done
}

@test "addresses that are reserved go to nobody, also not to who asks" {
    davit network create --subnet 10.77.0.0/29 --aux-address router=10.77.0.2 --aux-address printer=10.77.0.4 spared
    for name in one two; do davit run --detach --name "$name" --network spared busybox sleep 1000; done
    [ "$(for name in one two; do davit inspect --format '{{.NetworkSettings.Networks.spared.IPAddress}}' "$name"; done | xargs)" = "10.77.0.3 10.77.0.5" ]
    run davit run --rm --network spared --ip 10.77.0.4 busybox true
    [ "$status" -ne 0 ]
    contains "$output" "already in use"
    [ "$(davit network inspect spared | jq -c '.[0].IPAM.Config[0].AuxiliaryAddresses')" = '{"router":"10.77.0.2","printer":"10.77.0.4"}' ]
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    davit run --detach --name three --network spared busybox sleep 1000
    [ "$(davit inspect --format '{{.NetworkSettings.Networks.spared.IPAddress}}' three)" = 10.77.0.6 ]
    run davit run --rm --network spared busybox true
    [ "$status" -ne 0 ]
    contains "$output" "no available IPv4 addresses"
    for option in router=10.78.0.2 router=x router= =10.77.0.9 router; do
        run davit network create --subnet 10.77.1.0/24 --aux-address "$option" wrong
        [ "$status" -eq 1 ]
    done
    remove_containers
    davit network rm spared
    DOCKER_HOST=$DAVIT_HOST docker network create --subnet 10.77.0.0/24 --aux-address a=10.77.0.2 spared
    davit run --detach --name one --network spared busybox sleep 1000
    [ "$(davit inspect --format '{{.NetworkSettings.Networks.spared.IPAddress}}' one)" = 10.77.0.3 ]
}

@test "docker's client makes networks, attaches and publishes" {
    docker network create --label a=b theirs
    docker run --detach --name web --network theirs -p 8080:80 busybox sh -c 'echo theirs > /index.html; httpd -f -p 80 -h /'
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
    [ "$(docker port web)" = "80/tcp -> 0.0.0.0:8080" ]
    [ "$(docker network inspect theirs --format '{{range .Containers}}{{.Name}}{{end}}')" = web ]
    contains "$(docker network ls --filter label=a=b)" theirs
    contains "$(docker ps)" "0.0.0.0:8080->80/tcp"
    docker rm --force web
    docker network rm theirs
}

@test "several networks, connected and left while a container runs and while it does not" {
    docker network create --subnet 10.81.0.0/24 one
    docker network create --subnet 10.82.0.0/24 two
    docker network create --internal --subnet 10.83.0.0/24 inner
    web both --network one -p 8080:80
    docker network connect --ip 10.82.0.7 --alias second two both
    docker network connect inner both
    [ "$(davit inspect both | jq -c '.[0].NetworkSettings.Networks | map_values(.IPAddress)')" = '{"one":"10.81.0.2","two":"10.82.0.7","inner":"10.83.0.2"}' ]
    [ "$(davit inspect both | jq -r '.[0].NetworkSettings.Networks.two.Aliases[0]')" = second ]
    for network in one two inner; do [ "$(inside "$(davit inspect both | jq -r ".[0].NetworkSettings.Networks.$network.IPAddress")" --network $network)" = both ]; done
    [ "$(davit exec both ip route | grep -c default)" = 1 ]
    run docker network connect two both
    contains "$output" "already exists in network two"
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    davit network disconnect two both
    [ "$(davit exec both ip link | grep -c ': eth')" = 2 ]
    cannot 10.82.0.7 --network two
    davit network connect --alias third two both
    davit exec both ip link | grep -q ': eth1@'
    davit restart --time 0 both
    wait_until davit exec both wget -qO- http://127.0.0.1/
    [ "$(davit inspect both | jq -c '.[0].NetworkSettings.Networks | keys')" = '["inner","one","two"]' ]
    [ "$(davit exec both ip link | grep -c ': eth')" = 3 ]
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
    davit run --detach --name alone --network none busybox sleep 1000
    run docker network connect --ip 10.81.0.2 one alone
    contains "$output" "Address 10.81.0.2 is already in use"
    [ "$(davit inspect alone | jq -c '.[0] | [.HostConfig.NetworkMode, (.NetworkSettings.Networks | keys)]')" = '["none",["none"]]' ]
    docker network connect one alone
    [ "$(davit exec alone wget -qO- "http://10.81.0.2/")" = both ]
    davit run --detach --name shares --network container:alone busybox sleep 1000
    run docker network connect one shares
    contains "$output" "shares a network namespace"
    run docker network disconnect two alone
    contains "$output" "is not connected"
}

@test "a connection that fails half way leaves nothing; one that is left half way takes nothing else along" {
    davit network create --subnet 10.84.0.0/24 one
    davit network create --subnet 10.85.0.0/24 two
    davit network create --subnet 10.86.0.0/24 three
    davit network create --ipv6 --subnet 10.87.0.0/24 --subnet fd00:87::/64 six
    # Its kernel refuses the IPv6 address when the device is there already.
    idle none --network one --sysctl net.ipv6.conf.default.disable_ipv6=1
    bridge=dv-$(davit network inspect six | jq -r '.[0].Id[0:12]')
    run davit network connect six none
    [ "$status" -ne 0 ]
    [ "$(davit exec none ip link | grep -c ': eth')" = 1 ]
    at_host ip link show "$bridge"
    says_nothing at_host ip link show master "$bridge"
    [ "$(davit inspect none | jq -c '.[0].NetworkSettings.Networks | keys')" = '["one"]' ]
    davit network connect two none
    davit network connect three none
    [ "$(davit exec none ip -4 -o addr show | awk '/ eth/ { print $4 }' | tr '\n' ' ')" = "10.84.0.2/24 10.85.0.2/24 10.86.0.2/24 " ]
    # As if davitd had died after it saved the endpoints that are left, and before it saved their addresses.
    state="$dir/run/containers/$(davit inspect --format '{{.Id}}' none)/state.json"
    cp "$state" "$dir/before"
    davit network disconnect two none
    kill -9 "$(cat "$dir/pid")"
    cp "$dir/before" "$state"
    start_davitd
    [ "$(davit inspect none | jq -c '.[0].NetworkSettings.Networks | map_values(.IPAddress)')" = '{"one":"10.84.0.2","three":"10.86.0.2"}' ]
    davit network disconnect three none
    [ "$(davit exec none ip -4 -o addr show | grep -c ' eth')" = 1 ]
}

@test "what cannot be saved is not changed, and what was left half saved is whole at the next start" {
    davit network create --subnet 10.88.0.0/24 one
    davit network create --subnet 10.89.0.0/24 two
    web kept --network one --publish 8080:80
    files="$dir/root/containers/$(davit inspect --format '{{.Id}}' kept)"
    # Where the next revision would go.
    mkdir "$files/definition-1.json"
    for change in "network connect two kept" "network disconnect one kept" "update --memory 0 --restart always kept"; do
        run davit $change
        [ "$status" -ne 0 ]
        contains "$output" "definition-1.json"
        [ "$(davit inspect kept | jq -c '.[0] | [(.NetworkSettings.Networks | map_values(.IPAddress)), .HostConfig.RestartPolicy.Name]')" = '[{"one":"10.88.0.2"},""]' ]
        [ "$(davit exec kept ip link | grep -c ': eth')" = 1 ]
        [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = kept ]
    done
    rmdir "$files/definition-1.json"
    davit network connect two kept
    # All is written then: the ports alone change.
    [ "$(davit run --rm --network one busybox echo written)" = written ]
    davit network disconnect one kept
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = kept ]
    davit stop --time 0 kept
    # As if davitd had died between the bundle and the revision.
    jq -c .hasNetwork "$files/monitor.json" | grep -qx true
    jq -c ".hasNetwork = false" "$files/monitor.json" > "$dir/half"
    cp "$dir/half" "$files/monitor.json"
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    davit start kept
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
}

@test "docker-compose: networks of a project, published ports" {
    mkdir -p "$dir/project"
    cat > "$dir/project/docker-compose.yml" <<'END'
version: "2.4"
services:
  web:
    image: busybox
    command: sh -c 'mkdir /w; echo composed > /w/index.html; exec httpd -f -p 80 -h /w'
    ports: ["8080:80"]
    networks:
      front: {aliases: [www]}
      back: {ipv4_address: 10.98.0.5}
  client:
    image: busybox
    command: sleep 1000
    depends_on: [web]
    networks: [back]
networks:
  front: {}
  back:
    internal: true
    ipam: {config: [{subnet: 10.98.0.0/24}]}
END
    compose() { (cd "$dir/project" && DOCKER_HOST=$DAVIT_HOST timeout 60 docker-compose "$@" 3>&-); }
    compose up --detach
    wait_until at_neighbour curl -sS --max-time 5 http://192.0.2.1:8080/
    [ "$(compose exec -T client wget -qO- http://10.98.0.5/)" = composed ]
    [ "$(compose exec -T client wget -qO- http://web/)" = composed ]
    contains "$(compose up --detach 2>&1)" "up-to-date"
    compose down --timeout 0
    [ "$(davit network ls --quiet --filter type=custom | wc -l)" = 0 ]
}

@test "testcontainers: ports, files, commands and networks of a test's containers" {
    [ -d "$shared/js/node_modules/testcontainers" ] || skip "this host has no npm, or npm has no registry to install testcontainers from"
    DOCKER_HOST=$DAVIT_HOST TESTCONTAINERS_RYUK_DISABLED=true NODE_PATH=$shared/js/node_modules \
        at_host node "$BATS_TEST_DIRNAME/testcontainers.js"
}
