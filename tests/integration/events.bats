#!/usr/bin/env bats
# Who listens to events, and who does not keep up.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

@test "who does not read misses events, is told how many, and holds nobody up" {
    davit run --detach --name talks busybox sleep 1000
    python3 - "$dir/run/davit.sock" <<'END'
import http.client, json, re, socket, sys

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])

slow = socket.socket(socket.AF_UNIX)
slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
slow.connect(sys.argv[1])
slow.sendall(b'GET /events?filters={"event":["exec_create"]} HTTP/1.1\r\nHost: d\r\n\r\n')
total, size = 400, 32768
talker = Connection("d")
for number in range(total):
    talker.request("POST", "/containers/talks/exec", json.dumps({"Cmd": ["echo", "%d" % number, "x" * size]}))
    answer = talker.getresponse()
    assert answer.status == 201, answer.read()
    answer.read()

# Now it reads, and on what comes afterwards it is up to date again.
text = b""
slow.settimeout(30)
while b'"missed"' not in text:
    text += slow.recv(1 << 20)
talker.request("POST", "/containers/talks/exec", json.dumps({"Cmd": ["echo", "last"]}))
talker.getresponse().read()
while b"echo last" not in text:
    text += slow.recv(1 << 20)
# The chunks' sizes stand between events.
events = [json.loads(line) for line in text.decode().split("\n") if line.startswith("{")]
missed = sum(int(event["Actor"]["Attributes"]["count"]) for event in events if event["Action"] == "missed")
seen = sum(event["Action"].startswith("exec_create") for event in events)
assert missed > 0
assert seen + missed == total + 1, (seen, missed)
END
    davit rm --force talks
}

@test "volumes have events, which a filter finds" {
    davit volume create heard
    davit volume create unheard
    davit volume rm heard unheard
    contains "$(davit events --since 10m --until "$(date +%s.%N)" --filter volume=heard)" create
    davit events --since 1 --until "$(date +%s.%N)" --filter volume=heard > "$dir/events"
    [ "$(wc -l < "$dir/events")" -eq 2 ]
    contains "$(cat "$dir/events")" "volume create heard"
    contains "$(cat "$dir/events")" "volume destroy heard"
}

@test "networks and volumes tell of containers that come and go, containers of restarts" {
    begin=$(date +%s.%N)
    davit network create --subnet 10.77.0.0/24 heard
    davit volume create kept
    davit run --detach --name comes --network heard --volume kept:/v busybox sleep 1000
    davit restart --time 0 comes
    davit network disconnect heard comes
    davit network connect heard comes
    davit rm --force comes
    id=$(davit network inspect --format '{{.Id}}' heard)
    said() { davit events --since "$begin" --until "$(date +%s.%N)" --format '{{.Type}} {{.Action}}' --filter "type=$1" | xargs; }
    [ "$(said network)" = "network create network connect network disconnect network connect network disconnect network connect network disconnect" ]
    [ "$(said volume)" = "volume create volume mount volume unmount volume mount volume unmount" ]
    contains "$(said container)" "container start container restart"
    [ "$(davit events --since "$begin" --until "$(date +%s.%N)" --filter event=connect --format '{{.Actor.ID}} {{.Actor.Attributes.name}}' | sort -u)" = "$id heard" ]
    # What did not run tells nothing when davitd is back.
    davit create --name rests --network heard --volume kept:/v busybox true
    begin=$(date +%s.%N)
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    [ -z "$(said network)$(said volume)" ]
    davit rm rests
    davit network rm heard
}
