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
    wait_until test "$(frozen lasting)" = 1
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
    [ "$status" -eq 1 ]
    contains "$output" "only -ef"
    davit exec --detach busy sh -c "exec -a \$(printf 'evil\\033[2J') sleep 1003" || true
    ! davit top busy | grep -q $'\033'
    davit rm --force busy
    run davit top busy
    [ "$status" -eq 1 ]
}
