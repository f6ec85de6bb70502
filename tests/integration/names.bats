#!/usr/bin/env bats
# Names: of containers on their networks, of everybody else by servers, whoever dies and whatever is asked.
load common
load hosts

# As a program in the container asks, at port 53.
look_up() { davit exec "$1" nslookup "${@:2}" 2>&1; }
found() { look_up "$1" "$2" | sed -n '/^Name:/,$s/^Address: //p' | sort | xargs; }
# By another client, which does not pass the redirection of port 53.
ask() { timeout 60 nsenter --net="/proc/$(pid_of "$1")/ns/net" dig +time=9 +tries=1 @127.0.0.11 -p 65353 "${@:2}"; }
status_of() { ask "$@" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p'; }
finds() { [ "$(found "$1" "$2")" = "$(address_of "$2")" ]; }

@test "containers find each other by name, alias, host name and id, and the way back" {
    davit network create --subnet 10.77.0.0/24 first
    idle web --network first --network-alias service --hostname box
    idle other --network first --network-alias service
    id=$(davit inspect web | jq -r '.[0].Id[:12]')
    for name in web WEB box "$id" web.first; do [ "$(found other "$name")" = 10.77.0.2 ]; done
    [ "$(found web service)" = "10.77.0.2 10.77.0.3" ]
    [ "$(for i in 1 2; do ask web +short service | head -n 1; done | sort -u | wc -l)" = 2 ]
    contains "$(look_up web 10.77.0.3)" "other.first"
    davit exec other ping -c 1 web
    # A name that is there has no other records, and nobody else is asked for them.
    [ "$(status_of web AAAA other)" = NOERROR ]
    [ "$(status_of web MX other)" = NOERROR ]
    [ "$(ask web +tcp +short other)" = 10.77.0.3 ]
    davit rename other another
    finds web another
    refute eval 'found web other | grep -q .'
    davit stop --time 0 another
    [ "$(found web service)" = 10.77.0.2 ]
    davit start another
    [ "$(found web service)" = "10.77.0.2 10.77.0.3" ]
}

@test "links are names that one container alone has, wherever the other is by now" {
    davit network create --subnet 10.77.0.0/24 first
    idle data --network first
    idle web --network first --link data:database --link data
    idle other --network first
    [ "$(found web database)" = 10.77.0.2 ]
    [ "$(found web DATABASE)" = 10.77.0.2 ]
    [ "$(found web data)" = 10.77.0.2 ]
    refute eval 'found other database | grep -q .'
    davit restart --time 0 data
    [ "$(found web database)" = "$(address_of data)" ]
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    [ "$(found web database)" = "$(address_of data)" ]
    [ "$(davit inspect web --format '{{json .HostConfig.Links}}')" = '["data:database","data:data"]' ]
    # On the network that everybody is on without saying so, and by docker's client on one of one's own.
    idle plain
    idle linked --link plain:there
    [ "$(found linked there)" = "$(address_of plain)" ]
    DOCKER_HOST=$DAVIT_HOST docker run --detach --name dockers --network first --link data:db busybox sleep 1000
    [ "$(found dockers db)" = "$(address_of data)" ]
    davit network connect --link data:store first linked
    [ "$(found linked store)" = "$(address_of data)" ]
    for mode in host container:web; do
        run davit create --network "$mode" --link data:x busybox true
        [ "$status" -eq 1 ]
        contains "$output" "Links"
    done
    davit create --network first --link data:d busybox true
    for link in nobody nobody:x data: 'data:a b' :x; do
        run davit create --network first --link "$link" busybox true
        [ "$status" -eq 1 ]
        contains "$output" Links
    done
}

@test "names of other networks are not known, those of a new one at once" {
    davit network create --subnet 10.77.0.0/24 one
    davit network create --subnet 10.78.0.0/24 two
    idle here --network one
    idle there --network two
    refute eval 'found here there | grep -q .'
    [ "$(status_of here -x 10.78.0.2)" = SERVFAIL ] || [ "$(status_of here -x 10.78.0.2)" = NXDOMAIN ]
    davit network connect --alias late two here
    [ "$(found here there)" = 10.78.0.2 ]
    [ "$(found there late)" = 10.78.0.3 ]
    davit network disconnect two here
    refute eval 'found here there | grep -q .'
    refute eval 'found there late | grep -q .'
    # Who has another's network has its names.
    [ "$(davit run --rm --network container:here busybox nslookup here | grep -c 10.77.0.2)" = 1 ]
}

@test "other names are asked for at the container's servers, one after the other" {
    upstream --address=/known.example/203.0.113.7 --txt-record="long.example,$(printf 'x%.0s' $(seq 255))" \
        $(for i in 1 2 3 4 5 6; do echo "--txt-record=long.example,$(printf "$i%.0s" $(seq 255))"; done)
    davit network create --subnet 10.77.0.0/24 one
    idle asks --network one --dns 192.0.2.2
    [ "$(found asks known.example)" = 203.0.113.7 ]
    [ "$(status_of asks nothing.example)" = REFUSED ]
    [ "$(ask asks +notcp +ignore +noedns TXT long.example | grep -c 'flags:.* tc ')" = 1 ]
    [ "$(ask asks +short TXT long.example | wc -l)" = 7 ]
    # The first is not there, the second says that it is.
    idle patient --network one --dns 192.0.2.99 --dns 192.0.2.2
    [ "$(ask patient +short known.example)" = 203.0.113.7 ]
    [ "$(ask patient +tcp +short known.example)" = 203.0.113.7 ]
    idle lost --network one --dns 192.0.2.99
    [ "$(status_of lost known.example)" = SERVFAIL ]
}

@test "the host's servers are those of now, also for who runs already" {
    upstream --address=/known.example/203.0.113.7
    stop_davitd
    mkdir "$dir/etc"
    cp -a /etc/passwd /etc/group /etc/nsswitch.conf "$dir/etc/"
    echo nameserver 192.0.2.99 > "$dir/etc/resolv.conf"
    nsenter --net="/run/netns/$host" unshare --mount sh -c 'mount --bind "$1/etc" /etc && exec "$2" --root "$1/root" --run "$1/run"' sh "$dir" "$davitd" 3>&- >>"$dir/log" 2>&1 &
    echo $! > "$dir/pid"
    wait_until davit version
    davit network create one
    idle early --network one
    [ "$(status_of early known.example)" = SERVFAIL ]
    echo nameserver 192.0.2.2 > "$dir/etc/new"
    mv "$dir/etc/new" "$dir/etc/resolv.conf"
    wait_until eval '[ "$(found early known.example)" = 203.0.113.7 ]'
    remove_containers
    stop_davitd
    start_davitd
}

@test "who cannot get out asks nobody outside" {
    upstream --address=/known.example/203.0.113.7
    davit network create --internal closed
    idle inner --network closed --dns 192.0.2.2
    [ "$(status_of inner known.example)" = NXDOMAIN ]
    refute grep -q known.example "$dir/asked"
    davit network create open
    davit network connect open inner
    [ "$(found inner known.example)" = 203.0.113.7 ]
}

@test "a container may serve names or anything else at port 53 itself" {
    davit network create one
    idle other --network one
    davit run --detach --name serves --network one busybox sh -c 'echo mine > /index.html; exec httpd -f -p 0.0.0.0:53 -h /'
    wait_until davit exec other wget -qO- http://serves:53/
    finds serves other
}

@test "names outlive davitd, and the resolver itself" {
    davit network create one
    idle web --network one
    idle other --network one
    [ "$(resolver | wc -l)" = 1 ]
    first=$(resolver)
    pid=$(pid_of other)
    kill -9 "$(cat "$dir/pid")"
    nsenter --net="/proc/$pid/ns/net" dig +short +time=5 @127.0.0.11 -p 65353 web | grep -q .
    start_davitd
    [ "$(resolver)" = "$first" ]
    finds other web
    idle third --network one
    finds web third
    kill -9 "$first"
    wait_until finds other third
    wait_until finds third web
    [ "$(resolver)" != "$first" ]
    # What it holds of a container it lets go with that, also while there is no davitd.
    pid=$(pid_of third)
    kill -9 "$(cat "$dir/pid")"
    kill -9 "$pid"
    wait_until eval '[ "$(at_host ip -br link | grep -c ^dve)" = 2 ]'
    start_davitd
    remove_containers
    stop_davitd
    wait_until says_nothing resolver
    [ ! -e "$dir/run/resolver.sock" ]
    start_davitd
}

@test "names are found also when the containers' cgroup was removed and is another" {
    davit network create one
    idle first --network one
    davit rm --force first
    parent=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/davit
    [ -e "$parent" ] || skip "this host's containers have another parent cgroup"
    rmdir "$parent" || skip "other containers run on this host"
    idle second --network one
    finds second second
}

@test "one that floods it keeps nobody else from being answered" {
    davit network create one
    idle quiet --network one --dns 192.0.2.99
    idle loud --network one --dns 192.0.2.99
    timeout 60 nsenter --net="/proc/$(pid_of loud)/ns/net" python3 - > "$dir/flood" 3>&- <<'END' &
import os, socket, time
udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(50)]
tcp = []
for _ in range(40):
    one = socket.create_connection(("127.0.0.11", 65353))
    one.sendall(b"\x00\xffhalf a question")
    tcp.append(one)
def query(number):
    return number.to_bytes(2, "big") + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04" + os.urandom(4) + b"\x00\x00\x01\x00\x01"
deadline = time.monotonic() + 30
print("ready", flush=True)
while time.monotonic() < deadline:
    for i, one in enumerate(udp):
        one.sendto(query(i) if i % 2 else os.urandom(i * 7), ("127.0.0.11", 65353))
END
    loud=$!
    wait_until grep -q ready "$dir/flood"
    for _ in 1 2 3 4 5; do [ "$(ask quiet +short loud)" = "$(address_of loud)" ]; done
    [ "$(ask quiet +tcp +short loud)" = "$(address_of loud)" ]
    kill $loud
    [ "$(resolver | wc -l)" = 1 ]
    finds loud quiet
}

@test "resolv.conf and hosts say what they are told to" {
    run davit run --rm --network bridge --dns 192.0.2.2 --dns-search a.example --dns-search b.example \
        --dns-option timeout:1 --add-host one:192.0.2.7 --add-host host:host-gateway busybox cat /etc/resolv.conf /etc/hosts
    contains "$output" "nameserver 127.0.0.11"
    contains "$output" "search a.example b.example"
    contains "$output" "options timeout:1 ndots:0"
    contains "$output" "192.0.2.7	one"
    contains "$output" "172.17.0.1	host"
    contains "$(davit run --rm --network host --dns 192.0.2.2 --add-host up:192.0.2.8 busybox cat /etc/resolv.conf /etc/hosts)" "nameserver 192.0.2.2"
    contains "$(docker run --rm --network bridge --add-host up:192.0.2.8 --dns 192.0.2.3 busybox cat /etc/hosts)" "192.0.2.8	up"
    [ "$(davit create --name kept --network bridge --dns 192.0.2.2 busybox >/dev/null; davit inspect kept | jq -c '.[0].HostConfig.Dns')" = '["192.0.2.2"]' ]
    refused() { run davit create "${@:2}" busybox; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "invalid IP address" --network bridge --dns 1.2.3
    refused "invalid extra-host" --network bridge --add-host name
    refused "invalid extra-host" --network bridge --add-host name:1.2.3.4.5
    refused "DnsSearch" --network bridge --dns-search "two words"
    refused "not for none" --network none --dns 192.0.2.2
}
