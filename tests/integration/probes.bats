#!/usr/bin/env bats
# Health checks as docker has them, and davit's liveness and readiness probes.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }
teardown() {
    remove_containers
}

health() { davit inspect "$1" | jq -r ".[0].State.Health${2:-.Status}"; }
is_health() { [ "$(health "$1")" = "$2" ]; }
probe() { davit probe --format json "$1" | jq -r "$2"; }
is_probe() { [ "$(probe "$1" "$2")" = "$3" ]; }

@test "a container is healthy, sick, and well again by what its check says" {
    davit run --detach --name checked --health-cmd 'test -e /well && echo fine' --health-interval 30ms --health-retries 2 \
        busybox sh -c 'while :; do sleep 1; done'
    wait_until is_health checked unhealthy
    [ "$(health checked .FailingStreak)" -ge 2 ]
    [ "$(health checked '.Log[-1].ExitCode')" = 1 ]
    contains "$(davit ps)" "(unhealthy)"
    davit exec checked touch /well
    wait_until is_health checked healthy
    [ "$(health checked '.Log[-1] | "\(.ExitCode) \(.Output)"')" = "0 fine" ]
    [ "$(health checked '.Log | length')" -le 5 ]
    [ "$(health checked .FailingStreak)" = 0 ]
    [ "$(davit ps --quiet --filter health=healthy | wc -l)" -eq 1 ]
    [ "$(davit ps --quiet --filter health=unhealthy | wc -l)" -eq 0 ]
    davit events --since 1 --until "$(date +%s.%N)" --filter container=checked > "$dir/events"
    contains "$(cat "$dir/events")" "health_status: unhealthy"
    contains "$(cat "$dir/events")" "health_status: healthy"
}

@test "failures while it starts do not count; the first success does" {
    davit run --detach --name slow --health-cmd 'test -e /up' --health-interval 1h --health-start-period 1h \
        --health-start-interval 20ms --health-retries 1 busybox sleep 1000
    wait_until sh -c "[ \$('$build/davit' inspect slow | jq '.[0].State.Health.Log | length') -ge 3 ]"
    is_health slow starting
    contains "$(davit ps)" "(health: starting)"
    davit exec slow touch /up
    wait_until is_health slow healthy
}

@test "a check that hangs is ended by its timeout, with its program" {
    davit run --detach --name hangs --health-cmd 'exec sleep 12345' --health-interval 20ms --health-timeout 50ms --health-retries 1 busybox sleep 1000
    wait_until is_health hangs unhealthy
    contains "$(health hangs '.Log[0].Output')" "exceeded timeout (50 ms)"
    [ "$(health hangs '.Log[0].ExitCode')" = -1 ]
    # No more than the one that may be under way.
    [ "$(davit top hangs | grep -c 'sleep 12345')" -le 2 ]
}

@test "a check that says more than anybody keeps ends as soon as one that says little" {
    davit run --detach --name loud --health-cmd 'head -c 3000000 /dev/zero | tr "\\0" x' --health-interval 1h \
        --health-start-period 1h --health-start-interval 20ms --health-timeout 5s --health-retries 1 busybox sleep 1000
    wait_until is_health loud healthy
    [ "$(health loud '.Log[-1].Output | length')" = 4096 ]
}

@test "a program that is not there fails the check; a container without one has no health" {
    davit create --name none busybox true
    [ "$(davit inspect none | jq '.[0].State | has("Health")')" = false ]
    docker run --detach --name missing --health-cmd /nonexistent --health-interval 20ms --health-retries 1 busybox sleep 1000
    wait_until is_health missing unhealthy
}

@test "the image's check is used, completed or turned off" {
    mkdir -p "$dir/tree/bin"
    cp /bin/busybox "$dir/tree/bin/"
    for applet in sh sleep true false; do ln -sf busybox "$dir/tree/bin/$applet"; done
    davit import --change 'HEALTHCHECK --interval=25ms --retries=1 CMD false' "$dir/tree" checks:1
    davit run --detach --name own checks:1 sleep 1000
    wait_until is_health own unhealthy
    davit run --detach --name other --health-cmd true checks:1 sleep 1000
    wait_until is_health other healthy
    davit run --detach --name off --no-healthcheck checks:1 sleep 1000
    [ "$(davit inspect off | jq '.[0].State | has("Health")')" = false ]
}

@test "health outlives davitd, and checks go on" {
    davit run --detach --name stays --health-cmd 'test -e /well' --health-interval 30ms --health-retries 1 busybox sleep 1000
    wait_until is_health stays unhealthy
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    is_health stays unhealthy
    davit exec stays touch /well
    wait_until is_health stays healthy
}

@test "readiness shows and does nothing; over tcp and over http" {
    davit run --detach --name server --network none busybox sh -c 'mkdir -p /w; cd /w; while [ ! -e /go ]; do usleep 10000; done; exec httpd -f -p 8080'
    davit probe --readiness http:8080/page --interval 30ms --retries 1 server
    wait_until is_probe server .Readiness.Status unhealthy
    contains "$(probe server '.Readiness.Log[-1].Output')" "refused"
    davit exec server touch /go
    wait_until sh -c "'$build/davit' probe server | grep -q 404"
    is_probe server .Readiness.Status unhealthy
    davit exec server touch /w/page
    wait_until is_probe server .Readiness.Status healthy
    contains "$(probe server '.Readiness.Log[-1].Output')" "200 OK"
    davit probe --readiness tcp:8080 --interval 30ms server
    wait_until is_probe server .Readiness.Status healthy
    [ "$(davit inspect server | jq '.[0].RestartCount')" = 0 ]
    # From inside: nothing of the host's answers there.
    davit probe --readiness "tcp:$(free_port)" --interval 30ms --retries 1 server
    wait_until is_probe server .Readiness.Status unhealthy
    davit probe --readiness none server
    [ "$(probe server 'has("Readiness")')" = false ]
}

@test "a probe runs as nobody" {
    davit run --detach --name peek --network none busybox sh -c 'nc -ll -p 99 -e sleep 5'
    davit probe --liveness http:99/ --interval 20ms --timeout 5s --retries 1000 peek
    find_probe() { for status in /proc/[0-9]*/status; do grep -q "^PPid:.$1$" "$status" 2>/dev/null && grep -q '^Uid:.65534' "$status" && echo "$status"; done; }
    monitor=$(awk '/^PPid:/ {print $2}' "/proc/$(davit inspect peek | jq '.[0].State.Pid')/status")
    seen() { status=$(find_probe "$monitor" | head -1); [ -n "$status" ] && grep -q '^CapEff:.0*$' "$status"; }
    wait_until seen
}

@test "who fails its liveness probe is ended and started again, whatever the policy" {
    davit run --detach --name lives busybox sh -c 'trap "exit 3" TERM; rm -f /sick; while :; do usleep 10000; done'
    davit probe --liveness 'cmd:test ! -e /sick' --interval 30ms --retries 2 lives
    wait_until is_probe lives .Liveness.Status healthy
    first=$(davit inspect lives | jq -r '.[0].State.StartedAt')
    davit exec lives touch /sick
    restarted() { [ "$(davit inspect lives | jq -r '.[0].State | "\(.Running) \(.StartedAt)"')" != "true $first" ] && is_probe lives .Liveness.Status healthy; }
    wait_until restarted
    [ "$(davit inspect lives | jq '.[0].RestartCount')" = 1 ]
    davit events --since 1 --until "$(date +%s.%N)" --filter container=lives > "$dir/events"
    contains "$(cat "$dir/events")" "liveness_status: unhealthy"
    contains "$(cat "$dir/events")" "exitCode=3"
    # A stop is a stop.
    davit stop --time 5 lives
    [ "$(davit inspect lives | jq -r '.[0].State.Status')" = exited ]
}

@test "a paused container is not asked" {
    davit run --detach --name held --health-cmd true --health-interval 20ms busybox sleep 1000
    wait_until is_health held healthy
    davit pause held
    count() { health held '.Log[-1].Start'; }
    before=$(count)
    # Another one's checks are the clock.
    davit run --detach --name clock --health-cmd true --health-interval 20ms busybox sleep 1000
    wait_until sh -c "[ \$('$build/davit' inspect clock | jq '.[0].State.Health.Log | length') = 5 ]"
    [ "$(count)" = "$before" ]
    is_health held healthy
    davit unpause held
}

@test "probes that cannot be are refused by name" {
    davit create --name plain busybox true
    refused() { run davit probe "${@:2}" plain; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "none of tcp:PORT" --liveness udp:1
    refused "none of tcp:PORT" --liveness tcp:70000
    refused "not a time" --liveness tcp:1 --interval soon
    refused "cannot be less than 1ms" --liveness tcp:1 --interval 1us
    put() { curl --silent --unix-socket "$dir/run/davit.sock" -X PUT -d "$1" http://d/davit/v1/containers/plain/probes; }
    contains "$(put '{"Liveness": {"Http": {"Port": 80, "Path": "no-slash"}}}')" 'begin with'
    contains "$(put '{"Liveness": {"Http": {"Port": 80, "Path": "/a b"}}}')" 'must be encoded'
    contains "$(put '{"Liveness": {"Tcp": {"Port": 80, "Host": "example.org"}}}')" 'not an address'
    contains "$(put '{"Liveness": {"Tcp": {"Port": 80}, "Test": ["CMD", "x"]}}')" 'one of Test, Tcp and Http'
    contains "$(put '{"Alive": {"Tcp": {"Port": 1}}}')" Alive
    run davit create --health-cmd x --health-interval 1us busybox true
    contains "$output" "cannot be less than 1ms"
}

@test "docker's client sets a check and sees the result" {
    docker run --detach --name theirs --health-cmd 'echo ok' --health-interval 50ms --health-timeout 2s --health-retries 2 busybox sleep 1000
    wait_until is_health theirs healthy
    contains "$(docker ps)" "(healthy)"
    [ "$(docker inspect theirs --format '{{.State.Health.Status}} {{.Config.Healthcheck.Retries}}')" = "healthy 2" ]
}
