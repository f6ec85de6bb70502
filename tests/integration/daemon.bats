#!/usr/bin/env bats
# davitd through its own client: images, containers, streams, refusals, survival.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

@test "run prints, passes the exit status on, and --rm removes" {
    run davit run --rm --name gone busybox sh -c 'echo out; echo err >&2; exit 3'
    [ "$status" -eq 3 ]
    contains "$output" out
    contains "$output" err
    run davit inspect gone
    [ "$status" -eq 1 ]
}

@test "a missing program is 127, one that cannot run 126, a refusal 125" {
    run davit run --rm busybox nonexistent
    [ "$status" -eq 127 ]
    contains "$output" "executable file not found"
    run davit run --rm busybox /etc/passwd
    [ "$status" -eq 126 ]
    contains "$output" "permission denied"
    run davit run --rm --pull never nosuchimage true
    [ "$status" -eq 125 ]
    contains "$output" "No such image: nosuchimage"
    run davit run --rm --network nowhere busybox true
    [ "$status" -eq 125 ]
    contains "$output" "network nowhere not found"
}

@test "a failed start keeps its status and reason in inspect" {
    run davit run --name failed busybox nonexistent
    [ "$status" -eq 127 ]
    [ "$(davit inspect failed | jq -r '.[0].State.ExitCode')" = 127 ]
    contains "$(davit inspect failed | jq -r '.[0].State.Error')" nonexistent
    [ "$(davit inspect failed | jq -r '.[0].State.Status')" = created ]
    davit rm failed
}

@test "options of create are honoured inside" {
    mkdir -p "$dir/bind"
    echo bound > "$dir/bind/file"
    run davit run --rm --env A=b --workdir /made/dir --user alice --hostname box --read-only \
        --tmpfs /scratch --volume "$dir/bind:/bind:ro" --cap-drop ALL --cap-add CAP_KILL \
        --security-opt no-new-privileges --ulimit nofile=100:200 --label k=v busybox sh -c '
            echo $A; pwd; id; hostname; cat /bind/file; touch /bind/x 2>/dev/null || echo ro-bind
            touch /x 2>/dev/null || echo ro-root; touch /scratch/x && echo rw-tmpfs
            ulimit -n; ulimit -Hn; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status; echo $HOME'
    [ "$status" -eq 0 ]
    expected=$'b\n/made/dir\nuid=1000(alice) gid=1000(alice) groups=10(wheel),1000(alice)\nbox\nbound\nro-bind\nro-root\nrw-tmpfs\n100\n200\n'
    contains "$output" "${expected%$'\n'}"
    contains "$output" $'CapBnd:\t0000000000000020'
    contains "$output" $'NoNewPrivs:\t1'
    contains "$output" $'Seccomp:\t2'
    contains "$output" /home
}

@test "standard input reaches the program and its end too" {
    run bash -c "printf 'a\nb\n' | timeout 60 '$build/davit' run --rm --interactive busybox sh -c 'cat; echo done'"
    [ "$output" = $'a\nb\ndone' ]
}

@test "a megabyte passes through both ways unharmed" {
    head -c 1000000 /dev/urandom > "$dir/random"
    timeout 60 "$build/davit" run --rm --interactive busybox cat < "$dir/random" > "$dir/copy"
    cmp "$dir/random" "$dir/copy"
}

@test "a terminal is a terminal, with its size and its exit status" {
    run timeout 60 script -qec "stty rows 31 cols 87; '$build/davit' run --rm --interactive --tty busybox sh -c 'tty; read x; stty size; exit 6'" /dev/null < <(sleep 1; echo)
    [ "$status" -eq 6 ]
    contains "$output" /dev/pts/0
    contains "$output" "31 87"
}

@test "exec with all capabilities" {
    davit run --detach --name limited --cap-drop ALL busybox sleep 1000
    caps() { "$@" sh -c 'grep CapEff /proc/self/status | cut -f2'; }
    [ "$(caps davit exec limited)" = 0000000000000000 ]
    for client in davit docker; do
        [ "$(caps $client exec --privileged limited)" = "$(grep CapBnd /proc/self/status | cut -f2)" ]
    done
    davit rm --force limited
}

@test "attach with what has been said before" {
    davit run --detach --name said --interactive busybox sh -c 'echo before; echo other >&2; read x; echo after'
    attach() { curl -sSN --max-time 60 --unix-socket "$dir/run/davit.sock" -X POST "http://d/containers/said/attach?$1"; }
    wait_until [ "$(davit logs said 2>&1 | wc -l)" = 2 ]
    [ "$(attach 'logs=1&stdout=1' | tail -c +9)" = before ]
    attach 'logs=1&stream=1&stdout=1&stderr=1' > "$dir/attached" &
    wait_until grep -aq other "$dir/attached"
    echo go | davit attach said
    wait $!
    [ "$(tr -dc 'a-z\n' < "$dir/attached" | sort | tr '\n' ' ')" = "after before other " ]
    contains "$(attach 'logs=1&stdin=1')" "exclude each other"
    davit rm said
}

@test "attach connects to what runs, and passes its status" {
    davit run --detach --interactive --name att busybox sh -c 'read x; echo got $x; exit 3'
    run bash -c "echo hi | timeout 60 '$build/davit' attach att"
    [ "$status" -eq 3 ]
    [ "$output" = "got hi" ]
    run davit attach att
    [ "$status" -eq 1 ]
    contains "$output" "start it first"
    run bash -c "echo again | timeout 60 '$build/davit' start --attach --interactive att"
    [ "$status" -eq 3 ]
    [ "$output" = "got again" ]
    davit rm att
}

@test "exec runs in the container, with its own user, directory and status" {
    davit run --detach --name ex busybox sleep 1000
    run davit exec --env X=1 --workdir /tmp --user 5:6 ex sh -c 'echo $X; pwd; id; exit 8'
    [ "$status" -eq 8 ]
    [ "$output" = $'1\n/tmp\nuid=5 gid=6 groups=6' ]
    run davit exec ex nonexistent
    [ "$status" -eq 127 ]
    run bash -c "echo in | timeout 60 '$build/davit' exec --interactive ex cat"
    [ "$output" = in ]
    davit exec --detach ex touch /tmp/detached
    wait_until davit exec ex test -e /tmp/detached
    davit rm --force ex
    run davit exec ex true
    [ "$status" -eq 125 ]
}

@test "stop sends the signal, waits, and kills when told" {
    davit run --detach --name polite busybox sh -c 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done'
    wait_until sh -c "'$build/davit' logs polite | grep -q up"
    davit stop polite
    [ "$(davit inspect polite | jq -r '.[0].State.ExitCode')" = 5 ]
    contains "$(davit logs polite)" bye
    davit restart polite
    [ "$(davit inspect polite | jq -r '.[0].State.Status')" = running ]
    davit stop --time 0 polite
    [ "$(davit wait polite)" = 137 ]
    davit rm polite
}

@test "kill sends any signal; a stopped container refuses it" {
    davit run --detach --name sig busybox sh -c 'trap "exit 44" USR1; echo up; while :; do sleep 0.05; done'
    wait_until sh -c "'$build/davit' logs sig | grep -q up"
    davit kill --signal USR1 sig
    [ "$(davit wait sig)" = 44 ]
    run davit kill sig
    [ "$status" -eq 1 ]
    contains "$output" "is not running"
    run davit kill --signal BOGUS sig
    contains "$output" "Invalid signal"
    davit rm sig
}

@test "logs keep streams apart, follow, tail, and carry times" {
    davit run --detach --name logged busybox sh -c 'for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; sleep 0.05; done; printf partial'
    run davit logs --follow logged
    [ "$(echo "$output" | grep -c out)" -eq 5 ]
    [ "$(davit logs logged 2>/dev/null | grep -c err)" -eq 0 ]
    contains "$(davit logs --tail 1 logged)" partial
    # Options may stand behind the container, as with docker.
    contains "$(davit logs logged --tail 1)" partial
    davit logs --timestamps logged 2>/dev/null | head -n 1 | grep -Eq '^20[0-9-]+T[0-9:]+\.[0-9]{9}Z out1'
    time=$(davit logs --timestamps logged 2>/dev/null | sed -n 's/ out3.*//p')
    [ "$(davit logs --since "$time" logged 2>/dev/null | head -n 1)" = out3 ]
    [ "$(davit logs --until "$time" logged 2>/dev/null | tail -n 1)" = out3 ]
    davit rm logged
}

@test "the built-in init reaps orphans and passes signals" {
    not_sanitized "end by system calls that process 1 may not make"
    davit run --detach --init --name reaper busybox sh -c 'trap "exit 12" TERM; (sleep 0.1 &) ; echo up; while :; do sleep 0.05; done'
    wait_until sh -c "'$build/davit' logs reaper | grep -q up"
    run davit exec reaper ps
    [[ $output != *davitd* ]]
    wait_until ! sh -c "'$build/davit' exec reaper ps | grep -q 'Z '"
    davit stop reaper
    [ "$(davit wait reaper)" = 12 ]
    davit rm reaper
}

@test "ps filters, and prints JSON" {
    davit run --detach --name f1 --label tier=web busybox sleep 1000
    davit create --name f2 --label tier=db busybox true
    [ "$(davit ps --quiet --filter label=tier=web | wc -l)" -eq 1 ]
    [ "$(davit ps --all --quiet --filter label=tier | wc -l)" -eq 2 ]
    [ "$(davit ps --all --filter status=created --filter name=f2 --format json | jq -r .Names)" = f2 ]
    for filter in status=gone exited=x health=well publish=x 'expose=80/http' publish=9-1 is-task=perhaps since=nobody before=nobody; do
        run davit ps --filter "$filter"
        [ "$status" -eq 1 ]
        contains "$output" "filter ${filter%%=*}"
    done
    davit create --name exposes --expose 8000 --expose 53/udp busybox true
    [ "$(davit ps --all --filter expose=7999-8001 --format '{{.Names}}')" = exposes ]
    [ "$(davit ps --all --filter expose=53/udp --format '{{.Names}}')" = exposes ]
    [ -z "$(davit ps --all --quiet --filter expose=53)$(davit ps --all --quiet --filter is-task=true)" ]
    davit rm exposes
    run davit ps --filter bogus=1
    [ "$status" -eq 1 ]
    davit rm --force f1 f2
}

@test "names are unique and checked; a running container is not removed" {
    davit run --detach --name taken busybox sleep 1000
    run davit create --name taken busybox true
    [ "$status" -eq 1 ]
    contains "$output" "already in use by container"
    run davit create --name '../x' busybox true
    contains "$output" "Invalid container name"
    run davit rm taken
    [ "$status" -eq 1 ]
    contains "$output" "Stop the container"
    run davit start taken
    [ "$status" -eq 0 ]
    davit rm --force taken
}

@test "events tell the story of a container in order" {
    since=$(date +%s)
    davit run --rm --name story busybox true
    run davit events --since "$since" --until "$(($(date +%s) + 1))" --filter container=story --format json
    [ "$(echo "$output" | jq -r .Action | tr '\n' ' ')" = "create attach start die destroy " ]
}

@test "containers are confined by default" {
    run davit run --rm busybox sh -c '
        mount -t tmpfs none /mnt 2>&1; unshare -m true 2>&1; echo x > /proc/sysrq-trigger
        cat /proc/1/root/etc/hostname; ls /sys/firmware; grep CapInh /proc/self/status
        grep -c . /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x; ip link | grep -c :\ lo'
    contains "$output" "Operation not permitted"
    contains "$output" $'CapInh:\t0000000000000000'
    contains "$output" "Read-only file system"
    [[ $output != *"$(hostname)"* ]]
}

@test "a limit that cannot be enforced is refused at create, by name" {
    davit info --format json | jq -e .MemoryLimit && skip "this host's cgroup2 has the memory controller"
    run davit create --memory 64m busybox true
    [ "$status" -eq 1 ]
    contains "$output" "no memory controller"
    run davit create --memory 64m --volume "$dir/never-made:/x" busybox true
    [ ! -e "$dir/never-made" ]
    says_nothing davit ps --all --quiet
}

@test "a missing bind source is made, as docker does; a missing mount source is an error" {
    run davit run --rm --volume "$dir/made/deep:/x" busybox touch /x/file
    [ "$status" -eq 0 ]
    [ -e "$dir/made/deep/file" ]
    run davit run --rm --mount "type=bind,source=$dir/missing,target=/x" busybox true
    [ "$status" -eq 125 ]
    contains "$output" "bind source path does not exist"
}

@test "exec takes an environment variable without a value from the caller, as create does" {
    davit run --detach --name passes busybox sleep 100
    [ "$(FROM=caller davit exec --env FROM passes sh -c 'echo $FROM')" = caller ]
    davit rm --force passes
}

@test "a since that no clock can hold is refused" {
    davit create --name timeless busybox true
    run curl --silent --unix-socket "$dir/run/davit.sock" 'http://d/containers/timeless/logs?stdout=1&since=99999999999999'
    contains "$output" message
    davit rm timeless
    run timeout 60 curl --silent --unix-socket "$dir/run/davit.sock" 'http://d/events?since=99999999999999'
    contains "$output" "not a timestamp"
}

@test "kill -9 of davitd loses no container, no log byte and no exit status" {
    davit run --detach --name survivor busybox sh -c 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); [ $((i % 100)) -ne 0 ] || sleep 0.02; done; exit 33'
    davit run --detach --name forever busybox sh -c 'while :; do sleep 1; done'
    pid=$(davit inspect forever | jq '.[0].State.Pid')
    for round in 1 2 3; do
        kill -9 "$(cat "$dir/pid")"
        wait_until ! kill -0 "$(cat "$dir/pid")"
        kill -0 "$pid"
        start_davitd
        [ "$(davit inspect forever | jq '.[0].State.Pid')" = "$pid" ]
        davit exec forever true
    done
    [ "$(davit wait survivor)" = 33 ]
    [ "$(davit logs survivor | wc -l)" -eq 2000 ]
    [ "$(davit logs survivor | tail -n 1)" = "line 1999" ]
    davit rm --force survivor forever
}

@test "what ends while davitd is dead is found with its exit status" {
    davit run --detach --name ends busybox sh -c 'until [ -e /tmp/go ]; do sleep 0.02; done; echo last words; exit 21'
    pid=$(davit inspect ends | jq '.[0].State.Pid')
    kill -9 "$(cat "$dir/pid")"
    nsenter --target "$pid" --user --mount touch /tmp/go
    wait_until ! kill -0 "$pid"
    start_davitd
    [ "$(davit inspect ends | jq -r '.[0].State.Status')" = exited ]
    [ "$(davit wait ends)" = 21 ]
    [ "$(davit logs ends)" = "last words" ]
    davit rm ends
}

@test "a killed monitor takes its container along, and the state says so" {
    davit run --detach --name orphan busybox sleep 1000
    pid=$(davit inspect orphan | jq '.[0].State.Pid')
    kill -9 "$(ps -o ppid= -p "$pid" | tr -d ' ')"
    [ "$(davit wait orphan)" = 137 ]
    wait_until ! kill -0 "$pid"
    contains "$(davit inspect orphan | jq -r '.[0].State.Error')" "monitor died"
    davit start orphan
    davit rm --force orphan
}

@test "a second davitd on the same root is refused" {
    run timeout 60 "$davitd" --root "$dir/root" --run "$dir/other"
    [ "$status" -eq 1 ]
    contains "$output" "in use by another davitd"
}

@test "options of davitd are checked" {
    run "$davitd" --bogus
    [ "$status" -eq 1 ]
    echo '{"rooot": "/x"}' > "$dir/bad.json"
    run "$davitd" --config "$dir/bad.json" --root "$dir/r2" --run "$dir/run2"
    [ "$status" -eq 1 ]
    contains "$output" "rooot: unknown option"
    run "$davitd" --config "$dir/missing.json"
    contains "$output" "No such file"
}

@test "nothing of removed containers is left" {
    davit run --rm busybox true
    davit run --detach --name last busybox sleep 98765
    davit rm --force last
    says_nothing find "$dir/root/containers" "$dir/run/containers" -name '????????????????????????????????????????????????????????????????'
    refute grep -q "$dir" /proc/self/mountinfo
    refute eval 'ps -eo args | grep -v grep | grep -q "sleep 98765"'
    wait_until sh -c "[ -z \"\$(ls -A '$dir/root/trash')\" ]"
}

@test "no signal is ignored in a container, whatever davitd's caller and its monitor do" {
    stop_davitd
    (trap '' HUP PIPE; start_davitd)
    davit run --detach --name signals busybox sh -c 'grep SigIgn /proc/self/status; sleep 1000'
    wait_until eval '[ -n "$(davit logs signals)" ]'
    contains "$(davit logs signals)" "SigIgn:	0000000000000000"
    [ "$(davit exec signals grep SigIgn /proc/self/status | cut -f2)" = 0000000000000000 ]
    davit rm --force signals
}

@test "a terminal is left by the keys for that, and its container goes on" {
    leave() { # KEYS-AS-PYTHON ARGUMENT...
        timeout 30 python3 - "$1" "$build/davit" "${@:2}" 3>&- <<'END'
import os, pty, sys
keys = eval(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen, wrote = b"", False
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if b"ready" in seen and not wrote:
        os.write(fd, keys)
        wrote = True
print(seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    }
    contains "$(leave 'b"\x10\x11"' run --interactive --tty --name left busybox sh -c 'echo ready; exec sh')" "read escape sequence"
    [ "$(davit inspect --format '{{.State.Running}}' left)" = true ]
    contains "$(leave 'b"\x10\x18yx"' exec --interactive --tty --detach-keys ctrl-x,y,x left sh -c 'echo ready; exec sh')" "read escape sequence"
    davit stop --time 0 left
    contains "$(leave 'b"aab"' start --attach --interactive --detach-keys a,b left)" "read escape sequence"
    [ "$(davit inspect --format '{{.State.Running}}' left)" = true ]
    run davit attach --detach-keys ctrl-1 left
    [ "$status" -eq 1 ]
    contains "$output" "is not a list of up to 8 keys"
    davit rm --force left
}

@test "two davitds do not share a directory of sockets" {
    run timeout 60 "$davitd" --root "$dir/root2" --run "$dir/run"
    [ "$status" -eq 1 ]
    contains "$output" "--run $dir/run is in use by another davitd"
    run timeout 60 "$davitd" --root "$dir/root2" --run "$dir/run2" --socket "$dir/run/davit.sock"
    [ "$status" -eq 1 ]
    contains "$output" "another program answers there"
    davit version >/dev/null
}

# as_member COMMAND...: as nobody, in a group of root's choice.
as_member() { setpriv --reuid=nobody --regid=nogroup --groups=daemon "$@"; }
ping() { curl -s --max-time 5 --unix-socket "$1" http://d/_ping; }

@test "the group that may use the socket can, and nobody else, also with a socket of systemd's" {
    chmod 711 "$dir"
    export -f ping
    echo '{"socket_group": "daemon"}' > "$dir/group.json"
    for how in own activated; do
        mkdir "$dir/$how"
        chmod 700 "$dir/$how"
        if [ $how = own ]; then
            "$davitd" --config "$dir/group.json" --root "$dir/$how.root" --run "$dir/$how/run" 3>&- >>"$dir/group.log" 2>&1 &
            socket=$dir/$how/run/davit.sock
            # Above the run directory it is the administrator's to decide who passes.
            chmod 711 "$dir/$how"
        else
            socket=$dir/$how/davit.sock
            python3 - "$socket" "$davitd" --config "$dir/group.json" --root "$dir/$how.root" --run "$dir/$how.run" 3>&- >>"$dir/group.log" 2>&1 <<'END' &
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
os.umask(0o177)
listener.bind(sys.argv[1])
listener.listen(16)
os.umask(0o022)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
END
        fi
        pid=$!
        wait_until sh -c "[ \"\$(stat -c %G '$socket')\" = daemon ]"
        wait_until ping "$socket"
        [ "$(stat -c '%a %U %G' "$socket")" = "660 root daemon" ]
        [ "$(as_member bash -c "ping $socket")" = OK ]
        # Who is not in it reaches the socket and is refused there.
        run setpriv --reuid=nobody --regid=nogroup --clear-groups bash -c "ping $socket"
        [ "$status" -ne 0 ]
        [ "$output" != OK ]
        # The way in is no way to look around.
        run as_member ls "$(dirname "$socket")"
        [ "$status" -ne 0 ]
        kill $pid
        wait $pid || true
    done
}

@test "numbers of requests are numbers, or refused by name" {
    davit run --detach --name counted --tty busybox sleep 1000
    api() { curl -s -o "$dir/answer" -w '%{http_code}' --unix-socket "$dir/run/davit.sock" -X POST "http://d/containers/$1"; }
    for query in 'stop?t=abc' 'stop?t=1m' 'stop?t=18446744073710' 'stop?t=1e3' 'stop?t=0x10' 'restart?t=%201' 'stop?t=-99999999999' \
        'resize?h=abc&w=1' 'resize?h=1&w=-7' 'resize?h=1&w=65536'; do
        [ "$(api "counted/$query")" = 400 ]
        contains "$(cat "$dir/answer")" "is not a whole number from"
    done
    [ "$(curl -s -o "$dir/answer" -w '%{http_code}' --unix-socket "$dir/run/davit.sock" 'http://d/containers/json?limit=x')" = 400 ]
    [ "$(davit inspect --format '{{.State.Status}} {{.RestartCount}}' counted)" = "running 0" ]
    run davit stop -t 1m counted
    [ "$status" -eq 1 ]
    contains "$output" '"1m" is not a whole number'
    [ "$(davit inspect --format '{{.State.Status}}' counted)" = running ]
    for body in '{"Image":"busybox","StopTimeout":18446744073710}' '{"Image":"busybox","HostConfig":{"Memory":9223372036854775807}}'; do
        [ "$(curl -s -o "$dir/answer" -w '%{http_code}' --unix-socket "$dir/run/davit.sock" -H 'Content-Type: application/json' -d "$body" http://d/containers/create)" = 400 ]
    done
    [ "$(api 'counted/resize?h=20&w=30')" = 200 ]
    [ "$(api 'counted/stop?t=0')" = 204 ]
}

@test "a message of progress is one chunk" {
    python3 - "$dir/run/davit.sock" "$shared/busybox.tar" <<'END'
import os, socket, sys

def chunks(request, body=None):
    """What comes, chunk by chunk."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    client.sendall(request.encode())
    if body:
        with open(body, "rb") as file:
            client.sendfile(file)
    stream = client.makefile("rb")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.read(1)
    assert b"chunked" in head.lower(), head
    while True:
        length = int(stream.readline(), 16)
        if length == 0:
            return
        yield stream.read(length)
        stream.read(2)

size = os.path.getsize(sys.argv[2])
seen = list(chunks("POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: %d\r\n\r\n" % size, sys.argv[2]))
assert seen and all(chunk.startswith(b"{") and chunk.endswith(b"}\r\n") for chunk in seen), seen
os.system("'%s' create --name chunks busybox sh -c 'exit 3' >/dev/null" % os.path.join(os.path.dirname(sys.argv[2]), "../davit"))
seen = list(chunks("POST /containers/chunks/wait?condition=not-running HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"))
assert len(seen) == 1 and seen[0].endswith(b"}\n"), seen
END
}
