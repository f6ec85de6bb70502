#!/usr/bin/env bats
# Containers with ids of their own: the same ids on disk, and others on the host.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

first_id() { davit exec "$1" cat /proc/self/uid_map | awk '{print $2}'; }

@test "inside root, outside nobody; files have the ids that are seen inside, and nothing is chowned" {
    owners=$(find "$dir/root/layers" -printf '%u:%g\n' | sort -u)
    davit run --detach --name own --userns auto busybox sh -c 'touch /by-root; touch /by-33; chown 33:44 /by-33; exec sleep 1000'
    [ "$(davit exec own id -u)" = 0 ]
    [ "$(davit exec own cat /proc/self/uid_map | tr -s ' ')" = " 0 1879048192 65536" ]
    pid=$(davit inspect own | jq '.[0].State.Pid')
    [ "$(stat -c %u "/proc/$pid")" = 1879048192 ]
    upper=$dir/root/containers/$(davit inspect own | jq -r '.[0].Id')/upper
    wait_until test "$(stat -c %u:%g "$upper/by-33")" = 33:44
    [ "$(stat -c %u:%g "$upper/by-root")" = 0:0 ]
    [ "$(find "$dir/root/layers" -printf '%u:%g\n' | sort -u)" = "$owners" ]
    [ "$(davit inspect own | jq -r '.[0].HostConfig.UsernsMode')" = auto ]
    davit exec own sh -c 'echo changed >> /etc/passwd; rm /bin/ls; [ $(stat -c %u /etc/passwd) = 0 ]'
    davit diff own | grep -qx "D /bin/ls"
    davit commit own mapped:1
    [ "$(davit run --rm mapped:1 stat -c %u:%g /by-33)" = 33:44 ]
    [ "$(davit run --rm --userns auto mapped:1 stat -c %u:%g /by-33)" = 33:44 ]
    davit rm --force own
    davit rmi mapped:1
}

@test "a user whose number no id stands for is refused at once, by name" {
    for user in 65536 1000:65536 4294967294; do
        run davit create --user "$user" busybox true
        [ "$status" -eq 1 ]
        contains "$output" "below 65536"
    done
    [ "$(davit run --rm --user 65535:65535 busybox id -u)" = 65535 ]
    [ "$(davit run --rm --user 65536 --userns host busybox id -u)" = 65536 ]
}

@test "ids of their own are what containers have, unless they share more with the host" {
    davit run --detach --name plain busybox sleep 1000
    [ "$(first_id plain)" = 1879048192 ]
    [ "$(davit inspect plain | jq -r '.[0].HostConfig.UsernsMode')" = auto ]
    davit info --format json | jq -e '.SecurityOptions | index("name=userns")'
    for options in "--userns host" --privileged "--network host" "--pid host" "--ipc host" "--uts host" "--device /dev/null"; do
        [ "$(davit run --name shares $options busybox awk '{print $3}' /proc/self/uid_map)" = 4294967295 ]
        [ "$(davit inspect shares | jq -r '.[0].HostConfig.UsernsMode')" = host ]
        davit rm shares
    done
    [ "$(davit run --rm --oom-score-adj 321 busybox cat /proc/self/oom_score_adj)" = 321 ]
    davit rm --force plain
}

@test "where ids cannot be mapped the container has the host's and a warning, or is refused" {
    run davit run --rm --volume /proc:/outside busybox awk '{print $3}' /proc/self/uid_map
    [ "$status" -eq 0 ]
    contains "$output" "WARNING: The container has the host's user and group ids: the filesystem of /proc cannot map them"
    contains "$output" 4294967295
    run davit create --userns auto --volume /proc:/outside busybox
    [ "$status" -eq 1 ]
    contains "$output" "the filesystem of /proc cannot map ids"
    mkdir "$dir/plain"
    run davit run --rm --volume "$dir/plain:/p" --volume "$dir/none/yet:/n" busybox true
    [ "$output" = "" ]
    stop_davitd
    echo '{"userns_fallback": "refuse"}' > "$dir/davitd.json"
    DAVIT_CONFIG=$dir/davitd.json start_davitd
    run davit create --volume /proc:/outside busybox
    [ "$status" -eq 1 ]
    contains "$output" "the filesystem of /proc cannot map ids"
    davit run --rm --userns host --volume /proc:/outside busybox true
    stop_davitd
    echo '{"userns": "host"}' > "$dir/davitd.json"
    DAVIT_CONFIG=$dir/davitd.json start_davitd
    [ "$(davit run --rm busybox awk '{print $3}' /proc/self/uid_map)" = 4294967295 ]
    [ "$(davit run --rm --userns auto busybox awk '{print $3}' /proc/self/uid_map)" = 65536 ]
    stop_davitd
    for wrong in '"userns": "keep-id"' '"userns_fallback": "auto"'; do
        echo "{$wrong}" > "$dir/davitd.json"
        run timeout 10 "$davitd" --config "$dir/davitd.json" --root "$dir/root" --run "$dir/run"
        [ "$status" -eq 1 ]
        contains "$output" "neither"
    done
    start_davitd
}

@test "no two containers have the same ids, and a removed one's are given again" {
    for name in one two; do davit run --detach --name $name --userns auto busybox sleep 1000; done
    [ "$(first_id one)" != "$(first_id two)" ]
    freed=$(first_id one)
    davit rm --force one
    davit run --detach --name three --userns auto busybox sleep 1000
    [ "$(first_id three)" = "$freed" ]
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    davit run --detach --name four --userns auto busybox sleep 1000
    [ "$(for name in two three four; do first_id $name; done | sort -u | wc -l)" = 3 ]
    davit rm --force two three four
}

@test "what is bound from the host has its ids inside" {
    mkdir "$dir/bound"
    echo text > "$dir/bound/file"
    chown 1234:5678 "$dir/bound/file"
    run davit run --rm --userns auto --volume "$dir/bound:/b" busybox sh -c 'stat -c %u:%g /b/file; echo new > /b/new'
    [ "$status" -eq 0 ]
    contains "$output" 1234:5678
    [ "$(stat -c %u:%g "$dir/bound/new")" = 0:0 ]
    [ "$(stat -c %u:%g "$dir/bound/file")" = 1234:5678 ]
}

@test "terminals, exec, users, stop and start work as without" {
    [ "$(davit run --rm --userns auto --user 33 busybox id -u)" = 33 ]
    run docker run --rm --userns host busybox cat /proc/self/uid_map
    contains "$output" 4294967295
    davit run --detach --name life --userns auto busybox sh -c 'echo started; exec sleep 1000'
    davit exec --user 9 life sh -c '[ "$(id -u)" = 9 ]'
    davit stop --time 1 life
    davit start life
    [ "$(davit logs life | grep -c started)" = 2 ]
    davit rm --force life
    run script -qec "timeout 60 $build/davit run --rm --tty --userns auto busybox tty" /dev/null
    contains "$output" /dev/pts/0
}

@test "a program opens its output again, whoever it is" {
    for ids in host auto; do
        run davit run --rm --userns $ids --user 1000 busybox sh -c 'echo out > /dev/stdout; echo err > /dev/stderr'
        [ "$status" -eq 0 ]
        contains "$output" out
        contains "$output" err
        davit run --detach --name opens --userns $ids --user 5 busybox sleep 1000
        [ "$(davit exec opens sh -c 'echo again > /dev/stdout')" = again ]
        [ "$(davit exec --user 9 opens sh -c 'echo other > /dev/stdout')" = other ]
        davit rm --force opens
    done
}

@test "what cannot be had is refused" {
    run davit run --userns auto --network host busybox true
    [ "$status" -eq 125 ]
    contains "$output" "cannot have the host's network"
    run davit run --userns keep-id busybox true
    contains "$output" "use auto or host"
    stop_davitd
    echo '{"id_pool": {"first": 2000027648, "count": 1}}' > "$dir/davitd.json"
    DAVIT_CONFIG=$dir/davitd.json start_davitd
    davit create --name only --userns auto busybox
    run davit create --userns auto busybox
    [ "$status" -eq 1 ]
    contains "$output" "all 1 ranges of ids are taken"
    davit rm only
    stop_davitd
    for wrong in '{"first": 5, "count": 1}' '{"first": 65536, "count": 65536}' '{"first": 65536}'; do
        echo "{\"id_pool\": $wrong}" > "$dir/davitd.json"
        run timeout 10 "$davitd" --config "$dir/davitd.json" --root "$dir/root" --run "$dir/run"
        [ "$status" -eq 1 ]
        contains "$output" id_pool
    done
    start_davitd
}
