# Networks under attack: what a container, a neighbour or a firewall of the host that is loaded anew does to them.

load ../common
load ../hosts

tables() { at_host nft list tables; }
written() { tables | grep -q "table inet davit$"; }

@test "nobody else takes rules away: isolation, ports and what egress rules refuse, with davitd and without" {
    davit network create apart >/dev/null
    web open --publish 8081:80
    idle other --network apart
    davit run --detach --name limited --egress none busybox sleep 1000
    nsenter --net="/run/netns/$neighbour" socat TCP-LISTEN:81,fork,reuseaddr SYSTEM:'echo outside' 3>&- &
    echo $! > "$dir/server"
    wait_until at_host sh -c 'echo | timeout 2 socat - TCP:192.0.2.2:81 | grep -q outside'
    open=$(address_of open)
    inside() { nsenter --net="/proc/$1/ns/net" timeout "$2" curl -s "http://$3/"; }
    processes="$(pid_of open) $(pid_of other) $(pid_of limited)"
    hold() { # What holds also without davitd.
        set -- $processes
        [ "$(at_neighbour curl -s --max-time 30 http://192.0.2.1:8081/)" = open ]
        refute inside "$2" 2 "$open"
        refute inside "$3" 2 192.0.2.2:81
        contains "$(nsenter --net="/proc/$1/ns/net" timeout 30 socat - TCP:192.0.2.2:81 < /dev/null)" outside
    }
    attack() {
        at_host nft flush ruleset
        refute at_host nft delete table inet davit
        refute at_host nft flush chain inet davit forward
        refute at_host nft add rule inet davit guard accept
        refute at_host nft delete table bridge davit
        refute at_host nft delete table inet davit_egress
    }
    hold
    attack
    hold
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    attack
    hold
    # The next davitd changes what the first has made, although who keeps it is stopped.
    monitors="$(awk '{print $4}' "/proc/$(set -- $processes; echo $1)/stat")"
    kill -STOP $monitors
    start_davitd
    kill -CONT $monitors
    hold
    attack
    web second --publish 8082:80
    [ "$(at_neighbour curl -s --max-time 30 http://192.0.2.1:8082/)" = second ]
    davit egress --allow 192.0.2.2 limited
    contains "$(davit exec limited nc -w 30 192.0.2.2 81 < /dev/null)" outside
    davit egress --none limited
    hold
    davit rm --force second >/dev/null
    # It is these rules that hold: without them the attacks are some.
    take_down "$(cat "$dir/pid")" delete inet davit_egress
    take_down "$(cat "$dir/pid")" delete inet davit
    set -- $processes
    [ "$(inside "$2" 30 "$open")" = open ]
    refute at_neighbour curl -s --max-time 2 http://192.0.2.1:8081/
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    start_davitd
    wait_until at_neighbour curl -s -o "$dir/null" --max-time 2 http://192.0.2.1:8081/
    hold
    davit rm --force open other limited
    davit network rm apart
}

@test "rules need no program: what nft is, and whether it works, does not matter" {
    mkdir -p "$dir/broken"
    printf '#!/bin/sh\nexit 1\n' > "$dir/broken/nft"
    chmod +x "$dir/broken/nft"
    stop_davitd
    nsenter --net="/run/netns/$host" unshare --mount --propagation private "$davitd" --root "$dir/root" --run "$dir/run" 3>&- >>"$dir/log" 2>&1 &
    echo $! > "$dir/pid"
    wait_until davit version
    nft=$(readlink -f "$(command -v nft)")
    nsenter --mount="/proc/$(cat "$dir/pid")/ns/mnt" mount --bind "$dir/broken/nft" "$nft"
    web open --publish 8083:80
    [ "$(at_neighbour curl -s --max-time 30 http://192.0.2.1:8083/)" = open ]
    davit rm --force open
    stop_davitd
    start_davitd
}

@test "a port published on the host's loopback is nobody else's" {
    web private --publish 127.0.0.1:8084:80
    [ "$(at_host curl -s --max-time 30 http://127.0.0.1:8084/)" = private ]
    # The neighbour sends what is for 127.0.0.1 to the host.
    at_neighbour ip link set lo down
    at_neighbour ip route add 127.0.0.1/32 via 192.0.2.1 dev eth0 table 7
    at_neighbour ip rule add pref 0 to 127.0.0.1 lookup 7
    at_neighbour ip addr flush dev lo
    at_neighbour sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1
    at_neighbour ip rule del pref 0 lookup local
    at_neighbour ip rule add pref 1 lookup local
    at_host nft 'table inet seen { chain in { type filter hook prerouting priority -400; iifname "uplink" ip daddr 127.0.0.1 counter; }; }'
    run at_neighbour curl -s --max-time 3 --interface eth0 http://127.0.0.1:8084/
    # The attack was tried: it came to the host.
    at_host nft list table inet seen
    [ "$(at_host nft -j list table inet seen | jq '[.. | .counter? // empty | .packets] | add')" -gt 0 ]
    [ "$status" -ne 0 ]
    [ "$output" != private ]
    # It is the guard that keeps it out.
    take_down "$(cat "$dir/pid")" flush inet davit guard
    [ "$(at_neighbour curl -s --max-time 30 --interface eth0 http://127.0.0.1:8084/)" = private ]
    at_host nft delete table inet seen
    for undo in "rule del pref 0" "rule del pref 1"; do at_neighbour ip $undo || true; done
    at_neighbour ip rule add pref 0 lookup local
    at_neighbour ip route flush table 7
    at_neighbour ip link set lo up
}

@test "a network whose file cannot be read is closed, and not open to others" {
    davit network create lost >/dev/null
    davit network create others >/dev/null
    web hidden --network lost
    idle other --network others
    address=$(address_of hidden)
    refute davit exec other wget -qO- -T 2 "http://$address/"
    id=$(davit network inspect lost | jq -r '.[0].Id')
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    cp "$dir/root/networks/$id.json" "$dir/network.json"
    : > "$dir/root/networks/$id.json"
    start_davitd
    wait_until written
    # What is there reaches itself; nobody else reaches it.
    davit exec hidden wget -qO- http://127.0.0.1/
    refute davit exec other wget -qO- -T 2 "http://$address/"
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    cp "$dir/network.json" "$dir/root/networks/$id.json"
    start_davitd
    davit rm --force hidden other
    davit network rm lost others
}

# A router advertisement, by a program that may do that with a container's usual capabilities.
advertise() { # CONTAINER
    nsenter --net="/proc/$(pid_of "$1")/ns/net" python3 - "$2" <<'END'
import socket, struct, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind((sys.argv[1], 0))
mac = raw.getsockname()[4]
source = bytes([0xfe, 0x80] + [0] * 6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
target = bytes.fromhex("ff020000000000000000000000000001")
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 1800, 0, bytes.fromhex("20010db8000000660000000000000000"))
icmp = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + bytes([1, 1]) + mac + prefix
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
sum_ = checksum(source + target + struct.pack("!II", len(icmp), 58) + icmp)
icmp = icmp[:2] + struct.pack("!H", sum_) + icmp[4:]
packet = struct.pack("!IHBB", 0x60000000, len(icmp), 58, 255) + source + target + icmp
raw.send(bytes.fromhex("333300000001") + mac + b"\x86\xdd" + packet)
END
}

@test "the host takes no routes and addresses from containers" {
    default=$(at_host cat /proc/sys/net/ipv6/conf/default/accept_ra)
    davit network create --ipv6 six >/dev/null
    idle four
    idle both --network six
    bridge=dv-$(davit network inspect six | jq -r '.[0].Id[:12]')
    [ "$(at_host cat /proc/sys/net/ipv6/conf/default/accept_ra)" = "$default" ]
    for device in davit0 "$bridge"; do [ "$(at_host cat "/proc/sys/net/ipv6/conf/$device/accept_ra")" = 0 ]; done
    # The host's own device goes on listening: it forwards now.
    [ "$(at_host cat /proc/sys/net/ipv6/conf/uplink/accept_ra)" = 2 ]
    at_host nft 'table bridge seen { chain sent { type filter hook prerouting priority -400; icmpv6 type nd-router-advert counter; }
        chain heard { type filter hook input priority 0; icmpv6 type nd-router-advert counter; }; }'
    seen() { at_host nft -j list chain bridge seen "$1" | jq '[.. | .counter? // empty | .packets] | add'; }
    sent() { [ "$(seen sent)" -gt "$1" ]; }
    heard() { [ "$(seen heard)" -gt "$1" ]; }
    for one in four both; do
        before=$(seen sent)
        advertise "$one" eth0
        wait_until sent "$before"
    done
    # No router is heard of.
    [ "$(seen heard)" = 0 ]
    # Without that wall there is a second one.
    take_down "$(cat "$dir/pid")" delete bridge davit
    for one in four both; do
        before=$(seen heard)
        advertise "$one" eth0
        wait_until heard "$before"
    done
    says_nothing at_host ip -6 route show default
    says_nothing at_host ip -6 addr show to 2001:db8:0:66::/64
    # Without a wall and with the device listening it would have: the attack is one.
    take_down "$(cat "$dir/pid")" delete inet davit
    at_host sh -c "echo 2 > /proc/sys/net/ipv6/conf/$bridge/accept_ra; echo 1 > /proc/sys/net/ipv6/conf/$bridge/autoconf"
    advertise both eth0
    wait_until sh -c "nsenter --net=/run/netns/$host ip -6 route show default | grep -q $bridge"
    at_host nft delete table bridge seen
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    start_davitd
    davit rm --force four both
    davit network rm six
}

@test "a namespace that somebody is still in keeps its address and its rules" {
    nsenter --net="/run/netns/$neighbour" socat TCP-LISTEN:82,fork,reuseaddr SYSTEM:'echo outside' 3>&- &
    echo $! > "$dir/server"
    wait_until at_host sh -c 'echo | timeout 2 socat - TCP:192.0.2.2:82 | grep -q outside'
    reaches() { davit exec "$1" sh -c 'nc -w 2 192.0.2.2 82 < /dev/null || [ $? -eq 1 ]'; }
    idle free
    wait_until sh -c "'$build/davit' exec free nc -w 2 192.0.2.2 82 < /dev/null | grep -q outside"
    idle owner --egress none
    address=$(address_of owner)
    # One that has been in there, too, and is known to davitd before the one that runs.
    davit run --name former --network container:owner busybox true
    idle joiner --network container:owner
    says_nothing reaches joiner
    davit kill owner
    davit wait owner
    # The device is there yet, and so are its rules.
    contains "$(davit exec joiner ip -4 addr show eth0)" "$address"
    says_nothing reaches joiner
    # Nobody else gets the address, also after davitd has come again.
    for i in 1 2; do
        idle "next$i"
        [ "$(address_of "next$i")" != "$address" ]
        kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
        start_davitd
        says_nothing reaches joiner
    done
    # When the last has gone it is free again, as soon as its connections have ended.
    davit kill joiner
    davit wait joiner
    idle next3
    has_it() { [ "$(address_of next3)" = "$address" ] || { davit restart --time 0 next3; false; }; }
    wait_until has_it
    davit rm --force next3
    # Who starts anew has a new namespace: who is in the old one has no network any more.
    davit start owner
    davit start joiner
    says_nothing reaches joiner
    davit kill owner
    davit wait owner
    davit start owner
    refute davit exec joiner ip addr show eth0
    says_nothing reaches joiner
    says_nothing reaches owner
    contains "$(davit exec owner ip -4 addr show eth0)" "$(address_of owner)"
    # And so if it is removed.
    davit kill joiner; davit wait joiner; davit start joiner
    davit rm --force owner
    refute davit exec joiner ip addr show eth0
    says_nothing reaches joiner
}

# Frames of several kinds to a MAC that nobody has, so that a bridge passes them on to all, by a program that may do that with a
# container's usual capabilities: in its own name, or in another's.
forge() { # CONTAINER OTHERS-ADDRESS KIND...
    nsenter --net="/proc/$(pid_of "$1")/ns/net" python3 - "$(address_of "$1")" "${@:2}" <<'END'
import socket, struct, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
mac, nobody, stranger = raw.getsockname()[4], bytes.fromhex("02000000beef"), bytes.fromhex("020000001234")
own, other = socket.inet_aton(sys.argv[1]), socket.inet_aton(sys.argv[2])
def arp(ether, sender, address):
    return nobody + ether + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + sender + address + nobody + own
def ip(ether, source, port=9):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, source, bytes([192, 0, 2, 200]))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return nobody + ether + b"\x08\x00" + head + struct.pack("!HHHH", port, 9, 8, 0)
def neighbour():
    source = bytes.fromhex("fe80") + bytes(13) + b"\x09"
    icmp = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + source + b"\x02\x01" + mac
    return nobody + mac + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(icmp), 58, 255) + source + bytes.fromhex("ff02") + bytes(13) + b"\x01" + icmp
frames = {
    "own": ip(mac, own), "own-arp": arp(mac, mac, own),
    "arp": arp(mac, mac, other), "arp-sender": arp(mac, stranger, own), "arp-mac": arp(stranger, stranger, own),
    "ip": ip(mac, other), "mac": ip(stranger, own), "dhcp": ip(mac, own, 67), "neighbour": neighbour(),
    "vlan": nobody + mac + b"\x81\x00\x00\x05" + ip(mac, own)[12:], "other": nobody + mac + b"\x88\xb5" + bytes(46),
}
for kind in sys.argv[3:]:
    raw.send(frames[kind])
END
}

@test "a container is heard in its own name alone: ARP, IP, MAC, neighbours, DHCP, VLANs" {
    spoofs="arp arp-sender arp-mac ip mac dhcp neighbour vlan other"
    idle victim
    idle mallory
    at_host nft 'table bridge seen { chain sent { type filter hook prerouting priority -400; ether daddr 02:00:00:00:be:ef counter; }
        chain heard { type filter hook forward priority 0; ether daddr 02:00:00:00:be:ef counter; }; }'
    count() { at_host nft -j list chain bridge seen "$1" | jq '[.. | .counter? // empty | .packets] | add'; }
    is_at() { [ "$(count "$1")" -ge "$2" ]; }
    per_frame() { forge mallory "$(address_of victim)" own; wait_until is_at heard 1; count heard; }
    each=$(per_frame)
    # What is sent in another's name was sent, and nobody hears it; what comes last is in its own.
    forge mallory "$(address_of victim)" $spoofs own-arp
    wait_until is_at sent 11
    wait_until is_at heard $((2 * each))
    [ "$(count heard)" = $((2 * each)) ]
    # Without the wall all of it is.
    take_down "$(cat "$dir/pid")" delete bridge davit
    for kind in $spoofs; do
        before=$(count heard)
        forge mallory "$(address_of victim)" "$kind"
        echo "$kind"
        wait_until is_at heard $((before + each))
    done
    at_host nft delete table bridge seen
    kill -9 "$(cat "$dir/pid")"; wait "$(cat "$dir/pid")" 2>/dev/null || true
    start_davitd
    davit rm --force victim mallory
}

@test "no program runs whose rules could not be written, also from namespaces that were made ahead" {
    idle open
    # Another's table of that name, which nobody but its owner may change.
    mkfifo "$dir/words"
    nsenter --net="/run/netns/$host" nft -i < "$dir/words" 3>&- > "$dir/null" 2>&1 &
    echo $! > "$dir/server"
    exec 6> "$dir/words"
    echo 'add table inet davit_egress { flags owner; }' >&6
    wait_until sh -c "nsenter --net=/run/netns/$host nft list tables | grep -q davit_egress"
    for i in 1 2 3; do
        refute davit run --name "closed$i" --egress none busybox sh -c 'echo it runs'
        says_nothing davit logs "closed$i"
        davit rm "closed$i"
    done
    exec 6>&-
    stop_server
    rm "$dir/words"
    [ "$(davit run --rm --egress none busybox echo it runs)" = "it runs" ]
    davit rm --force open
}

@test "frames for the bridge itself (01:80:c2:00:00:0X) are no way past its rules" {
    frame() { as_root_of sly "$BATS_TEST_DIRNAME/frames.py" "$@"; }
    idle sly
    gateway=$(at_host ip -json link show davit0 | jq -r '.[0].address')
    at_host sh -c 'socat -u UDP4-RECV:5555 OPEN:"$0",creat,append' "$dir/heard-here" 3>&- &
    echo $! > "$dir/server"
    wait_until at_host sh -c 'ss -Hlun sport = 5555 | grep -q .'
    at_host sh -c 'for one in all default dve; do for i in /proc/sys/net/ipv6/conf/$one*/accept_ra; do echo 1 > $i; done; done; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding'
    attack() {
        for last in 00 02 03 0e 0f; do
            for source in "$(address_of sly)" 192.0.2.77; do frame datagram "01:80:c2:00:00:$last" "$source" 172.17.0.1; done
            frame advertise "01:80:c2:00:00:$last" fe80::bad ff02::1
        done
        frame datagram "$gateway" 192.0.2.77 172.17.0.1
    }
    at_host conntrack --flush
    attack
    [ ! -s "$dir/heard-here" ]
    says_nothing at_host ip -6 route show default
    says_nothing at_host conntrack --dump --proto udp --orig-port-dst 5555
    # It is this rule that holds.
    take_down "$(cat "$dir/pid")" flush inet davit guard
    attack
    wait_until test -s "$dir/heard-here"
    contains "$(at_host ip -6 route show default)" "via fe80::bad"
    at_host sh -c 'ip -6 route flush root default; true'
}
