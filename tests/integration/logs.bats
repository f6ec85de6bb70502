#!/usr/bin/env bats
# Logs: files that are rotated while they are written and read, drivers, full disks.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }
teardown() {
    remove_containers
}

directory_of() { echo "$dir/root/containers/$(davit inspect "$1" | jq -r '.[0].Id')"; }
files_of() { find "$(directory_of "$1")" -name '*-json.log*' -printf '%f\n' | sed 's/^[0-9a-f]*//' | sort | xargs; }
# Prints $2 numbered lines, in the background if $3 says so.
counter() { davit run "${@:3}" --name "$1" busybox sh -c "i=0; while [ \$i -lt $2 ]; do echo line \$i; i=\$((i+1)); done"; }

@test "a log is rotated by size, and so many files are kept" {
    counter small 2000 --log-opt max-size=16k --log-opt max-file=3 >/dev/null
    [ "$(files_of small)" = "-json.log -json.log.1 -json.log.2" ]
    for file in "$(directory_of small)"/*-json.log*; do [ "$(stat -c %s "$file")" -le 20000 ]; done
    # What is left are the last lines, in order and without a gap.
    davit logs small > "$dir/small"
    [ "$(tail -n 1 "$dir/small")" = "line 1999" ]
    first=$(head -n 1 "$dir/small" | cut -d' ' -f2)
    [ "$first" -gt 0 ]
    diff "$dir/small" <(seq -f 'line %g' "$first" 1999)
}

@test "one file is emptied when it is full" {
    counter single 2000 --log-opt max-size=16k >/dev/null
    [ "$(files_of single)" = "-json.log" ]
    [ "$(davit logs single | tail -n 1)" = "line 1999" ]
    [ "$(davit logs single | wc -l)" -lt 2000 ]
}

@test "nothing is lost by rotation: neither for who reads all files, nor for who follows" {
    counter busy 20000 --detach --log-opt max-size=64k --log-opt max-file=1000 >/dev/null
    davit logs --follow busy > "$dir/followed"
    diff "$dir/followed" <(seq -f 'line %g' 0 19999)
    davit logs busy > "$dir/read"
    diff "$dir/read" "$dir/followed"
    [ "$(find "$(directory_of busy)" -name '*-json.log.*' | wc -l)" -gt 10 ]
}

@test "the last lines, from as many files as it takes" {
    counter tails 3000 --log-opt max-size=8k --log-opt max-file=100 >/dev/null
    for count in 0 1 7 500 2999 3000 5000; do
        davit logs --tail $count tails > "$dir/tail"
        diff "$dir/tail" <(seq -f 'line %g' 0 2999 | tail -n $count)
    done
}

@test "a log goes on across a restart of davitd and of the container" {
    davit run --detach --name again --log-opt max-size=4k --log-opt max-file=50 busybox sh -c \
        'rm -f /go; mkfifo /go; seq 1 300; read x < /go; seq 301 600'
    wait_until sh -c "'$build/davit' logs again | grep -q ^300$"
    stop_davitd
    start_davitd
    davit exec again sh -c 'echo > /go'  || true # it may go down with the container
    davit wait again
    davit start again
    wait_until sh -c "[ \$('$build/davit' logs again | grep -c ^300$) = 2 ]"
    diff <(davit logs again) <(seq 1 600; seq 1 300)
}

@test "all that a program can print comes back, and so does what another wrote by the same rules" {
    davit run --name bytes busybox sh -c 'printf "\"time\":\"x\"}\n\\\\\",\"stream\":\"stderr\n\t\001\033[m ü\n"' > "$dir/printed"
    [ "$(wc -l < "$dir/printed")" -eq 3 ]
    davit logs bytes | cmp - "$dir/printed"
    cat >> "$(davit inspect bytes | jq -r '.[0].LogPath')" <<'END'
{"time":"2030-01-01T00:00:00.5Z","log":"another order\n","stream":"stdout"}
{"log":"\u00e9\/\ud83d\ude00\n","stream":"stdout","time":"2030-01-01T00:00:01Z"}
{"log":"with more\n","stream":"stdout","attrs":{"a":"b"},"time":"2030-01-01T00:00:02Z"}
{"log":"cut
{"log":"last\n","stream":"stderr","time":"2030-01-01T00:00:03Z"}
END
    diff <(davit logs --since 2029-01-01T00:00:00Z bytes 2>&1) - <<'END'
another order
é/😀
with more
last
END
}

@test "a tail of a large log does not read all of it" {
    davit create --name huge busybox true >/dev/null
    python3 - "$(directory_of huge)" <<'END'
import os, sys
path = sys.argv[1]
line = '{"log":"%0100d\\n","stream":"stdout","time":"2026-01-02T03:04:05.000000000Z"}\n'
with open(f"{path}/{os.path.basename(path)}-json.log", "w") as log:
    block = "".join(line % i for i in range(10000))
    for _ in range(600): # one gigabyte
        log.write(block)
END
    before=$(awk '/^rchar/ {print $2}' "/proc/$(cat "$dir/pid")/io")
    [ "$(davit logs --tail 2 huge | wc -l)" -eq 2 ]
    after=$(awk '/^rchar/ {print $2}' "/proc/$(cat "$dir/pid")/io")
    [ $((after - before)) -lt 1000000 ]
}

@test "on a full disk whole lines are lost, and the log says how many" {
    mkdir "$dir/full"
    unshare --mount bash -s "$davitd" "$build/davit" "$dir/full" "$shared/busybox.tar" <<'END' 3>&-
set -e
mount -t tmpfs -o size=16m none "$3"
export DAVIT_HOST=unix://$3/run/davit.sock
"$1" --root "$3/root" --run "$3/run" >"$3/log" 2>&1 &
pid=$!
until "$2" version >/dev/null 2>&1; do sleep 0.02; done
"$2" load --quiet --input "$4" 2>/dev/null || "$2" load --input "$4" >/dev/null
"$2" run --detach --name full busybox sh -c 'mkfifo /1 /2 /3; echo ready; cat /1
    i=0; while [ $i -lt 400 ]; do printf "before %d %01000d\n" $i 0; i=$((i+1)); done
    cat /2 /3; i=0; while [ $i -lt 50 ]; do echo after $i; i=$((i+1)); done' >/dev/null
until "$2" logs full | grep -q ready; do sleep 0.02; done
dd if=/dev/zero of="$3/ballast" bs=4k 2>/dev/null || true
# Who opens it to write waits for who opens it to read: after the second time the first part is over.
"$2" exec full sh -c ': > /1'
"$2" exec full sh -c ': > /2'
rm "$3/ballast"
"$2" exec full sh -c ': > /3' || [ $? -eq 137 ]
"$2" wait full >/dev/null
"$2" logs full >"$3/../full.out" 2>"$3/../full.err"
"$2" rm full >/dev/null
kill $pid; wait $pid || true
END
    [ "$(grep -c '^after' "$dir/full.out")" -eq 50 ]
    seen=$(grep -c '^before' "$dir/full.out" || true)
    [ "$seen" -lt 400 ]
    lost=$(awk '/^davit: [0-9]+ lines are missing here/ { sum += $2 } END { print sum }' "$dir/full.err")
    [ $((seen + lost)) -eq 400 ]
    rm -rf "$dir/full"
}

@test "driver none: lines go to who is attached, and nowhere else" {
    [ "$(davit run --name quiet --log-driver none busybox echo seen)" = seen ]
    [ "$(files_of quiet)" = "" ]
    run davit logs quiet
    [ "$status" -eq 1 ]
    contains "$output" "does not support reading"
    docker run --rm --log-driver none busybox echo seen
}

@test "options of logs that are wrong are refused by name" {
    refused() { run davit create "${@:2}" busybox true; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused max-size --log-opt max-size=12
    refused max-size --log-opt max-size=many
    refused max-file --log-opt max-file=0 --log-opt max-size=1m
    refused "needs max-size" --log-opt max-file=2
    refused compress --log-opt compress=true
    refused mode --log-opt mode=perhaps
    refused "needs mode=non-blocking" --log-opt max-buffer-size=2m
    refused "LogConfig.Type" --log-driver gelf
    refused syslog-facility --log-driver syslog --log-opt syslog-facility=nobody
    refused syslog-format --log-driver syslog --log-opt syslog-format=rfc1
    refused "daemon relays" --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:514
    refused "an address is expected" --log-driver syslog --log-opt syslog-address=udp://example.com:514
    refused syslog-address --log-driver syslog --log-opt syslog-address=unixgram://relative
    refused syslog-address --log-driver json-file --log-opt syslog-address=udp://127.0.0.1
    [ -e /run/systemd/journal/socket ] || refused "journald does not run" --log-driver journald
}

# messages FAMILY: a daemon that writes what it gets, a line each, to $dir/messages; its address or port in $dir/listens.
listen_for_messages() {
    rm -f "$dir/messages" "$dir/listens" "$dir/log.sock"
    python3 - "$1" "$dir" 3>&- <<'END' &
import os, socket, sys
family, directory = sys.argv[1:]
s = socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(directory + "/log.sock" if family == "unix" else ("127.0.0.1", 0))
out = open(directory + "/messages", "wb", buffering=0)
open(directory + "/listens.new", "w").write(str(s.getsockname()[1]) if family != "unix" else "here")
os.rename(directory + "/listens.new", directory + "/listens")
while True:
    out.write(s.recv(65536) + b"\n")
END
    listener=$!
    wait_until test -e "$dir/listens"
}
has_messages() { [ -e "$dir/messages" ] && [ "$(wc -l < "$dir/messages")" -ge "$1" ]; }

@test "driver syslog: lines are messages of the host's daemon, by each format, and files that logs reads" {
    listen_for_messages unix
    address=syslog-address=unixgram://$dir/log.sock
    davit run --name said --log-driver syslog --log-opt "$address" --log-opt tag=greeter/{{.Name}} --log-opt syslog-facility=local3 \
        busybox sh -c 'echo out; echo error >&2'
    wait_until has_messages 2
    grep -qE '^<158>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} greeter/said\[[0-9]+\]: out$' "$dir/messages"
    grep -qE '^<155>.* greeter/said\[[0-9]+\]: error$' "$dir/messages"
    [ "$(davit logs said 2>&1 | sort | xargs)" = "error out" ]
    davit run --rm --log-driver syslog --log-opt "$address" --log-opt syslog-format=rfc5424micro --log-opt tag=t busybox echo micro
    wait_until grep -qE "^<30>1 20[0-9-]{8}T[0-9:]{8}\.[0-9]{6}Z $(hostname) t [0-9]+ t - micro\$" "$dir/messages"
    davit run --rm --log-driver syslog --log-opt "$address" --log-opt syslog-format=rfc3164 --log-opt tag=t busybox echo old
    wait_until grep -qE "^<30>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} $(hostname) t\[[0-9]+\]: old\$" "$dir/messages"
    kill "$listener"
}

@test "a syslog daemon that is away holds nobody up, and gets what comes once it is back" {
    listen_for_messages udp
    port=$(cat "$dir/listens")
    davit run --detach --name speaks --interactive --log-driver syslog --log-opt "syslog-address=udp://127.0.0.1:$port" busybox cat
    echo first | davit attach speaks >/dev/null 2>&1 &
    wait_until has_messages 1
    kill "$listener"
    davit rm --force speaks
    listen_for_messages unix
    kill "$listener"
    wait "$listener" || true
    mkfifo "$dir/words"
    davit run --name later --interactive --log-driver syslog --log-opt "syslog-address=unixgram://$dir/log.sock" busybox cat < "$dir/words" > "$dir/echoed" 3>&- &
    exec 9> "$dir/words"
    echo lost >&9
    wait_until grep -q lost "$dir/echoed"
    listen_for_messages unix
    echo found >&9
    exec 9>&-
    wait_until grep -q ': found$' "$dir/messages"
    refute grep -q lost "$dir/messages"
    [ "$(davit logs later | xargs)" = "lost found" ]
    kill "$listener"
}

@test "driver local: files of 20 MB, five of them" {
    davit run --name kept --log-driver local busybox echo kept
    [ "$(davit logs kept)" = kept ]
    [ "$(davit inspect --format '{{.HostConfig.LogConfig.Type}}' kept)" = local ]
    davit run --name rotated --log-driver local --log-opt max-size=8k --log-opt max-file=2 --log-opt compress=false busybox seq 1 1000 >/dev/null
    [ "$(files_of rotated)" = "-json.log -json.log.1" ]
}

@test "docker's client sets and reads them" {
    docker run --name theirs --log-driver json-file --log-opt max-size=8k --log-opt max-file=4 busybox seq 1 1000 >/dev/null
    [ "$(files_of theirs)" = "-json.log -json.log.1 -json.log.2 -json.log.3" ]
    [ "$(docker logs --tail 3 theirs | xargs)" = "998 999 1000" ]
    [ "$(docker inspect theirs --format '{{index .HostConfig.LogConfig.Config "max-size"}} {{.HostConfig.LogConfig.Type}}')" = "8k json-file" ]
}

@test "a disk that stands still holds up who does not wait for it, and no other" {
    mkdir "$dir/frozen"
    truncate -s 128M "$dir/disk"
    mkfs.ext4 -q "$dir/disk"
    timeout 100 unshare --mount bash -s "$davitd" "$build/davit" "$dir/frozen" "$shared/busybox.tar" "$dir/disk" <<'END' 3>&-
set -e
mount -o loop "$5" "$3"
run=$(mktemp -d /tmp/davit-test.XXXXXX)
export DAVIT_HOST=unix://$run/davit.sock
"$1" --root "$3/root" --run "$run" >"$run/log" 2>&1 &
pid=$!
trap 'fsfreeze --unfreeze "$3" 2>/dev/null || true; kill "$pid"; wait "$pid" || true; umount "$3"; rm -r "$run"' EXIT
until "$2" version >/dev/null 2>&1; do sleep 0.02; done
"$2" load --input "$4" >/dev/null
"$2" run --detach --name queued --tmpfs /t --log-opt mode=non-blocking --log-opt max-buffer-size=64k \
    --log-opt max-size=20k --log-opt max-file=1000 busybox sh -c 'mkfifo /t/go /t/more; echo ready; cat /t/go
    i=0; while [ $i -lt 5000 ]; do printf "line %d %0200d\n" $i 0; i=$((i+1)); done
    : > /t/done; cat /t/more; echo last' >/dev/null
until "$2" logs queued | grep -q ready; do sleep 0.02; done
fsfreeze --freeze "$3"
"$2" exec queued sh -c ': > /t/go'
until "$2" exec queued test -e /t/done; do sleep 0.02; done
fsfreeze --unfreeze "$3"
# Killed with the container, if that is sooner at its end.
"$2" exec queued sh -c ': > /t/more' || [ $? -eq 137 ]
"$2" wait queued >/dev/null
"$2" logs queued >"$3/../out" 2>"$3/../err"
ls "$3"/root/containers/*/*-json.log* | wc -l >"$3/../files"
"$2" rm queued >/dev/null
END
    head -n 1 "$dir/out" | grep -qx ready
    tail -n 1 "$dir/out" | grep -qx last
    lost=$(sed -n 's/^davit: \([0-9]*\) lines are missing.*/\1/p' "$dir/err" | awk '{s+=$1} END {print s}')
    kept=$(grep -cE '^line [0-9]+ 0{200}$' "$dir/out")
    [ "$lost" -gt 0 ]
    [ "$(cat "$dir/files")" -gt 1 ]
    [ $((lost + kept)) -eq 5000 ]
    [ "$(grep -cvE '^(line [0-9]+ 0{200}|ready|last)$' "$dir/out")" -eq 0 ]
    run davit create --log-opt max-buffer-size=1m busybox
    contains "$output" "needs mode=non-blocking"
}

@test "how containers log that do not say so is the configuration's" {
    stop_davitd
    echo '{"log_driver": "json-file", "log_opts": {"max-size": "16k", "max-file": "2"}}' > "$dir/davitd.json"
    DAVIT_CONFIG=$dir/davitd.json start_davitd
    counter defaults 2000 >/dev/null
    [ "$(files_of defaults)" = "-json.log -json.log.1" ]
    davit create --name own --log-opt max-file=7 busybox
    [ "$(davit inspect own | jq -c '.[0].HostConfig.LogConfig.Config | to_entries | map(.value) | sort')" = '["16k","7"]' ]
    davit create --name none --log-driver none busybox
    [ "$(davit inspect none | jq -c '.[0].HostConfig.LogConfig')" = '{"Type":"none","Config":{}}' ]
    [ "$(davit info --format '{{.LoggingDriver}}')" = json-file ]
    stop_davitd
    echo '{"log_opts": {"max-size": "big"}}' > "$dir/davitd.json"
    run timeout 60 "$davitd" --config "$dir/davitd.json" --root "$dir/root" --run "$dir/run"
    [ "$status" -eq 1 ]
    contains "$output" "log_opts: "
    start_davitd
}

@test "labels, environment and tag go with every line, and logs shows them" {
    davit run --name marked --label team=blue --label other=1 --env STAGE=live --env EMPTY= --log-opt labels=team,absent --log-opt env=STAGE,EMPTY \
        --log-opt tag='{{.Name}}/{{ .ImageName }}-{{.ID}}' busybox sh -c 'echo first; echo "sec\"ond" >&2'
    id=$(davit inspect marked | jq -r '.[0].Id')
    jq -s -e --arg tag "marked/busybox-${id:0:12}" 'length == 2 and all(.[]; .attrs == {team: "blue", STAGE: "live", EMPTY: "", tag: $tag}) and
        ([.[].log] | sort) == ["first\n", "sec\"ond\n"]' "$dir/root/containers/$id/$id-json.log"
    [ "$(davit logs marked 2>/dev/null)" = first ]
    [ "$(davit logs --details marked 2>/dev/null)" = "team=blue,STAGE=live,EMPTY=,tag=marked/busybox-${id:0:12} first" ]
    contains "$(docker logs --details marked 2>&1)" "team=blue"
    [ "$(davit logs --tail 1 marked 2>&1 | wc -l)" = 1 ]
    davit rm marked
    davit run --name plain busybox echo line
    [ "$(davit logs --details plain)" = " line" ]
    davit rm plain
    refused() { run davit create "${@:2}" busybox; [ "$status" -ne 0 ]; contains "$output" "$1"; }
    refused "templates .ID" --log-opt tag='{{.DaemonName}}'
    refused "templates .ID" --log-opt tag='{{.ID'
    refused "labels-regex" --log-opt labels-regex=a.*
}

@test "lines of a stream share frames, unless something stands before them" {
    davit run --name framed busybox sh -c 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo problem >&2; echo last'
    frames() { # QUERY: stream and length of each, and the content on standard error
        curl -s --unix-socket "$dir/run/davit.sock" "http://d/v1.43/containers/framed/logs?stdout=1&stderr=1$1" | python3 -c '
import sys, struct
data = sys.stdin.buffer.read()
while data:
    stream, length = struct.unpack(">BxxxI", data[:8])
    print(stream, length)
    assert 0 < length <= 32 << 10 and len(data) >= 8 + length
    sys.stderr.buffer.write(data[8:8 + length])
    data = data[8 + length:]'
    }
    frames "" > "$dir/frames" 2> "$dir/content"
    davit logs framed > "$dir/both" 2>&1
    [ "$(wc -l < "$dir/content")" = 3002 ]
    [ "$(wc -l < "$dir/frames")" -lt 40 ]
    # In which order two pipes are read is nobody's promise.
    [[ "$(cut -d' ' -f1 "$dir/frames" | uniq | xargs)" =~ ^(1\ 2\ 1|1\ 2|2\ 1)$ ]]
    [ "$(davit logs framed 2>/dev/null | tail -n 1)" = last ]
    davit logs framed 2>/dev/null | cmp - <(grep -v problem "$dir/content")
    # A client may take each frame for a line, with its time.
    frames "&timestamps=1" > "$dir/frames" 2>/dev/null
    [ "$(wc -l < "$dir/frames")" = 3002 ]
    docker logs framed 2>&1 | cmp - "$dir/content"
}

@test "lines with zero bytes come back whole, also with attributes and details" {
    for options in "" "--label team=blue --log-opt labels=team"; do
        # shellcheck disable=SC2086
        davit run --name zeros $options busybox printf 'one\0two\nthree\n\0\nquote"back\\slash\0\n'
        davit logs zeros > "$dir/plain"
        printf 'one\0two\nthree\n\0\nquote"back\\slash\0\n' | cmp - "$dir/plain"
        [ "$(davit logs --details zeros | wc -l)" = 4 ]
        davit logs --details zeros | sed 's/^[^ ]* //' | cmp - "$dir/plain"
        davit rm zeros
    done
}
