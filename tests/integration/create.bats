#!/usr/bin/env bats
# What docker's create and run take from files, of networks and of streams; what lists and inspect show of it.
load common
load hosts

restart_daemon() {
    kill -9 "$(cat "$dir/pid")"
    wait_until ! kill -0 "$(cat "$dir/pid")"
    start_davitd
}

@test "variables and labels come from files, line by line" {
    printf '\xef\xbb\xbfA=1\r\n# comment\n\n  B=two words # no comment\nOURS\nNOBODYS\nC="quoted"\nD=\n' > "$dir/env"
    printf 'x=1\n#y=2\nz\n' > "$dir/labels"
    OURS=ours davit run --rm --env-file "$dir/env" --env D=later busybox env > "$dir/seen"
    [ "$(grep -E '^(A|B|C|D|OURS|NOBODYS)=' "$dir/seen" | sort)" = 'A=1
B=two words # no comment
C="quoted"
D=later
OURS=ours' ]
    davit create --name labelled --label-file "$dir/labels" --label z=own busybox true
    [ "$(davit inspect --format '{{json .Config.Labels}}' labelled | jq -c -S .)" = '{"x":"1","z":"own"}' ]
    for line in '=x' 'a b=c'; do
        printf 'good=1\n%s\n' "$line" > "$dir/bad"
        run davit create --env-file "$dir/bad" busybox true
        [ "$status" -ne 0 ]
        contains "$output" "--env-file $dir/bad: line 2: \"$line\" is not NAME[=VALUE]"
    done
    printf 'a=\0b\n' > "$dir/bad"
    run davit create --env-file "$dir/bad" busybox true
    contains "$output" "it has a zero byte"
    run davit create --env-file "$dir/nothing" busybox true
    contains "$output" "$dir/nothing: No such file"
    davit run --detach --name execs busybox sleep 1000
    [ "$(davit exec --env-file "$dir/env" execs sh -c 'echo $A')" = 1 ]
    davit rm --force execs labelled
}

@test "the id goes to a new file, which is no more if there is no container" {
    davit create --name filed --cidfile "$dir/cid" busybox true
    [ "$(cat "$dir/cid")" = "$(davit inspect --format '{{.Id}}' filed)" ]
    run davit create --cidfile "$dir/cid" busybox true
    [ "$status" -ne 0 ]
    contains "$output" "is there already"
    run davit create --name filed --cidfile "$dir/cid2" busybox true
    [ "$status" -ne 0 ]
    [ ! -e "$dir/cid2" ]
    docker create --cidfile "$dir/cid3" busybox true
    [ "$(wc -c < "$dir/cid3")" -ge 64 ]
    davit rm filed "$(cat "$dir/cid3")"
}

@test "streams are connected as --attach says, and signals as --sig-proxy says" {
    [ "$(davit run --rm --attach stdout busybox sh -c 'echo out; echo err >&2' 2>&1)" = out ]
    [ "$(davit run --rm -a STDERR busybox sh -c 'echo out; echo err >&2' 2>&1)" = err ]
    [ "$(echo in | davit run --rm -i -a stdin -a stdout busybox cat)" = in ]
    [ "$(echo in | davit run --rm --init -i -a stdout busybox timeout 1 head -c 1 || true)" = "" ]
    run davit run --detach --attach stdout busybox true
    contains "$output" "--detach does not go with --attach"
    run davit run --rm --attach both busybox true
    contains "$output" '--attach: "both" is not one of stdin, stdout, stderr'
    for proxied in true false; do
        "$build/davit" run --name proxied --sig-proxy=$proxied busybox sh -c 'trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.1; done' > "$dir/out" 3>&- &
        client=$!
        wait_until grep -q ready "$dir/out"
        kill -TERM $client
        status=0
        wait $client || status=$?
        if [ $proxied = true ]; then
            [ "$status" = 3 ]
            grep -q asked "$dir/out"
        else
            [ "$status" = 143 ]
            [ "$(davit inspect --format '{{.State.Running}}' proxied)" = true ]
        fi
        davit rm --force proxied
    done
}

@test "ports of the image stay beside those that are exposed" {
    davit create --name base busybox true
    davit commit --change 'EXPOSE 7000' --change 'VOLUME /image' base exposing:1
    davit create --name more --expose 80-81 --expose 53/udp --volume /own exposing:1 true
    [ "$(davit inspect --format '{{json .Config.ExposedPorts}}' more | jq -c -S keys)" = '["53/udp","7000/tcp","80/tcp","81/tcp"]' ]
    [ "$(davit inspect --format '{{range .Mounts}}{{.Destination}} {{end}}' more | xargs -n 1 | sort | xargs)" = "/image /own" ]
    for port in 0 80-79 x 80/icmp 70000; do
        run davit create --expose $port busybox true
        [ "$status" -ne 0 ]
        contains "$output" "--expose: \"$port\" is not"
    done
    davit rm base more
    davit rmi exposing:1
}

@test "the device's address, on the default network and on several" {
    davit network create --subnet 10.77.0.0/24 one
    davit network create --subnet 10.78.0.0/24 two
    [ "$(davit run --rm --mac-address 02:11:22:33:44:55 --ip 172.17.0.77 --network bridge busybox sh -c 'cat /sys/class/net/eth0/address; ip -4 -o addr show eth0' | grep -cE '^02:11:22:33:44:55$|172.17.0.77/16')" = 2 ]
    # docker's client sends an address without a network as one of "default".
    [ "$(docker run --rm --network bridge --ip 172.17.0.78 busybox ip -4 -o addr show eth0 | grep -c 172.17.0.78)" = 1 ]
    davit run --detach --name several --network name=one,ip=10.77.0.9,alias=first,mac-address=02-00-00-00-00-01 --network name=two,ip=10.78.0.9,gw-priority=5 busybox sleep 1000
    [ "$(davit exec several ip -4 -o addr | grep -cE '10.77.0.9/24|10.78.0.9/24')" = 2 ]
    [ "$(davit exec several cat /sys/class/net/eth0/address)" = 02:00:00:00:00:01 ]
    [ "$(davit inspect --format '{{.NetworkSettings.Networks.one.MacAddress}}' several)" = 02:00:00:00:00:01 ]
    [ "$(davit exec several ip route | grep default)" = "default via 10.78.0.1 dev eth1 " ]
    davit run --rm --network one busybox nslookup first | grep -q 10.77.0.9
    # What is sent from another address is dropped at the bridge: so this one reaches the others.
    davit run --rm --network one busybox ping -c 1 -W 5 10.77.0.9
    run davit run --rm --network one --mac-address 02:00:00:00:00:01 busybox true
    [ "$status" -eq 125 ]
    contains "$output" "another container has it on network one"
    restart_daemon
    [ "$(davit inspect --format '{{.NetworkSettings.Networks.one.MacAddress}}' several)" = 02:00:00:00:00:01 ]
    davit run --rm --network one busybox ping -c 1 -W 5 10.77.0.9
    # The default route follows the priority of a network that it joins and leaves.
    davit network connect --gw-priority 7 bridge several
    contains "$(davit exec several ip route | grep default)" "172.17.0.1"
    davit network disconnect bridge several
    [ "$(davit exec several ip route | grep default)" = "default via 10.78.0.1 dev eth1 " ]
    # Those that davitd gives to others, and the bridge's own, cannot be chosen; so nobody is in the next one's way.
    for mac in 02:42:0a:4d:00:01 02:42:0a:4d:00:02; do
        run davit create --network one --mac-address $mac busybox true
        [ "$status" -ne 0 ]
        contains "$output" "belongs to another address of network one"
    done
    davit run --rm --network one --ip 10.77.0.2 --mac-address 02:42:0a:4d:00:02 busybox true
    # Also without a word about it, each network counts.
    davit run --detach --name plain --network one --network two busybox sleep 1000
    [ "$(davit ps --filter name=plain --format '{{.Networks}}')" = "one,two" ]
    for others in "--network one --network none" "--network host --network one" "--network container:plain --network one" "--network one --network one" "--network one --network nowhere"; do
        # shellcheck disable=SC2086
        run davit create $others busybox true
        [ "$status" -ne 0 ]
    done
    davit rm --force plain
    for mac in 01:00:00:00:00:01 00:00:00:00:00:00 02:00:00:00:00 02:00:00:00:00:01:02 2:x:0:0:0:1; do
        run davit create --network one --mac-address "$mac" busybox true
        [ "$status" -ne 0 ]
        contains "$output" "MacAddress: \"$mac\" is not the address of a device"
    done
    for text in ip=10.77.0.3 name=one,ip name=one,colour=red name=one,link-local-ip=169.254.1.1; do
        run davit create --network "$text" busybox true
        [ "$status" -ne 0 ]
        contains "$output" "--network"
    done
    davit rm --force several
    davit network rm one two nobody --force
}

@test "cgroups below a parent, which is davitd's" {
    davit run --detach --name parented --cgroup-parent batch/night busybox sleep 1000
    id=$(davit inspect --format '{{.Id}}' parented)
    path=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET)$(sed -n 's/^0:://p' "/proc/$(davit inspect --format '{{.State.Pid}}' parented)/cgroup")
    [[ "$path" == */batch/night/$id ]]
    davit pause parented
    davit unpause parented
    restart_daemon
    [ "$(davit exec parented echo there)" = there ]
    davit rm --force parented
    for parent in "$id" "x/$id" /system.slice ../x a//b a/ cgroup.x .; do
        run davit create --cgroup-parent "$parent" busybox true
        [ "$status" -ne 0 ]
        contains "$output" "HostConfig.CgroupParent"
    done
    # They stay, with the limits that somebody may have set on them.
    wait_until rmdir "${path%/*}"
    rmdir "${path%/*/*}"
}

@test "lists: the last ones, sizes, ranges of ports, docker's words" {
    davit run --name older busybox sh -c 'head -c 200000 /dev/zero > /file'
    davit run --detach --name newer --network bridge -p 8080-8082:80-82 -p 9000:9000/udp busybox sleep 1000
    [ "$(davit ps --latest --format '{{.Names}}')" = newer ]
    [ "$(davit ps --last 2 --format '{{.Names}}' | xargs)" = "newer older" ]
    [ "$(davit ps --format '{{.Ports}}')" = "0.0.0.0:8080-8082->80-82/tcp, 0.0.0.0:9000->9000/udp" ]
    davit ps --all --size --format '{{.Names}} {{.Size}}' | grep -Eq '^older 2[0-9]+kB \(virtual [0-9.]+MB\)$'
    [ "$(davit inspect --size older | jq '.[0].SizeRw > 200000 and .[0].SizeRootFs > .[0].SizeRw')" = true ]
    [ "$(davit ps --all --format json | head -n 1 | jq -r '.Names + " " + .Networks + " " + .State')" = "newer bridge running" ]
    # Columns are as wide as what is in them.
    davit tag busybox "registry.example.org/a/very/long/name/of/a/repository:with-a-tag"
    davit images | awk 'NR == 1 {at = index($0, "TAG")} NR > 1 && substr($0, at - 1, 1) != " " {exit 1}'
    davit rmi "registry.example.org/a/very/long/name/of/a/repository:with-a-tag"
    # What stays the same is kept from list to list: changes are seen.
    davit rename newer renamed
    [ "$(davit ps --format '{{.Names}}')" = renamed ]
    davit network create joined
    davit network connect joined renamed
    [ "$(davit ps --format '{{.Networks}}')" = "bridge,joined" ]
    davit network disconnect joined renamed
    [ "$(davit ps --format '{{.Networks}}')" = bridge ]
    davit pause renamed
    contains "$(davit ps --format '{{.Status}}')" "(Paused)"
    davit stop --time 0 renamed
    [ "$(davit ps --all --filter name=renamed --format '{{.Ports}}{{.State}}')" = exited ]
    davit start renamed
    [ "$(davit ps --format '{{.Ports}}')" = "0.0.0.0:8080-8082->80-82/tcp, 0.0.0.0:9000->9000/udp" ]
    davit rm --force older renamed nobody
    davit network rm joined
}

@test "what images and containers say obeys nobody's terminal" {
    escape=$(printf '\033') csi=$(printf '\302\233') bell=$(printf '\007')
    davit create --name hostile --label "a=$escape]0;pwn$bell${csi}31m" busybox "${escape}[31mx${csi}31m"
    for format in 'table {{.Names}}\t{{.Label "a"}}' '{{.Labels}} {{.Command}}' 'table {{.Command}}'; do
        davit ps --all --format "$format" > "$dir/shown"
        refute grep -q "$escape\|$csi\|$bell" "$dir/shown"
    done
    run davit start hostile
    contains "$output" "executable file not found"
    [[ "$output" != *"$escape"* && "$output" != *"$csi"* ]]
    davit run --name named busybox sh -c "touch '/tmp/${escape}[31m'"
    davit diff named > "$dir/shown"
    refute grep -q "$escape" "$dir/shown"
    davit rm hostile named
}

@test "words that docker takes: -n=1, list and remove, three interrupts, filters" {
    davit create --name worded busybox sleep 1000
    [ "$(davit ps -a=true -n=1 -q=false --format '{{.Names}}')" = worded ]
    [ "$(davit container list --all --filter name=worded --format '{{.Names}}')" = worded ]
    run davit help run busybox
    [ "$status" -ne 0 ]
    contains "$output" "run has no commands"
    run davit ps --filter name
    contains "$output" '--filter: "name" is not KEY=VALUE'
    run davit system prune --force --volumes --filter until=1s
    [ "$status" -ne 0 ]
    [ "$(davit container list --all --quiet | wc -l)" = 1 ]
    run davit events --since 1s --until 0s --format '{{range .Actor}}{{nonsense}}{{end}}'
    [[ "$output" != *"body could not be taken"* ]]
    davit container remove worded
    "$build/davit" run --name deaf busybox sh -c 'trap "" INT TERM; echo ready; while :; do sleep 0.1; done' > "$dir/out" 3>&- &
    client=$!
    wait_until grep -q ready "$dir/out"
    for signal in TERM TERM TERM; do kill -$signal $client || true; sleep 0.2; done
    status=0
    wait $client || status=$?
    [ "$status" = 125 ]
    [ "$(davit inspect --format '{{.State.Running}}' deaf)" = true ]
    davit rm --force deaf
    davit rmi --force nowhere/nothing:1
}

@test "colours are a terminal's, unless NO_COLOR is set" {
    davit create --name coloured busybox true
    davit start --attach coloured
    terminal() { script --quiet --command "$*" /dev/null; }
    contains "$(TERM=xterm terminal "$build/davit" ps --all)" $'\033[2mExited (0)'
    for settings in NO_COLOR=1 TERM=dumb; do
        [[ "$(env TERM=xterm "$settings" script --quiet --command "$build/davit ps --all" /dev/null)" != *$'\033'* ]]
    done
    [[ "$(TERM=xterm davit ps --all)" != *$'\033'* ]]
    davit rm coloured
}

@test "inspect finds every kind, and the files of names and layers" {
    davit create --name found busybox true
    davit volume create kept
    davit network create net
    for name in found busybox kept net; do davit inspect "$name" | jq -e 'length == 1'; done
    [ "$(davit inspect --type volume --format '{{.Name}}' kept)" = kept ]
    run davit inspect --type image kept
    [ "$status" -eq 1 ]
    contains "$output" "No such image: kept"
    run davit inspect --type thing kept
    contains "$output" "--type: \"thing\" is none of"
    run davit inspect nobody
    contains "$output" "no such object: nobody"
    [ "$(davit network inspect --format '{{.Name}} {{.Driver}}' net)" = "net bridge" ]
    [ "$(davit volume inspect --format '{{.Name}}' kept)" = kept ]
    davit network connect net found
    davit start found
    for file in ResolvConfPath HostsPath HostnamePath; do [ -f "$(davit inspect --format "{{.$file}}" found)" ]; done
    [ -d "$(davit inspect --format '{{.GraphDriver.Data.UpperDir}}' found)" ]
    [ -d "$(davit inspect --format '{{.GraphDriver.Data.LowerDir}}' found)" ]
    davit rm --force found
    davit volume rm kept
    davit network rm net
}
