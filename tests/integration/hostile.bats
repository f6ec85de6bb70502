# What runs in a container does what it can against its supervisor, and processes of davit are stopped: each costs at
# most what it itself holds.

setup_file() {
    . "$BATS_TEST_DIRNAME/common.bash"
    setup_daemon_file
}
teardown_file() { . "$BATS_TEST_DIRNAME/common.bash"; teardown_daemon_file; }
setup() { . "$BATS_TEST_DIRNAME/common.bash"; export PYTHONPATH=$BATS_TEST_DIRNAME PYTHONDONTWRITEBYTECODE=1; }
teardown() {
    [ -z "${stopped:-}" ] || kill -CONT $stopped 2>/dev/null || true
    davit version >/dev/null 2>&1 || start_davitd
    remove_containers --volumes
}

state_of() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"; }
is_stopped() { [ "$(state_of "$1")" = T ]; }

# The processes of a container, as the host sees them.
processes_of() {
    local id
    id=$(davit inspect --format '{{.Id}}' "$1")
    cat "$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/davit/$id/cgroup.procs"
}

# A process that has entered a container, and is davit's code as yet, because somebody in there has stopped it.
find_stopped_entrant() {
    local pid
    for pid in $(processes_of "$1"); do
        is_stopped "$pid" && [ "$(readlink "/proc/$pid/exe")" = "$davitd_exe" ] && return 0
    done
    return 1
}

monitor_of() { ps -o ppid= -p "$(davit inspect --format '{{.State.Pid}}' "$1")" | tr -d ' '; }
# Dead, whether or not its parent knows.
is_dead() { [ ! -e "/proc/$1" ] || [ "$(state_of "$1")" = Z ]; }
answers() { timeout 60 "$build/davit" version >/dev/null; }

# All processes that come into the container's reach are stopped at once.
stop_everybody='while :; do kill -STOP -1; done'

@test "an exec that is stopped before it is its program holds up nobody" {
    davit run --detach --name stopper busybox sh -c "trap '' TERM; while :; do kill -STOP -1; echo line; done" >/dev/null
    davitd_exe=$(readlink "/proc/$(monitor_of stopper)/exe")
    # Whether it is caught before or after it is the program is a matter of luck: until one was.
    for try in $(seq 60); do
        timeout 70 "$build/davit" exec stopper true >/dev/null 2>&1 3>&- &
        execs="${execs:-} $!"
        sleep 0.05 # what the next one waits for is what is to happen by chance
        find_stopped_entrant stopper && break
    done
    find_stopped_entrant stopper
    # The monitor goes on with all the rest: the log, and what it is told.
    first=$(davit logs --tail 1 --timestamps stopper)
    wait_until sh -c "[ \"\$('$build/davit' logs --tail 1 --timestamps stopper)\" != '$first' ]"
    [ "$(davit inspect --format '{{.State.Status}}' stopper)" = running ]
    timeout 60 "$build/davit" kill --signal KILL stopper
    [ "$(timeout 60 "$build/davit" wait stopper)" = 137 ]
    for one in $execs; do wait "$one" || true; done
    # So also for stop, and rm.
    for way in "stop --time 1" "rm --force"; do
        davit start stopper >/dev/null
        execs=
        for try in 1 2 3 4 5; do timeout 70 "$build/davit" exec stopper true >/dev/null 2>&1 3>&- & execs="$execs $!"; done
        timeout 60 "$build/davit" $way stopper
        for one in $execs; do wait "$one" || true; done
    done
    refute davit inspect stopper
}

@test "a start that somebody else in its namespace stops can be ended" {
    davit run --detach --name first busybox sh -c "$stop_everybody" >/dev/null
    for way in "kill" "stop" "rm --force"; do
        timeout 70 "$build/davit" run --detach --name second --pid container:first busybox sleep 1000 3>&- >"$dir/second" 2>&1 &
        starter=$!
        # The positive control: it begins to start, and does not get any further.
        wait_until davit inspect second
        pid=
        for try in $(seq 100); do
            pid=$(processes_of second 2>/dev/null | head -n 1)
            [ -n "$pid" ] && is_stopped "$pid" && break
            sleep 0.02 # somebody else stops it, or it is the program before that: then also it is stopped
        done
        is_stopped "$pid"
        answers
        timeout 60 "$build/davit" $way second
        wait_until is_dead "$pid"
        wait "$starter" || true
        davit rm --force second 2>/dev/null || true
    done
    answers
}

@test "a monitor that is stopped holds up neither davitd nor a kill" {
    for way in "kill" "rm --force"; do
        davit run --detach --name held busybox sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
        davit run --detach --name other busybox sleep 1000 >/dev/null
        pid=$(davit inspect --format '{{.State.Pid}}' held)
        stopped=$(monitor_of held)
        kill -STOP "$stopped"
        wait_until is_stopped "$stopped"
        # More than its channel takes.
        python3 - "$dir/run/davit.sock" <<'END'
import sys, time
from api import Api
api = Api(sys.argv[1], timeout=5)
answers = {}
for i in range(20000):
    status, body = api.call("POST", "/containers/held/resize?h=10&w=10")
    answers[status] = answers.get(status, 0) + 1
    if status != 200:
        break
print(answers, body)
assert 503 in answers and "does not answer" in body["message"], answers
assert api.call("GET", "/_ping")[0] == 200
END
        [ "$(davit exec other echo works)" = works ]
        timeout 60 "$build/davit" $way held
        wait_until is_dead "$pid"
        [ "$way" = "rm --force" ] || [ "$(timeout 60 "$build/davit" wait held)" = 137 ]
        wait_until is_dead "$stopped"
        answers
        [ "$(davit exec other echo works)" = works ]
        davit rm --force held other >/dev/null 2>&1 || true
    done
}

@test "stop ends a container whose monitor does not answer, in its time" {
    davit run --detach --name held busybox sleep 1000 >/dev/null
    pid=$(davit inspect --format '{{.State.Pid}}' held)
    stopped=$(monitor_of held)
    kill -STOP "$stopped"
    wait_until is_stopped "$stopped"
    timeout 60 "$build/davit" stop --time 1 held
    is_dead "$pid"
    # What it was could be started again.
    davit start held >/dev/null
    [ "$(davit exec held echo works)" = works ]
    # Also one that the next davitd finds: it gives up what does not answer, and what that left goes.
    kill -9 "$(cat "$dir/pid")"
    wait "$(cat "$dir/pid")" 2>/dev/null || true
    start_davitd
    pid=$(davit inspect --format '{{.State.Pid}}' held)
    stopped=$(monitor_of held)
    kill -STOP "$stopped"
    wait_until is_stopped "$stopped"
    timeout 60 "$build/davit" rm --force held
    wait_until is_dead "$pid"
    wait_until is_dead "$stopped"
}

@test "a spawner that is stopped holds up nobody, and what was asked of it comes when it goes on" {
    davit run --detach --name runs busybox sleep 1000 >/dev/null
    stopped=$(ps -o pid=,comm= --ppid "$(cat "$dir/pid")" | awk '$2 == "davit-spawner" { print $1 }')
    [ -n "$stopped" ]
    kill -STOP "$stopped"
    wait_until is_stopped "$stopped"
    timeout 70 "$build/davit" run --name later busybox echo came 3>&- >"$dir/later" &
    waiting=$!
    wait_until davit inspect later
    # Trees to remove, workers, monitors: more than its channel takes.
    python3 - "$dir/run/davit.sock" <<'END'
import sys
from api import Api
api = Api(sys.argv[1], timeout=5)
refused = 0
for i in range(2000):
    status, body = api.call("POST", "/containers/create?name=c%d" % i, {"Image": "busybox", "Cmd": ["true"]})
    assert status == 201, body
    status, body = api.call("POST", "/containers/c%d/kill" % i)
    assert status == 409
    status, body = api.call("DELETE", "/containers/c%d" % i)
    assert status == 204, body
    assert api.call("GET", "/_ping")[0] == 200
    if i < 300:
        api.connection.close()
        other = Api(sys.argv[1], timeout=5)
        try:
            other.connection.request("GET", "/containers/runs/changes")
        except OSError:
            refused += 1
        api = Api(sys.argv[1], timeout=5)
END
    [ "$(davit exec runs echo works)" = works ]
    # A start that was given up meanwhile does not happen when nobody waits for it any more.
    davit create --name late busybox sleep 1000 >/dev/null
    timeout 60 "$build/davit" start late 3>&- >"$dir/late" 2>&1 &
    late=$!
    wait_until sh -c "'$build/davit' kill late"
    refute wait "$late"
    timeout 60 "$build/davit" run --name after busybox echo came too 3>&- >"$dir/after" &
    after=$!
    wait_until davit inspect after
    kill -CONT "$stopped"
    wait "$waiting"
    [ "$(cat "$dir/later")" = came ]
    wait "$after"
    [ "$(davit inspect --format '{{.State.Status}}' late)" = created ]
    refute processes_of late # it has no cgroup
}

@test "the size of an exec's terminal may come before the terminal" {
    davit run --detach --name sized busybox sleep 1000 >/dev/null
    python3 - "$dir/run/davit.sock" <<'END'
import sys
from api import Api, Connection
import json, socket
for i in range(20):
    api = Api(sys.argv[1])
    id = api.call("POST", "/containers/sized/exec", {"Cmd": ["sh", "-c", 'i=0; while [ "$(stty size 2>/dev/null)" != "33 77" ] && [ $i -lt 300 ]; do i=$((i+1)); sleep 0.02; done; stty size'], "Tty": True, "AttachStdout": True})[1]["Id"]
    body = json.dumps({"Tty": True})
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(sys.argv[1])
    stream.sendall(("POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (id, len(body), body)).encode())
    while api.call("POST", "/exec/%s/resize?h=33&w=77" % id)[0] != 200:
        pass
    said = b""
    while True:
        data = stream.recv(4096)
        if not data:
            break
        said += data
    assert said.split(b"\r\n\r\n", 1)[1].strip() == b"33 77", said
END
}

@test "what stands in the way of a copy to a volume holds up no start" {
    davit volume create trap >/dev/null
    davit run --rm --volume trap:/v busybox sh -c 'mkfifo /v/.davit-copyup; ls -A /v'
    data=$(davit volume inspect trap | jq -r '.[0].Mountpoint')
    [ -p "$data/.davit-copyup" ]
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.davit.copyup", b"y")' "$data"
    [ "$(timeout 60 "$build/davit" run --rm --volume trap:/etc busybox cat /etc/passwd | head -n 1 | cut -d: -f1)" = root ]
    [ ! -e "$data/.davit-copyup" ]
    # A directory of that name is in the way for good: the start says so.
    rm -rf "$data"/* && mkdir "$data/.davit-copyup"
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.davit.copyup", b"y")' "$data"
    run timeout 60 "$build/davit" run --rm --volume trap:/etc busybox true
    [ "$status" -ne 124 ]
    contains "$output" "copy"
}

@test "an image's account files that are devices or pipes are not opened" {
    # /dev/kmsg as /etc/passwd: whoever opens it as the host's root reads the kernel's log.
    mkdir -p "$dir/device/etc" "$dir/device/bin"
    cp /bin/busybox "$dir/device/bin/busybox"
    mknod "$dir/device/etc/passwd" c 1 11
    mkfifo "$dir/device/etc/group"
    tar c -C "$dir/device" . | davit import - device:1 >/dev/null
    davit create --name device --userns host device:1 /bin/busybox true >/dev/null
    strace -f -p "$(ps -o pid=,comm= --ppid "$(cat "$dir/pid")" | awk '$2 == "davit-spawner" { print $1 }')" -e trace=openat,openat2 -o "$dir/trace" 3>&- 2>"$dir/strace.err" &
    tracer=$!
    wait_until grep -q attached "$dir/strace.err"
    run davit start device
    kill "$tracer"; wait "$tracer" || true
    [ "$status" -ne 0 ]
    contains "$output" "/etc/passwd is not a file"
    # It was looked at, and not opened.
    contains "$(grep passwd "$dir/trace")" O_PATH
    [ "$(grep passwd "$dir/trace" | grep -cv O_PATH)" -eq 0 ]
    rm -r "$dir/device"
}

@test "copying into a container changes what was copied, whatever is put in its place meanwhile" {
    # Somebody who is not root replaces what comes into his directory by a link to a file of root's, all the time.
    davit run --detach --name swapper busybox sh -c 'mkdir /in && chmod 777 /in && echo secret > /target && chmod 600 /target && exec su -s /bin/sh nobody -c "while :; do ln -sf /target /in/x 2>/dev/null; mv /in/x /in/file 2>/dev/null; done"' >/dev/null
    wait_until davit exec swapper test -L /in/file
    mkdir "$dir/copy" && head -c 3000000 /dev/zero > "$dir/copy/file" && chmod 4777 "$dir/copy/file"
    swapped=0
    for i in $(seq 60); do
        davit cp "$dir/copy/file" swapper:/in/ >/dev/null 2>&1 || true
        davit exec swapper stat -c %a /target | tee "$dir/mode"
        [ "$(cat "$dir/mode")" = 600 ]
        [ "$(davit exec swapper cat /target)" = secret ]
        davit exec swapper test -L /in/file && swapped=$((swapped + 1))
    done
    # The attack was tried.
    [ "$swapped" -gt 0 ]
    rm -r "$dir/copy"
}

@test "devices in a running container are not opened by who copies out of it" {
    davit run --detach --name node --userns host busybox sh -c 'mknod /kmsg c 1 11 2>/dev/null; while :; do sleep 1; done' >/dev/null
    wait_until davit exec node test -c /kmsg
    # It is the same as a device, and the same as a file that becomes one when it is opened.
    davit cp node:/kmsg - | tar t | grep kmsg
    davit exec node sh -c 'mkdir /d; while :; do : > /d/f; rm /d/f; mknod /d/f c 1 11; rm /d/f; done' 3>&- >/dev/null 2>&1 &
    flipper=$!
    for i in $(seq 30); do davit cp node:/d - 2>/dev/null > "$dir/out.tar" || true; [ "$(stat -c %s "$dir/out.tar")" -lt 100000 ]; done
    kill "$flipper" 2>/dev/null; wait "$flipper" || true
}

@test "execs that have ended are forgotten by and by, and there is no end of them" {
    davit run --detach --name busy busybox sleep 1000 >/dev/null
    python3 - "$dir/run/davit.sock" <<'END'
import sys, time
from api import Api
api = Api(sys.argv[1])
ids = []
for i in range(4300):
    status, body = api.call("POST", "/containers/busy/exec", {"Cmd": ["true"]})
    assert status == 201, (i, status, body)
    ids.append(body["Id"])
    status, body = api.call("POST", "/exec/%s/start" % body["Id"], {"Detach": True})
    assert status == 200, (i, status, body)
def inspect(id):
    return api.call("GET", "/exec/%s/json" % id)
assert inspect(ids[0])[0] == 404
deadline = time.monotonic() + 30
while inspect(ids[-1])[1]["Running"] and time.monotonic() < deadline:
    pass
for id in ids[-200:]:
    status, body = inspect(id)
    assert status == 200 and body["ExitCode"] == 0, (status, body)
END
}

@test "an exec's end is told of that exec alone, also after davitd was killed" {
    davit run --detach --name first busybox sleep 1000 >/dev/null
    davit run --detach --name second busybox sleep 1000 >/dev/null
    python3 - "$dir/run/davit.sock" second 'until [ -e /go ]; do sleep 0.05; done; exit 7' <<'END'
import sys
from api import Api
api = Api(sys.argv[1])
id = api.call("POST", "/containers/%s/exec" % sys.argv[2], {"Cmd": ["sh", "-c", sys.argv[3]]})[1]["Id"]
assert api.call("POST", "/exec/%s/start" % id, {"Detach": True})[0] == 200
END
    kill -9 "$(cat "$dir/pid")"
    wait "$(cat "$dir/pid")" 2>/dev/null || true
    start_davitd
    python3 - "$dir/run/davit.sock" "$build/davit" <<'END'
import subprocess, sys, time
from api import Api
api = Api(sys.argv[1])
id = api.call("POST", "/containers/first/exec", {"Cmd": ["sleep", "1000"]})[1]["Id"]
assert api.call("POST", "/exec/%s/start" % id, {"Detach": True})[0] == 200
subprocess.run([sys.argv[2], "exec", "second", "touch", "/go"], check=True)
# Until the monitor of b has told: nothing runs there but its first process and who looks.
while True:
    top = subprocess.run([sys.argv[2], "top", "second"], check=True, capture_output=True, text=True).stdout
    if "until" not in top:
        break
subprocess.run([sys.argv[2], "exec", "second", "true"], check=True)
body = api.call("GET", "/exec/%s/json" % id)[1]
assert body["Running"] and body["ExitCode"] is None, body
END
}

@test "an exec's arguments may be as long as the kernel takes them, and what it does not take is said" {
    python3 - "$dir/run/davit.sock" <<'END'
import sys
from api import Api
api = Api(sys.argv[1])
environment = ["BIG%d=%s" % (i, "\x01" * 100000) for i in range(15)]
status, body = api.call("POST", "/containers/create?name=big", {
    "Image": "busybox", "Cmd": ["sleep", "1000"], "Env": [e.replace("\x01", "x") for e in environment],
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 100000000}})
assert status == 201, body
assert api.call("POST", "/containers/big/start")[0] == 204
status, body = api.call("POST", "/containers/big/exec", {"Cmd": ["true"] + ["y" * 1000] * 400})
assert status == 201, body
status, started = api.call("POST", "/exec/%s/start" % body["Id"], {"Detach": True})
assert status == 200, started
status, body = api.call("POST", "/containers/big/exec", {"Cmd": ["true"] + ["y" * 1000] * 2000})
assert status == 201, body
status, started = api.call("POST", "/exec/%s/start" % body["Id"], {"Detach": True})
assert status >= 400 and "rgument list too long" in started["message"], (status, started)
END
    [ "$(davit exec big sh -c 'echo ${#BIG14}')" = 100000 ]
    wait_until sh -c "[ \"\$('$build/davit' inspect --format '{{.State.Health.Status}}' big)\" = healthy ]"
}

@test "a tree as deep as a path may be long is copied, compared and committed; a deeper one is refused once, and counted" {
    davit run --name deep busybox sh -c 'i=0; while [ $i -lt 1900 ]; do mkdir d; cd d; i=$((i+1)); done; echo end > file'
    [ "$(davit export deep | tar -t | grep -c '^d/')" = 1901 ]
    [ "$(davit cp deep:/d - | tar -t | wc -l)" = 1901 ]
    [ "$(davit diff deep | grep -cE ' /d(/|$)')" = 1901 ]
    davit commit deep deep:1 >/dev/null
    davit run --rm deep:1 find /d -name file | grep -q /file
    davit rm deep
    # Deeper than any path: made from directory to directory.
    davit run --detach --name deeper busybox sleep 1000 >/dev/null
    python3 - "$dir/root/containers/$(davit inspect --format '{{.Id}}' deeper)/upper" <<'END'
import os, sys
os.chdir(sys.argv[1])
for _ in range(5000):
    os.mkdir("deep")
    os.chdir("deep")
END
    davit system df >/dev/null
    for command in "export deeper" "diff deeper" "commit deeper deep:2"; do
        : > "$dir/log"
        refute davit $command >/dev/null 2>"$dir/said"
        cat "$dir/said" "$dir/log"
        [ "$(wc -c < "$dir/said")" -lt 1000 ]
        [ "$(wc -c < "$dir/log")" -lt 2000 ]
    done
    davit rm --force deeper
    davit rmi deep:1
}

@test "what the kernel makes as it is read is not copied out of a container, and the rest is" {
    davit run --detach --name full busybox sleep 1000 >/dev/null
    davit cp full:/ - > "$dir/all.tar"
    tar -tf "$dir/all.tar" > "$dir/names"
    grep -q '^/*bin/busybox$' "$dir/names"
    grep -q '^/*proc/$' "$dir/names"
    refute grep -q '^/*proc/.' "$dir/names"
    refute grep -q '^/*sys/.' "$dir/names"
    run davit cp full:/proc/1/status -
    [ "$status" -ne 0 ]
    contains "$output" "made by the kernel"
}
