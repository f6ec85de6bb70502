#!/usr/bin/env bats
# Another version of davitd takes the place of one whose containers run, and goes again: old monitors, new daemon.
load common
load hosts

next=$build/next/davitd
server_version() { davit version | sed -n '/^Server/,$ s/^ *Version: *//p'; }
start_version() { # DAVITD
    davitd=$1 start_davitd
}
log_lines() { davit logs "$1" | wc -l; }

# Everything that a running container has of davitd, under whichever version that is.
all_is_well() {
    [ "$(davit inspect first talks web held | jq -c '[.[].State.Pid]')" = "$pids" ]
    [ "$(davit inspect held | jq -r '.[0].State.Status')" = paused ]
    davit exec first true
    [ "$(davit exec web wget -qO- http://127.0.0.1/)" = web ]
    [ "$(at_neighbour curl -sS --max-time 20 http://192.0.2.1:8080/)" = web ]
    davit exec first ping -c 1 -W 5 web
    [ "$(davit run --rm busybox echo new)" = new ]
    # What comes on its standard output goes into the log, once.
    davit exec talks sh -c "echo $1 > /said"
    wait_until eval "davit logs talks | grep -qx 'said $1'"
    [ "$(davit logs talks | grep -cx "said $1")" = 1 ]
    [ "$(davit stats --no-stream first | wc -l)" = 2 ]
    davit update --restart always first
}

@test "an upgrade with running containers, and the way back" {
    current=$(server_version)
    idle first
    web web --publish 8080:80
    davit run --detach --name talks busybox sh -c 'while :; do [ ! -e /said ] || { echo "said $(cat /said)"; rm /said; }; sleep 0.05; done'
    idle held
    davit pause held
    davit create --name waits busybox sh -c 'echo waited; exit 3'
    pids=$(davit inspect first talks web held | jq -c '[.[].State.Pid]')
    davit exec first sh -c 'trap "echo ended; exit 9" TERM; echo up; while :; do sleep 0.1; done' > "$dir/exec" 2>&1 3>&- &
    client=$!
    wait_until grep -q up "$dir/exec"
    all_is_well one
    stop_davitd
    start_version "$next"
    [ "$(server_version)" = 99.0.0 ]

    all_is_well two
    # Those of before, all of their lives.
    davit exec first sh -c 'kill -TERM "$(ps -o pid,args | awk "/trap/ && !/awk/ {print \$1; exit}")"'
    # Its output is the monitor's affair; its status was to be asked of the davitd that knew it.
    wait $client || true
    grep -qx ended "$dir/exec"
    davit restart --time 0 web
    wait_until davit exec web wget -qO- http://127.0.0.1/
    davit start waits
    [ "$(davit wait waits)" = 3 ]
    pids=$(davit inspect first talks web held | jq -c '[.[].State.Pid]')
    # As if it had crashed, and back to what was there.
    kill -9 "$(cat "$dir/pid")"
    start_version "$build/davitd"
    [ "$(server_version)" = "$current" ]
    all_is_well three
    davit unpause held
    davit stop --time 0 held talks first web
    [ "$(davit inspect held talks | jq -c '[.[].State.ExitCode]')" = "[137,137]" ]
    [ "$(davit logs waits)" = waited ]
}
