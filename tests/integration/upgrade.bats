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

teardown() {
    if [ "$dir" != "${dir%/earlier}" ]; then
        remove_containers
        stop_davitd
        dir=${dir%/earlier}
        DAVIT_HOST="unix://$dir/run/davit.sock"
        start_davitd
    fi
    remove_containers
    davit network prune --force >/dev/null
}

# root-1 is what a davit with version 1 of the database has left on its disk, but for the layer of its image.
@test "what an earlier davit has left on disk is read, and becomes this one's" {
    stop_davitd
    export dir="$dir/earlier" DAVIT_HOST="unix://$dir/earlier/run/davit.sock"
    mkdir -p "$dir"
    cp -r "$BATS_TEST_DIRNAME/root-1" "$dir/root"
    sed -i "s,@ROOT@,$dir/root," "$dir"/root/containers/*/config.json
    mkdir "$dir/root/volumes/data/_data" "$dir/root/layers"
    cp -a "${dir%/earlier}"/root/layers/* "$dir/root/layers/1cdef74197d511b0af49204fd673c92da1947b4e7d5b9cf0e073d27a13557d48"
    echo kept > "$dir/root/volumes/data/_data/file"
    python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())' "$dir/root/davit.db" "$dir/root/davit.sql"
    start_davitd
    for turn in first second; do
        [ "$(davit ps --all --format '{{.Names}} {{.State}}' | sort | tr '\n' ' ')" = "ended exited held exited linked exited made created " ]
        davit inspect made > "$dir/made"
        [ "$(jq -c '.[0] | [.Config.Labels.stage, (.Config.Env | contains(["A=b"])), .Config.Cmd, .Config.Healthcheck.Test]' "$dir/made")" = '["old",true,["httpd","-f"],["CMD-SHELL","true"]]' ]
        [ "$(jq -c '.[0] | [.HostConfig.RestartPolicy.Name, .HostConfig.PortBindings["80/tcp"][0].HostPort, .Mounts[0].Name, .State.Status]' "$dir/made")" = '["unless-stopped","8080","data","created"]' ]
        [ "$(davit inspect ended held linked | jq -c '[.[].State.ExitCode]')" = "[3,137,0]" ]
        [ "$(davit network inspect back | jq -c '.[0] | [.IPAM.Config[0].Subnet, .Labels.stage, .Driver]')" = '["10.91.0.0/24","old","bridge"]' ]
        [ "$(davit volume ls --filter label=stage=old --quiet)" = data ]
        [ "$(davit images --format '{{.Repository}}:{{.Tag}}')" = busybox:latest ]
        kill -9 "$(cat "$dir/pid")"
        start_davitd
    done
    # What it was told to keep to it keeps to.
    run davit run --rm --network back --ip 10.91.0.7 busybox true
    contains "$output" "Address 10.91.0.7 is already in use"
    run davit volume rm data
    contains "$output" "volume is in use"
    run davit create --name made busybox
    contains "$output" "already in use"
    [ "$(davit run --rm --volume data:/data busybox cat /data/file)" = kept ]
    davit start --attach linked
    davit rename made renamed
    davit rm renamed ended held linked
    davit volume rm data
    davit network rm back
}
