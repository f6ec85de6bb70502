#!/usr/bin/env bats
# What happens to a container while it runs: held, renamed, looked at.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

counter() { davit run --detach --name "$1" busybox sh -c 'trap "exit 7" TERM; i=0; while :; do i=$((i+1)); echo $i > /new; mv /new /count; usleep 1000; done'; }
count_of() { cat "$dir/root/containers/$(davit inspect "$1" | jq -r '.[0].Id')/upper/count"; }
has_passed() { [ "$(count_of "$1")" -gt "$2" ]; }
state_of() { davit inspect "$1" | jq -r '.[0].State.Status'; }
frozen() { # the kernel's word
    local path mount
    path=$(sed -n 's/^0:://p' "/proc/$(davit inspect "$1" | jq '.[0].State.Pid')/cgroup")
    mount=$(findmnt -n -o TARGET -t cgroup2 | head -1)
    sed -n 's/^frozen //p' "$mount$path/cgroup.events"
}

@test "a paused container stands still, whoever asks, and goes on" {
    counter held
    wait_until has_passed held 3
    davit pause held
    [ "$(state_of held)" = paused ]
    [ "$(davit inspect held | jq '.[0].State.Paused and .[0].State.Running')" = true ]
    [ "$(frozen held)" = 1 ]
    before=$(count_of held)
    contains "$(docker ps --filter status=paused)" "(Paused)"
    run davit exec held true
    [ "$status" -eq 125 ]
    contains "$output" "is paused"
    run davit pause held
    [ "$status" -eq 1 ]
    contains "$output" "already paused"
    [ "$(count_of held)" = "$before" ]
    davit unpause held
    wait_until has_passed held "$before"
    run davit unpause held
    [ "$status" -eq 1 ]
    docker pause held
    docker unpause held
    davit events --since $(($(date +%s) - 60)) --until $(($(date +%s) + 1)) --filter container=held --format json | jq -r .Action | grep -c pause | grep -x 4
    davit rm --force held
}

@test "a pause outlives davitd, and stop ends it with the container's own status" {
    counter lasting
    wait_until has_passed lasting 3
    davit pause lasting
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    [ "$(state_of lasting)" = paused ]
    [ "$(frozen lasting)" = 1 ]
    # What was said and not done, the next one does.
    path=$(findmnt -n -o TARGET -t cgroup2 | head -1)$(sed -n 's/^0:://p' "/proc/$(davit inspect lasting | jq '.[0].State.Pid')/cgroup")
    kill -9 "$(cat "$dir/pid")"
    echo 0 > "$path/cgroup.freeze"
    start_davitd
    wait_until is_frozen lasting
    davit commit lasting lasting:1
    [ "$(frozen lasting)" = 1 ]
    davit stop --time 30 lasting
    [ "$(davit inspect lasting | jq '.[0].State.ExitCode')" = 7 ]
    [ "$(state_of lasting)" = exited ]
    davit rm lasting
    davit rmi lasting:1
    counter killed
    davit pause killed
    davit rm --force killed
    run davit pause killed
    contains "$output" "No such container"
}

@test "a container that does not run cannot be paused" {
    davit create --name made busybox
    run davit pause made
    [ "$status" -eq 1 ]
    contains "$output" "is not running"
    davit rm made
}

@test "a new name is the container's, at once and after a restart" {
    davit run --detach --name before busybox sleep 1000
    davit create --name other busybox
    davit rename before after
    run davit inspect before
    [ "$status" -eq 1 ]
    [ "$(davit inspect after | jq -r '.[0].Name')" = /after ]
    run davit rename after other
    [ "$status" -eq 1 ]
    contains "$output" "already in use"
    run davit rename after 'no name'
    contains "$output" "Invalid container name"
    docker rename after final
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    [ "$(davit exec final echo here)" = here ]
    davit create --name before busybox
    davit rm --force final other before
}

@test "top lists the container's processes and no others" {
    davit run --detach --name busy busybox sh -c 'sleep 1001 & exec sleep 1002'
    wait_until sh -c "'$build/davit' top busy | grep -q 'sleep 1001'"
    run davit top busy
    contains "$output" "sleep 1002"
    [ "$(echo "$output" | wc -l)" = 3 ]
    pid=$(davit inspect busy | jq '.[0].State.Pid')
    echo "$output" | awk '{print $2}' | grep -qx "$pid"
    run docker top busy
    [ "$status" -eq 0 ]
    contains "$output" "sleep 1001"
    run docker top busy aux
    [ "$status" -eq 0 ]
    contains "$output" "%CPU"
    [ "$(davit top busy -eo pid,ppid,user,nlwp,args | sed -n 's/  */ /g; s/sleep 1002 *$/found/p')" = "$pid $(awk '{print $4}' "/proc/$pid/stat") root 1 found" ]
    [ "$(davit top busy -o pid,comm | awk 'NR == 1 { print $1 $2 }')" = PIDCOMMAND ]
    [ "$(docker top busy -o uid,stat,etime,pid | sed -n 2p | awk '{print $1 substr($2, 1, 1)}')" = 0S ]
    for options in axf '-p 1' '-o nothing' -o --sort=pid '-o pid=X' "-o $(printf 'pid,%.0s' $(seq 40))"; do
        run davit top busy $options
        [ "$status" -eq 1 ]
        contains "$output" ps_args
    done
    davit exec --detach busy sh -c "exec -a \$(printf 'evil\\033[2J') sleep 1003" || true
    refute eval 'davit top busy | grep -q $'\''\033'\'''
    davit rm --force busy
    run davit top busy
    [ "$status" -eq 1 ]
}

starts_of() { davit logs "$1" 2>/dev/null | grep -c started; }
is() { [ "$(state_of "$1")" = "$2" ]; }
is_frozen() { [ "$(frozen "$1")" = 1 ]; }
has_started() { [ "$(starts_of "$1")" -ge "$2" ]; }

@test "always: a container that ends is started again, until somebody stops it" {
    davit run --detach --restart always --name again busybox sh -c 'echo started; exit 3'
    wait_until has_started again 3
    [ "$(davit inspect again | jq '.[0].RestartCount')" -ge 2 ]
    wait_until is again restarting
    wait_until sh -c "timeout 60 '$build/davit' ps | grep again | grep -q 'Restarting (3)'"
    # It may be on its way already, which is refused in other words.
    wait_until sh -c "! timeout 60 '$build/davit' rm again 2>'$BATS_TEST_TMPDIR/refused' && grep -q restarting '$BATS_TEST_TMPDIR/refused'"
    davit stop again || true
    [ "$(state_of again)" = exited ]
    before=$(starts_of again)
    davit start again
    wait_until has_started again $((before + 2))
    davit kill again 2>/dev/null || davit stop again || true
    davit rm --force again
    davit run --detach --restart always --name lasting busybox sh -c 'echo started; exec sleep 1000'
    davit kill lasting
    wait_until is lasting exited
    [ "$(starts_of lasting)" = 1 ]
    # A process that dies by itself is another matter.
    davit start lasting
    wait_until has_started lasting 2
    kill -9 "$(davit inspect lasting | jq '.[0].State.Pid')"
    wait_until has_started lasting 3
    davit rm --force lasting
}

@test "on-failure: a number of times, and not after success" {
    davit run --detach --restart on-failure:2 --name fails busybox sh -c 'echo started; exit 3'
    wait_until is fails exited
    [ "$(starts_of fails)" = 3 ]
    [ "$(davit inspect fails | jq '.[0].RestartCount')" = 2 ]
    [ "$(davit wait fails)" = 3 ]
    davit run --detach --restart on-failure --name fine busybox sh -c 'echo started'
    [ "$(davit wait fine)" = 0 ]
    [ "$(starts_of fine)" = 1 ]
    davit rm fails fine
}

@test "after davitd's death the policies are asked again" {
    davit run --detach --restart unless-stopped --name stopped busybox sh -c 'echo started; exec sleep 1000'
    davit run --detach --restart always --name always busybox sh -c 'echo started; exec sleep 1000'
    davit run --detach --restart unless-stopped --name ended busybox sh -c 'echo started; exec sleep 1000'
    davit run --detach --name none busybox sh -c 'echo started; exec sleep 1000'
    davit stop --time 0 stopped always
    ended=$(davit inspect ended | jq '.[0].State.Pid')
    none=$(davit inspect none | jq '.[0].State.Pid')
    kill -9 "$(cat "$dir/pid")"
    kill -9 "$ended" "$none"
    wait_until ! kill -0 "$ended"
    start_davitd
    wait_until has_started always 2
    wait_until has_started ended 2
    [ "$(state_of stopped)" = exited ]
    [ "$(state_of none)" = exited ]
    [ "$(starts_of stopped)" = 1 ]
    davit rm --force stopped always ended none
}

@test "a stop that was asked for is not undone by a restart of davitd" {
    davit run --detach --restart unless-stopped --name asked busybox \
        sh -c 'trap "echo signalled" TERM; echo started; while :; do sleep 0.1; done'
    wait_until has_started asked 1
    pid=$(davit inspect asked | jq '.[0].State.Pid')
    timeout 60 "$build/davit" stop --time 300 asked 3>&- >/dev/null 2>&1 &
    # By then it has been written down.
    wait_until grep -q signalled "$dir/root/containers/$(davit inspect asked | jq -r '.[0].Id')"/*-json.log
    kill -9 "$(cat "$dir/pid")"
    kill -9 "$pid"
    wait_until ! kill -0 "$pid"
    start_davitd
    wait_until is asked exited
    [ "$(starts_of asked)" = 1 ]
    davit rm --force asked
}

@test "restarts that come together, and a removal among them, all come to their end" {
    api() { curl -s -o /dev/null -w '%{http_code}\n' --max-time 60 --unix-socket "$dir/run/davit.sock" -X "$1" "http://d/containers/$2"; }
    have_asked() { [ "$(davit events --since "$begin" --until "$(date +%s.%N)" --filter container=busy --filter event=kill | grep -c signal=15)" -ge "$1" ]; }
    begin=$(date +%s.%N)
    # The first process does not end by SIGTERM: all have asked before it is killed.
    davit run --detach --name busy busybox sleep 1000
    for i in 1 2 3; do
        api POST "busy/restart?t=5" > "$dir/answer$i" &
    done
    wait_until have_asked 3
    davit kill busy
    wait
    [ "$(cat "$dir"/answer[123] | tr '\n' ' ')" = "204 204 204 " ]
    [ "$(state_of busy)" = running ]
    begin=$(date +%s.%N)
    api POST "busy/restart?t=60" > "$dir/answer1" &
    wait_until have_asked 1
    [ "$(api DELETE "busy?force=1")" = 204 ]
    wait
    refute davit inspect busy
}

@test "restart policies that mean nothing are refused" {
    run davit create --restart sometimes busybox
    [ "$status" -eq 1 ]
    contains "$output" "invalid restart policy 'sometimes'"
    run davit create --restart always:3 busybox
    contains "$output" "can only be used with restart policy 'on-failure'"
    run davit create --restart always --rm busybox
    contains "$output" "AutoRemove"
    run docker run --detach --restart unless-stopped --name bydocker busybox sleep 1000
    [ "$status" -eq 0 ]
    [ "$(docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' bydocker)" = unless-stopped ]
    davit rm --force bydocker
}

@test "stats: at once, with the second before, as a stream, and nothing for what does not run" {
    stats() { curl -s --max-time 30 --unix-socket "$dir/run/davit.sock" "http://d/v1.41/containers/$1/stats?$2"; }
    davit run --detach --name used busybox sh -c 'while :; do :; done'
    stats used "stream=0&one-shot=1" | jq -e --arg id "$(davit inspect used | jq -r '.[0].Id')" \
        '.id == $id and .name == "/used" and .precpu_stats.cpu_usage.total_usage == 0 and (has("networks") | not) and
        .cpu_stats.system_cpu_usage > 0 and .cpu_stats.online_cpus > 0 and .memory_stats.limit > 0 and .preread == "0001-01-01T00:00:00Z"'
    davit stats --no-stream --format '{{.Name}} {{.PIDs}} {{.CPUPerc}} {{.MemUsage}}' used | grep -Eqx 'used [0-9]+ [0-9]+[.][0-9]+% .+ / .+'
    davit stats --no-stream --format json used | jq -e --arg id "$(davit inspect used | jq -r '.[0].Id')" '.Container == "used" and .ID == $id[:12]'
    [ "$(davit stats --no-stream --format 'table {{.Name}}\t{{.PIDs}}' used | wc -l)" = 2 ]
    stats used stream=0 | jq -e '.cpu_stats.system_cpu_usage > .precpu_stats.system_cpu_usage and .read > .preread and .preread != "0001-01-01T00:00:00Z"'
    [ "$( (stats used stream=1 || true) | head -n 3 | jq -s 'length == 3 and .[1].preread == .[0].read and .[2].preread == .[1].read')" = true ]
    davit create --name idle busybox
    stats idle stream=0 | jq -e '.read == "0001-01-01T00:00:00Z" and .memory_stats.usage == 0 and .name == "/idle"'
    run davit stats --no-stream used
    [ "$status" -eq 0 ]
    contains "$output" used
    run docker stats --no-stream used
    [ "$status" -eq 0 ]
    contains "$output" used
    timeout 60 "$build/davit" rm --force used idle
    run davit stats --no-stream nobody
    [ "$status" -eq 1 ]
}

@test "update changes the policy of a container that is there, at once and for the next davitd" {
    davit run --detach --restart always --name changes busybox sh -c 'echo started; exit 3'
    wait_until has_started changes 2
    davit update --restart no changes
    wait_until is changes exited
    [ "$(davit inspect changes | jq -r '.[0].HostConfig.RestartPolicy.Name')" = no ]
    docker update --restart on-failure:1 changes
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    [ "$(davit inspect changes | jq -c '.[0].HostConfig.RestartPolicy')" = '{"Name":"on-failure","MaximumRetryCount":1}' ]
    run davit update --restart sometimes changes
    [ "$status" -eq 1 ]
    contains "$output" "invalid restart policy"
    [ "$(davit inspect changes | jq -r '.[0].HostConfig.RestartPolicy.Name')" = on-failure ]
    [ "$(curl -s --unix-socket "$dir/run/davit.sock" -X POST -d '{"Memory":0,"Privileged":true}' http://d/containers/changes/update | jq -r .message)" = \
        "Privileged: cannot be updated by this version of davit" ]
    davit rm --force changes
}

@test "another container's processes and network" {
    same() { [ "$(davit exec "$1" readlink "/proc/self/ns/$3")" = "$(davit exec "$2" readlink "/proc/self/ns/$3")" ]; }
    for ids in auto host; do
        davit run --detach --name target --userns $ids busybox sh -c 'nc -l -p 7777 -e /bin/echo reached; sleep 1000'
        davit run --detach --name joins --pid container:target --network container:target busybox sleep 1000
        same target joins pid
        same target joins net
        same target joins user
        refute same target joins mnt
        refute same target joins ipc
        contains "$(davit exec joins ps)" "sleep 1000"
        [ "$(davit exec joins kill 1 && echo allowed)" = allowed ]
        wait_until davit exec joins sh -c 'nc 127.0.0.1 7777 | grep -q reached'
        [ "$(davit inspect joins | jq -r '.[0].HostConfig.NetworkMode')" = "container:$(davit inspect target | jq -r '.[0].Id')" ]
        davit stop --time 0 target
        wait_until is joins exited
        run davit start joins
        contains "$output" "cannot join the pid namespace of a non running container: target"
        davit rm target
        run davit start joins
        contains "$output" "No such container"
        davit rm joins
    done
    run davit create --network container:nobody busybox
    contains "$output" "No such container: nobody"
}

@test "another container's IPC namespace and shared memory" {
    for ids in auto host; do
        davit run --detach --name target --userns $ids --ipc shareable --shm-size 1m busybox sh -c 'echo shared > /dev/shm/word; sleep 1000'
        wait_until davit exec target test -s /dev/shm/word
        davit run --detach --name joins --ipc container:target busybox sleep 1000
        [ "$(davit exec joins cat /dev/shm/word)" = shared ]
        davit exec joins sh -c 'echo back > /dev/shm/answer'
        [ "$(davit exec target cat /dev/shm/answer)" = back ]
        [ "$(davit exec joins readlink /proc/self/ns/ipc)" = "$(davit exec target readlink /proc/self/ns/ipc)" ]
        [ "$(davit exec joins readlink /proc/self/ns/mnt)" != "$(davit exec target readlink /proc/self/ns/mnt)" ]
        [ "$(davit exec joins stat -f -c %b /dev/shm)" = "$(davit exec target stat -f -c %b /dev/shm)" ]
        davit exec joins grep -q ' /dev/shm .*nosuid.*nodev.*noexec' /proc/self/mounts
        # What stands there is the other's own, whatever it makes of it.
        davit exec target sh -c 'ls / > /dev/shm/list'
        davit restart --time 0 joins
        [ "$(davit exec joins cat /dev/shm/word)" = shared ]
        davit stop --time 0 target
        [ "$(davit exec joins cat /dev/shm/word)" = shared ]
        davit stop --time 0 joins
        run davit start joins
        contains "$output" "cannot join the ipc namespace of a non running container: target"
        davit rm joins target
    done
    davit run --detach --name keeps busybox sleep 1000
    run davit create --ipc container:keeps busybox
    contains "$output" "does not share its IPC namespace"
    davit rm --force keeps
}

@test "a monitor that is asked to end stops its container as stop would, without davitd" {
    monitor_of() { ps -o ppid= -p "$(davit inspect "$1" | jq '.[0].State.Pid')" | tr -d ' '; }
    davit run --detach --name polite --stop-signal USR1 busybox sh -c 'trap "echo asked; exit 7" USR1; echo ready; while :; do sleep 0.05; done'
    davit run --detach --name stubborn --stop-timeout 1 busybox sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
    for name in polite stubborn; do wait_until eval "davit logs $name | grep -q ready"; done
    polite=$(monitor_of polite)
    stubborn=$(monitor_of stubborn)
    kill -9 "$(cat "$dir/pid")"
    kill "$polite" "$stubborn"
    wait_until ! kill -0 "$polite"
    wait_until ! kill -0 "$stubborn"
    start_davitd
    [ "$(davit wait polite stubborn | xargs)" = "7 137" ]
    davit logs polite | grep -qx asked
    [ "$(davit inspect stubborn | jq -r '.[0].State.Error')" = "" ]
    davit rm polite stubborn
}

@test "davitd ends when its spawner was killed; containers go on, and the next davitd starts others" {
    davit run --detach --name stays busybox sleep 1000
    kill -9 "$(pgrep -P "$(cat "$dir/pid")" davit-spawner)"
    wait_until ! kill -0 "$(cat "$dir/pid")"
    grep -q "the spawner was killed" "$dir/log"
    start_davitd
    davit exec stays true
    davit run --rm busybox true
    davit rm --force stays
}

@test "what cannot end although it was killed is named, and goes when it can" {
    [ -c /dev/fuse ] || skip "this host has no FUSE"
    davit run --detach --name undying --device /dev/fuse --cap-add SYS_ADMIN --security-opt seccomp=unconfined \
        --volume "$shared/undying:/undying:ro" busybox /undying
    wait_until eval "davit logs undying | grep -q open"
    pid=$(davit inspect undying | jq '.[0].State.Pid')
    connection=$(sed -n 's/.* 0:\([0-9]*\) .* - fuse undying .*/\1/p' "/proc/$pid/mountinfo")
    killed=$(davit kill undying 2>&1) && status=0 || status=$?
    removed=$(davit rm --force undying 2>&1) && status=$((status * 10)) || status=$((status * 10 + $?))
    # Stopped once more it is named as well, rather than waited for.
    stopped=$(davit stop --time 0 undying 2>&1) && status=$((status * 10)) || status=$((status * 10 + $?))
    left=$(davit ps --filter name=undying --format '{{.Names}}')
    # Whatever came of it: nothing else ends it.
    unshare --mount sh -c "mount -t fusectl none /mnt && echo 1 > /mnt/$connection/abort"
    echo "$status $killed $removed $stopped"
    [ "$status" -eq 111 ]
    contains "$stopped" "process $pid (undying) waits in the kernel"
    contains "$killed" "process $pid (undying) waits in the kernel"
    contains "$removed" "process $pid (undying) waits in the kernel"
    [ "$left" = undying ]
    davit rm --force undying
}

@test "one container has so many terminals, and others have theirs" {
    davit run --detach --name greedy --user 1000 busybox sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); (sleep 1000 <> /dev/ptmx) & done; wait'
    davit run --detach --name other busybox sleep 1000
    wait_until sh -c "[ \$(ls /proc/$(davit inspect greedy | jq '.[0].State.Pid')/root/dev/pts | wc -l) -ge 257 ]"
    script -qec "'$build/davit' exec --tty other echo works" /dev/null </dev/null | grep -q works
    [ "$(ls "/proc/$(davit inspect greedy | jq '.[0].State.Pid')/root/dev/pts" | wc -l)" -eq 257 ]
    davit rm --force greedy other
}

@test "execs that nobody starts hold so much memory and no more, and events less" {
    not_sanitized "keep memory that was freed"
    davit run --detach --name greedy busybox sleep 1000
    before=$(awk '/VmRSS/ {print $2}' "/proc/$(cat "$dir/pid")/status")
    make_execs() { # COUNT: prints the status of the last
        python3 - "$1" "${DAVIT_HOST#unix://}" "$BATS_TEST_DIRNAME" <<'END'
import json, sys
sys.path.insert(0, sys.argv[3])
from api import Connection
connection = Connection(sys.argv[2])
big = json.dumps({"Cmd": ["true", "x" * 3900000]})
for _ in range(int(sys.argv[1])):
    connection.request("POST", "/v1.41/containers/greedy/exec", big, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
print(answer.status)
END
    }
    [ "$(make_execs 1)" = 201 ]
    [ "$(make_execs 60)" = 503 ]
    after=$(awk '/VmRSS/ {print $2}' "/proc/$(cat "$dir/pid")/status")
    echo "$before $after"
    [ $((after - before)) -lt 150000 ]
    # They go with their container.
    davit rm --force greedy
    davit run --detach --name greedy busybox sleep 1000
    [ "$(make_execs 1)" = 201 ]
    davit rm --force greedy
}

@test "who lists processes is waited for so long and no longer, and by nobody else" {
    davit run --detach --name listed busybox sleep 1000
    contains "$(davit top listed)" "sleep 1000"
    spawner=$(pgrep -P "$(cat "$dir/pid")" davit-spawner)
    kill -STOP "$spawner"
    davit top listed >"$dir/top" 2>&1 3>&- &
    top=$!
    davit version >/dev/null
    davit ps | grep -q listed
    status=0
    wait "$top" || status=$?
    kill -CONT "$spawner"
    [ "$status" -eq 1 ]
    grep -q "processes cannot be listed" "$dir/top"
    contains "$(davit top listed)" "sleep 1000"
    davit rm --force listed
}

@test "many are pruned a few at a time, also by two at once, and none that runs meanwhile" {
    for i in $(seq 40); do davit create --name "many$i" --label many=yes busybox sleep 1000 >/dev/null; done
    davit create --name kept busybox true >/dev/null
    pruned() { curl -sS --unix-socket "$dir/run/davit.sock" -X POST 'http://d/containers/prune?filters=%7B%22label%22%3A%5B%22many%3Dyes%22%5D%7D' | jq -r '.ContainersDeleted[]'; }
    davit start many1 >/dev/null
    pruned > "$dir/one" 3>&- &
    pruned > "$dir/other"
    wait $!
    [ "$(sort "$dir/one" "$dir/other" | uniq -d | wc -l)" = 0 ]
    [ "$(cat "$dir/one" "$dir/other" | wc -l)" = 39 ]
    [ "$(davit ps --all --filter label=many=yes --format '{{.Names}}')" = many1 ]
    [ "$(davit ps --all --filter name=kept --format '{{.Names}}')" = kept ]
    davit rm --force kept many1
}
