# davitd in a network namespace that stands for the host, beside another that stands for a neighbour at 192.0.2.2; the
# machine's own network is left alone. Loaded after common.

unset DAVIT_DEFAULT_NETWORK

setup_file() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock"
    export host="davit-host-$$" neighbour="davit-neighbour-$$"
    ip netns add "$host"
    ip netns add "$neighbour"
    ip -n "$host" link set lo up
    ip -n "$neighbour" link set lo up
    ip -n "$host" link add uplink type veth peer name eth0 netns "$neighbour"
    ip -n "$host" addr add 192.0.2.1/24 dev uplink
    ip -n "$host" link set uplink up
    ip -n "$neighbour" addr add 192.0.2.2/24 dev eth0
    ip -n "$neighbour" link set eth0 up
    # As on hosts without br_netfilter: what a bridge passes on itself no firewall sees.
    at_host sh -c '[ ! -e /proc/sys/net/bridge ] || echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables'
    start_davitd
    davit load --input "$shared/busybox.tar"
}
teardown_file() {
    teardown_daemon_file
    # Of a davitd that was killed.
    rm -f "/run/davit-networks.$(stat --dereference --format %i "/run/netns/$host").lock"
    ip netns del "$host"
    ip netns del "$neighbour"
}
teardown() {
    local server
    for server in dnsmasq server; do
        [ ! -e "$dir/$server" ] || { end_server "$(cat "$dir/$server")"; rm "$dir/$server"; }
    done
    remove_containers
    davit network prune --force >/dev/null
}

start_davitd() {
    nsenter --net="/run/netns/$host" "$davitd" --root "$dir/root" --run "$dir/run" 3>&- >>"$dir/log" 2>&1 &
    echo $! > "$dir/pid"
    wait_until davit version || { tail -n 5 "$dir/log" >&2; return 1; }
}

at_host() { timeout 240 nsenter --net="/run/netns/$host" "$@"; }
at_neighbour() { timeout 240 nsenter --net="/run/netns/$neighbour" "$@"; }
address_of() { davit inspect "$1" | jq -r '.[0].NetworkSettings.Networks[].IPAddress'; }
# Answers NAME to every HTTP request on port 80.
web() {
    davit run --detach --name "$1" "${@:2}" busybox sh -c "mkdir /w; echo $1 > /w/index.html; exec httpd -f -p 80 -h /w"
    wait_until davit exec "$1" wget -qO- http://127.0.0.1/
}
idle() { davit run --detach --name "$1" "${@:2}" busybox sleep 1000 >/dev/null; }
# That of this test's host: others run at the same time.
resolver() {
    local one
    for one in $(pgrep -x davit-resolver); do
        [ "$(readlink "/proc/$one/ns/net")" != "$(stat -L -c 'net:[%i]' "/run/netns/$host")" ] || echo "$one"
    done
}
# The process beside a container's first one.
monitor_of() { awk '{print $4}' "/proc/$(pid_of "$1")/stat"; }
# Takes one of davit's own walls down: PID (davitd or a monitor) COMMAND...
take_down() { "$top/tests/integration/attacks/walls.py" "$@"; }
# In a container's network namespace, with the host's programs and all rights: what its root could bring along.
as_root_of() { timeout 240 nsenter --net="/proc/$(pid_of "$1")/ns/net" "${@:2}"; }
pid_of() { davit inspect "$1" | jq '.[0].State.Pid'; }
# Servers at the neighbour. Directly a child, not a function: the pid is the server's.
upstream() { # OPTIONS: for names; what was asked stands in $dir/asked
    : > "$dir/asked"
    nsenter --net="/run/netns/$neighbour" dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --user=root --pid-file= \
        --listen-address=192.0.2.2 --bind-interfaces --log-queries --log-facility="$dir/asked" "$@" 3>&- &
    echo $! > "$dir/dnsmasq"
    wait_until at_neighbour dig +time=1 +tries=1 @192.0.2.2 version.bind
}
served() { # BIND ADDRESS: on port 8000; who has asked stands in $dir/seen
    mkdir -p "$dir/served"
    echo neighbour > "$dir/served/index.html"
    nsenter --net="/run/netns/$neighbour" python3 -m http.server --bind "$1" --directory "$dir/served" 8000 > "$dir/seen" 2>&1 3>&- &
    echo $! > "$dir/server"
    wait_until at_neighbour curl -gs "http://$2:8000/"
}
stop_server() { end_server "$(cat "$dir/server")"; rm "$dir/server"; }
# The next one may want the same port. Those that serve a connection whose other side is gone would stay.
end_server() { # PID, of a child
    local serving
    serving=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || true
    kill "$1" $serving || true
    wait "$1" || true
}
