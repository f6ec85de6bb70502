# What is lost or damaged in davitd's directory, and what has to be there all the same.

setup_file() {
    . "$BATS_TEST_DIRNAME/common.bash"
    setup_daemon_file
}
teardown_file() { . "$BATS_TEST_DIRNAME/common.bash"; teardown_daemon_file; }
setup() { . "$BATS_TEST_DIRNAME/common.bash"; }
teardown() {
    davit version >/dev/null 2>&1 || start_davitd
    remove_containers
    davit image inspect busybox >/dev/null 2>&1 || davit load --input "$shared/busybox.tar"
}

kill_davitd() {
    kill -9 "$(cat "$dir/pid")"
    wait "$(cat "$dir/pid")" 2>/dev/null || true
}

# One of each kind: what they were is asked for by check_all.
make_all() {
    davit run --detach --name live busybox sh -c 'echo started; trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null
    davit run --name ended --label a=b busybox sh -c 'echo kept > /file; exit 7' || [ $? = 7 ]
    davit create --name made busybox cat /etc/passwd >/dev/null
    davit run --detach --name stopped --restart unless-stopped busybox sleep 1000 >/dev/null
    davit stop --time 0 stopped >/dev/null
    davit run --detach --name before busybox sleep 1000 >/dev/null
    davit rename before renamed
    id=$(davit inspect --format '{{.Id}}' live)
}

check_all() {
    davit ps --all --format '{{.Names}} {{.State}}' | sort | tee "$dir/states"
    [ "$(xargs < "$dir/states")" = "ended exited live running made created renamed running stopped exited" ]
    [ "$(davit inspect --format '{{.Id}}' live)" = "$id" ]
    [ "$(davit exec live echo works)" = works ]
    [ "$(davit logs live)" = started ]
    [ "$(davit inspect --format '{{.State.ExitCode}} {{.Config.Labels.a}}' ended)" = "7 b" ]
    [ "$(davit cp ended:/file - | tar xO)" = kept ]
    contains "$(davit start --attach made)" root:
    davit stop live >/dev/null
    [ "$(davit wait live)" = 5 ]
}

@test "a database that is gone, empty, without its journal, or torn: no container is lost" {
    for damage in gone empty no-journal torn; do
        make_all
        kill_davitd
        case $damage in
        gone) rm -f "$dir/root/davit.db"* ;;
        empty) rm -f "$dir/root/davit.db"*; : > "$dir/root/davit.db" ;;
        no-journal) rm "$dir/root/davit.db-wal" ;;
        torn)
            python3 - "$dir/root/davit.db-wal" <<'END'
import os, sys
size = os.path.getsize(sys.argv[1])
with open(sys.argv[1], "r+b") as wal:
    wal.seek(size // 3)
    wal.write(b"\xff" * 400)
END
            ;;
        esac
        : > "$dir/log"
        start_davitd
        echo "$damage:"; cat "$dir/log"
        # That the damage was done is seen by who had to be taken over.
        contains "$(cat "$dir/log")" "was not in the database: taken over from its directory"
        check_all
        remove_containers
    done
}

@test "a database that was put back from a copy: what came since is there, what was removed is not" {
    make_all
    removed=$(davit create --name removed busybox true)
    stop_davitd
    cp "$dir/root/davit.db" "$dir/old.db"
    start_davitd
    davit rm removed >/dev/null
    davit rename renamed again
    davit update --restart always made >/dev/null
    davit create --name new busybox true >/dev/null
    kill_davitd
    rm "$dir/root/davit.db"*
    cp "$dir/old.db" "$dir/root/davit.db"
    : > "$dir/log"
    start_davitd
    cat "$dir/log"
    contains "$(cat "$dir/log")" "newer definition"
    davit inspect new again live ended >/dev/null
    refute davit inspect renamed
    [ "$(davit inspect --format '{{.HostConfig.RestartPolicy.Name}}' made)" = always ]
    # Of that one there is a row, and nothing else.
    contains "$(cat "$dir/log")" "container removed ("
    refute davit inspect removed
    [ "$(jq -r .Name "$dir/root/aside/$removed.json")" = removed ]
    davit rename again renamed
    davit rm new
    check_all
    davit rm --force made
}

@test "a row that was damaged into another readable one is not believed" {
    davit create --name sealed --label kept=before busybox true >/dev/null
    kill_davitd
    python3 - "$dir/root/davit.db" <<'END'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database:
    assert database.execute("UPDATE containers SET definition = replace(definition, 'before', 'beforf') WHERE name = 'sealed'").rowcount == 1
END
    : > "$dir/log"
    start_davitd
    cat "$dir/log"
    contains "$(cat "$dir/log")" "it takes that of the directory"
    [ "$(davit inspect --format '{{.Config.Labels.kept}}' sealed)" = before ]
    davit rm sealed
}

@test "directories that are all gone are said to be, and nothing is forgotten" {
    make_all
    davit rm --force live renamed
    stop_davitd
    mv "$dir/root/containers" "$dir/elsewhere"
    : > "$dir/log"
    start_davitd
    contains "$(cat "$dir/log")" "is a filesystem not mounted?"
    [ "$(davit ps --all --format '{{.Names}}' | sort | xargs)" = "ended made stopped" ]
    stop_davitd
    rmdir "$dir/root/containers"
    mv "$dir/elsewhere" "$dir/root/containers"
    start_davitd
    [ "$(davit inspect --format '{{.State.ExitCode}} {{.Config.Labels.a}}' ended)" = "7 b" ]
    contains "$(davit start --attach made)" root:
}

@test "names that were exchanged since a copy of the database are good" {
    davit create --name one busybox echo one >/dev/null
    davit create --name two busybox echo two >/dev/null
    stop_davitd
    cp "$dir/root/davit.db" "$dir/older.db"
    start_davitd
    davit rename one tmp; davit rename two one; davit rename tmp two
    kill_davitd
    rm "$dir/root/davit.db"*
    cp "$dir/older.db" "$dir/root/davit.db"
    for i in 1 2; do
        : > "$dir/log"
        start_davitd
        [ "$(davit start --attach one) $(davit start --attach two)" = "two one" ]
        [ "$(grep -c UNIQUE "$dir/log")" -eq 0 ]
        kill_davitd
    done
    start_davitd
    davit rm one
    davit create --name one busybox true >/dev/null
}

@test "a second copy that is empty is made again, and an exit that davitd has found out is kept twice as well" {
    davit run --name ended busybox sh -c 'exit 7' || [ $? = 7 ]
    davit run --detach --name lost busybox sleep 1000 >/dev/null
    kill -9 "$(ps -o ppid= -p "$(davit inspect --format '{{.State.Pid}}' lost)")"
    wait_until sh -c "[ \"\$('$build/davit' inspect --format '{{.State.Status}}' lost)\" = exited ]"
    kill_davitd
    for file in "$dir/root/containers/"*/definition-0.json; do : > "$file"; done
    start_davitd
    kill_davitd
    rm "$dir/root/davit.db"*
    start_davitd
    [ "$(davit inspect --format '{{.State.ExitCode}}' ended)" = 7 ]
    [ "$(davit inspect --format '{{.State.ExitCode}}' lost)" = 137 ]
    contains "$(davit inspect --format '{{.State.Error}}' lost)" "monitor died"
}

@test "a database that is none is said, with the way out, and that works" {
    make_all
    kill_davitd
    rm -f "$dir/root/davit.db-wal"
    head -c 100000 /dev/urandom > "$dir/root/davit.db"
    run timeout 60 "$davitd" --root "$dir/root" --run "$dir/run"
    [ "$status" -eq 1 ]
    contains "$output" "Move davit.db"
    mkdir "$dir/moved"
    mv "$dir/root/davit.db"* "$dir/moved"
    start_davitd
    check_all
}

@test "rows that cannot be read keep nobody else from being looked after" {
    make_all
    stop_davitd
    python3 - "$dir/root/davit.db" <<'END'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
assert database.execute("UPDATE containers SET definition = '{\"x' WHERE name = 'ended'").rowcount == 1
assert database.execute("UPDATE containers SET state = 'nothing' WHERE name = 'live'").rowcount == 1
database.commit()
END
    : > "$dir/log"
    start_davitd
    [ "$(grep -c "is left out" "$dir/log")" -eq 2 ]
    check_all
}

@test "a state that damage has left readable is not believed" {
    make_all
    stop_davitd
    python3 - "$dir/root/davit.db" <<'END'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
assert database.execute("""UPDATE containers SET state = replace(state, '"exitCode":7', '"exitCode":3') WHERE name = 'ended'""").rowcount == 1
assert database.execute("""SELECT count(*) FROM containers WHERE state LIKE '%"exitCode":3%'""").fetchone() == (1,)
assert database.execute("""UPDATE containers SET state = replace(state, '"heldBack":true', '"heldBack":null') WHERE name = 'stopped'""").rowcount == 1
database.commit()
END
    : > "$dir/log"
    start_davitd
    [ "$(grep -c "its state is not what was written" "$dir/log")" -eq 2 ]
    check_all
}

@test "compiled filters have a bound, and who needs one that went has it made again" {
    davit create --name made busybox echo starts >/dev/null
    davit run --detach --name live busybox sleep 1000 >/dev/null
    [ "$(ls "$dir/root/seccomp" | wc -l)" -le 256 ]
    stop_davitd
    for i in $(seq 300); do echo x > "$dir/root/seccomp/$i.bpf"; done
    start_davitd
    davit create --name other --cap-add SYS_TIME busybox true >/dev/null
    [ "$(ls "$dir/root/seccomp" | wc -l)" = 1 ]
    [ "$(davit start --attach made)" = starts ]
    davit restart --time 0 live >/dev/null
    [ "$(davit exec live grep ^Seccomp: /proc/self/status)" = $'Seccomp:\t2' ]
    davit start --attach other
}

@test "containers of an earlier davitd keep their layers, however often it starts" {
    make_all
    layer=$(layer_of live)
    stop_davitd
    # As it left them: rows that say nothing of layers, and no file of the definition.
    python3 - "$dir/root/davit.db" <<'END'
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for id, text in database.execute("SELECT id, definition FROM containers").fetchall():
    definition = json.loads(text)
    assert definition.pop("Layers")
    definition.pop("Revision", None)
    database.execute("UPDATE containers SET definition = ? WHERE id = ?", (json.dumps(definition), id))
database.commit()
END
    rm "$dir/root/containers/"*/definition-*.json
    for i in 1 2; do start_davitd; stop_davitd; done
    start_davitd
    davit update --restart no made ended >/dev/null
    [ "$(jq -r '.layers[0]' "$dir/root/containers/$(davit inspect --format '{{.Id}}' made)/monitor.json")" = "$layer" ]
    check_all
}

@test "what is in the directory of containers and is none is put aside; what was under way is removed" {
    mkdir -p "$dir/root/containers/.new-0123" "$dir/root/containers/.removed-4567" "$dir/root/containers/what"
    echo precious > "$dir/root/containers/what/file"
    made=$(davit create --name made busybox true)
    davit create --name other busybox true >/dev/null
    kill_davitd
    # As a davitd leaves them that dies between the row and the name, and between the name and the row: it has told nobody
    # that it removed one.
    mv "$dir/root/containers/$made" "$dir/root/containers/.new-$made"
    other=$(ls "$dir/root/containers" | grep -v what)
    mv "$dir/root/containers/$other" "$dir/root/containers/.removed-$other"
    rm "$dir/root/containers/.new-$made/definition-0.json"
    : > "$dir/log"
    start_davitd
    contains "$(cat "$dir/log")" "containers/what is no container that davitd knows"
    [ "$(cat "$dir/root/aside/what/file")" = precious ]
    [ "$(davit ps --all --format '{{.Names}}' | sort | xargs)" = "made other" ]
    davit start --attach made
    davit start --attach other
    [ "$(ls -A "$dir/root/containers" | sort)" = "$(printf '%s\n' "$made" "$other" | sort)" ]
    wait_until sh -c "[ -z \"\$(ls -A '$dir/root/trash')\" ]"
    rm -r "$dir/root/aside/what"
}

layer_of() { # the unpacked layer that a running container's /bin/busybox is in
    davit inspect --format '{{.Id}}' "$1" | xargs -I ID jq -r '.layers[0]' "$dir/root/containers/ID/monitor.json"
}

damage_index() {
    case $1 in
    gone) rm "$dir/root/index.json" ;;
    empty) : > "$dir/root/index.json" ;;
    garbage) head -c 1000 /dev/urandom > "$dir/root/index.json" ;;
    esac
}

@test "an index of images that is gone, empty or damaged: davitd starts, and no layer is collected" {
    for damage in gone empty garbage; do
        davit image inspect busybox >/dev/null || davit load --input "$shared/busybox.tar"
        make_all
        layer=$(layer_of live)
        kill_davitd
        damage_index $damage
        start_davitd
        # Its copy has them all.
        davit image inspect busybox >/dev/null
        contains "$(cat "$dir/log")" "the list of images"
        check_all
        remove_containers
        rm "$dir/root/index.json.damaged-"*
        make_all
        kill_davitd
        damage_index $damage
        rm "$dir/root/.index.json.copy"
        start_davitd
        [ "$(davit images --quiet)" = "" ]
        # Whoever may not tell what is in use collects nothing: not after a load, and not if asked to.
        tar c --files-from=/dev/null | davit import - "other:$damage" >/dev/null
        davit image prune --force --all
        [ -d "$dir/root/layers/$layer" ]
        kill_davitd
        start_davitd
        tar c --files-from=/dev/null | davit import - "another:$damage" >/dev/null
        [ -d "$dir/root/layers/$layer" ]
        check_all
        remove_containers
        # Until somebody says that all is there again.
        davit load --input "$shared/busybox.tar"
        contains "$(davit info 2>&1)" "image store is damaged"
        rm "$dir/root/index.json.damaged-"*
        [[ $(davit info 2>&1) != *"image store is damaged"* ]]
    done
    davit rmi busybox "$(davit images --quiet | head -n 1)" || true
    davit image prune --force --all
    [ ! -d "$dir/root/layers/$layer" ]
}

@test "an index of images that was put back from a copy: what came since is there" {
    stop_davitd
    cp "$dir/root/index.json" "$dir/index.old"
    start_davitd
    tar c --files-from=/dev/null | davit import - since:1 >/dev/null
    kill_davitd
    cp "$dir/index.old" "$dir/root/index.json"
    start_davitd
    davit image prune --force
    davit image inspect since:1 busybox >/dev/null
    contains "$(cat "$dir/log")" "older than its copy"
    davit rmi since:1
    # A change is counted on from there.
    kill_davitd
    start_davitd
    refute davit image inspect since:1
}

@test "a damaged manifest or configuration frees nothing, and the image can be brought again" {
    for what in manifest config; do
        make_all
        layer=$(layer_of live)
        manifest=$(jq -r '.manifests[] | select(.annotations["io.containerd.image.name"] | test("busybox")).digest' "$dir/root/index.json")
        blob=$manifest
        [ $what = manifest ] || blob=$(jq -r .config.digest "$dir/root/blobs/sha256/${manifest#sha256:}")
        kill_davitd
        # It stays JSON: one bit of a time or a number is enough.
        sed -i 's/"created":"\(.\)/"created":"X/; s/"size":\([0-9]\)/"size":9\1/' "$dir/root/blobs/sha256/${blob#sha256:}"
        : > "$dir/log"
        start_davitd
        contains "$(cat "$dir/log")" "is damaged"
        refute davit image inspect busybox
        tar c --files-from=/dev/null | davit import - other:1 >/dev/null
        davit image prune --force --all
        [ -d "$dir/root/layers/$layer" ]
        contains "$(cat "$dir/log")" "nothing is collected"
        # Nor does the next davitd.
        kill_davitd
        start_davitd
        davit image prune --force --all
        [ -d "$dir/root/layers/$layer" ]
        davit load --input "$shared/busybox.tar"
        davit image inspect busybox >/dev/null
        check_all
        remove_containers
    done
    # One that nobody brings again can be given up.
    kill_davitd
    sed -i 's/"size":\([0-9]\)/"size":9\1/' "$dir/root/blobs/sha256/${manifest#sha256:}"
    start_davitd
    davit rmi busybox
    davit image prune --force --all
    wait_until sh -c "[ ! -d '$dir/root/layers/$layer' ]"
}

@test "layers of containers stay when their image is given up" {
    make_all
    layer=$(layer_of live)
    stop_davitd
    # As after a loss: the index is good, and knows nothing.
    jq '.manifests = []' "$dir/root/index.json" > "$dir/index" && cp "$dir/index" "$dir/root/index.json"
    start_davitd
    tar c --files-from=/dev/null | davit import - other:2 >/dev/null
    davit image prune --force --all
    [ -d "$dir/root/layers/$layer" ]
    check_all
    remove_containers
    davit image prune --force --all
    [ ! -d "$dir/root/layers/$layer" ]
}

@test "what is damaged is listed, taken back where it can be, and removed only where that is wanted" {
    # Of what other tests have lost.
    davit system repair --prune --force >/dev/null
    [ "$(davit system check)" = "nothing is damaged" ]
    made=$(davit create --name made busybox echo works)
    davit create --name other busybox true >/dev/null
    davit volume create kept >/dev/null
    davit network create wire >/dev/null
    davit network create gone >/dev/null
    davit volume create --label a=b labelled >/dev/null
    tar c --files-from=/dev/null | davit import - lost:1 >/dev/null
    kill_davitd
    # A container without a definition that can be read, a volume without content, a network without a file, no list of images.
    cp -a "$dir/root/containers/$made/definition-0.json" "$dir/definition"
    echo no > "$dir/root/containers/$made/definition-0.json"
    rm "$dir/root/davit.db"* "$dir/root/index.json" "$dir/root/.index.json.copy"
    mkdir "$dir/root/volumes/hollow" "$dir/root/containers/what"
    wire=$(grep -l '"wire"' "$dir/root/networks/"*.json)
    cp "$wire" "$dir/wire"
    echo no > "$wire"
    rm "$dir/root/networks/.$(basename "$wire").copy"
    # One whose file is gone and whose copy is damaged; a volume's file that is damaged and could be read in part.
    gone=$(basename "$(grep -l '"gone"' "$dir/root/networks/"*.json)")
    rm "$dir/root/networks/$gone"
    echo no > "$dir/root/networks/.$gone.copy"
    echo '{"CreatedNs": 1, "Anonymous": true, "Project": "x"}' > "$dir/root/volumes/labelled/volume.json"
    : > "$dir/log"
    start_davitd
    [ "$(davit volume inspect labelled | jq -c '.[0].Labels')" = '{"a":"b"}' ]
    [ "$(davit volume ls --quiet --filter dangling=true | grep -c labelled)" = 1 ]
    davit volume prune --force >/dev/null
    run davit system check
    [ "$status" -eq 3 ]
    for path in "aside/$made" aside/what volumes/hollow "networks/$(basename "$wire")" "networks/.$gone.copy" index.json.damaged; do contains "$output" "$path"; done
    contains "$output" "definition-0.json is not what was written"
    # Looking has changed nothing, and nothing is collected meanwhile.
    [ -d "$dir/root/aside/$made" ]
    run davit system repair
    [ "$status" -eq 3 ]
    contains "$output" "2 more images were found"
    refute davit inspect made
    [ -d "$dir/root/aside/$made" ]
    # With their files they are what they were.
    cp "$dir/definition" "$dir/root/aside/$made/definition-0.json"
    cp "$dir/wire" "$wire"
    run davit system repair
    contains "$output" "it is a container again"
    contains "$output" "it is a network again"
    [ "$(davit start --attach made)" = works ]
    davit network inspect wire >/dev/null
    refute sh -c "echo n | '$build/davit' system repair --prune"
    [ -d "$dir/root/aside/what" ]
    davit system repair --prune --force
    [ "$(davit system check)" = "nothing is damaged" ]
    [ ! -e "$dir/root/aside/what" ] && [ ! -e "$dir/root/volumes/hollow" ]
    davit volume inspect kept >/dev/null
    # The images have no names any more, and are all there.
    [ "$(davit images --quiet | wc -l)" = 2 ]
    [ ! -e "$dir/root/networks/.$gone.copy" ]
    davit network rm wire
    davit volume rm kept labelled
}

@test "a lock on the database holds nobody up" {
    davit create --name made busybox true >/dev/null
    # Who wants it locked does not get it, as long as davitd runs.
    run python3 - "$dir/root/davit.db" <<'END'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=0.2)
try:
    database.execute("BEGIN EXCLUSIVE")
    print("locked")
except sqlite3.OperationalError as error:
    print(error)
END
    contains "$output" "database is locked"
    [ "$(davit run --rm busybox echo works)" = works ]
    [ "$(davit ps --all --format '{{.Names}}')" = made ]
}

# Archives whose one layer is a tree that is hard to remove; its diff id is wrong, so that it is refused.
make_bad_archive() {
    python3 - "$1" <<'END'
import hashlib, io, json, sys, tarfile

layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
    for top in (".davit-deep-0", ".davit-deep-1", "d"):
        path = top
        for _ in range(120):
            info = tarfile.TarInfo(path)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
            path += "/d"
        info = tarfile.TarInfo(path)
        tar.addfile(info)
config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()
name = hashlib.sha256(config).hexdigest() + ".json"
manifest = json.dumps([{"Config": name, "RepoTags": ["bad:1"], "Layers": ["layer.tar"]}]).encode()
with tarfile.open(sys.argv[1], "w") as tar:
    for member, content in ((name, config), ("layer.tar", layer.getvalue()), ("manifest.json", manifest)):
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
END
}

nothing_left() { is_empty "$dir/root/ingest" "$dir/root/trash"; }

@test "leftovers of any names and depth are removed, and those that cannot be stop no start" {
    make_bad_archive "$dir/bad.tar"
    run davit load --input "$dir/bad.tar"
    [ "$status" -ne 0 ]
    contains "$output" "diff"
    wait_until nothing_left
    # As who is killed leaves them.
    mkdir -p "$dir/root/ingest/left/.davit-deep-0/d" "$dir/root/trash/left"
    (cd "$dir/root/ingest/left" && for i in $(seq 60); do mkdir d && cd d; done && mkdir .davit-deep-0 && cd .davit-deep-0 && for i in $(seq 60); do mkdir d && cd d; done)
    # And one that nobody can remove: the kernel does not let a mount point go.
    mkdir -p "$dir/root/ingest/mounted/d" "$dir/root/containers/.new-mounted/d"
    for place in ingest/mounted/d containers/.new-mounted/d; do mount -t tmpfs none "$dir/root/$place"; done
    kill_davitd
    start_davitd
    [ "$(davit run --rm busybox echo works)" = works ]
    wait_until sh -c "[ ! -e '$dir/root/trash/left' ] && ! ls '$dir/root/trash' | grep -q '^left'"
    for mounted in $(findmnt -n -o TARGET -t tmpfs | grep "^$dir/root/"); do umount "$mounted"; done
    kill_davitd
    start_davitd
    wait_until nothing_left
}

@test "layers that go do not hold davitd up" {
    mkdir "$dir/tree"
    for i in {0..9}; do mkdir "$dir/tree/$i"; (cd "$dir/tree/$i" && seq -f f%g 3000 | xargs touch); done
    tar c -C "$dir/tree" . | davit import - large:1 >/dev/null
    rm -r "$dir/tree"
    # davitd itself removes nothing of it.
    strace -f -p "$(cat "$dir/pid")" -e trace=unlinkat,unlink,rmdir -o "$dir/trace" 3>&- 2>"$dir/strace.err" &
    tracer=$!
    wait_until grep -q attached "$dir/strace.err"
    davit rmi large:1 >/dev/null
    wait_until nothing_left
    kill "$tracer"; wait "$tracer" || true
    cat "$dir/trace"
    [ "$(grep -c unlink "$dir/trace")" -lt 20 ]
}

@test "what cannot be removed at once is removed when it can be, without a restart" {
    id=$(davit create busybox)
    mkdir "$dir/root/containers/$id/busy"
    mount -t tmpfs none "$dir/root/containers/$id/busy"
    davit rm "$id"
    busy=$(echo "$dir"/root/trash/.removed-*/busy)
    [ -d "$busy" ]
    is_tried() { [ "$(ls -A "${busy%/*}")" = busy ]; }
    wait_until is_tried
    umount "$busy"
    wait_until sh -c "ls -A '$dir/root/trash' | wc -l | grep -qx 0"
}

@test "what is made of a container that is removed meanwhile is refused, not cut short without a word" {
    many='i=0; while [ $i -lt 6 ]; do mkdir /d$i; head -c 30000000 /dev/urandom > /d$i/file; i=$((i + 1)); done'
    davit run --name source busybox sh -c "$many"
    id=$(davit inspect --format '{{.Id}}' source)
    for made in "commit source partial" "export --output $dir/partial.tar source" "cp source:/ $dir/partial"; do
        [ "$made" = "commit source partial" ] || davit run --name source busybox sh -c "$many"
        davit $made > "$dir/out" 2>&1 3>&- &
        making=$!
        # The worker is at it.
        wait_until sh -c "pgrep -P \$(pgrep -P $(cat "$dir/pid")) -f davit-image"
        davit rm --force source
        echo "$made:"
        made_status=0
        wait $making || made_status=$?
        cat "$dir/out"
        [ "$made_status" = 1 ]
        rm -rf "$dir/partial" "$dir/partial.tar"
    done
    refute davit image inspect partial
    # Left alone it is made.
    davit run --name source busybox sh -c "$many"
    davit commit source whole
    [ "$(davit run --rm whole sh -c 'ls -d /d[0-9] | wc -l')" = 6 ]
    davit rm source
    davit rmi whole
}

@test "a list of images that is damaged and has no copy is believed by nobody who collects" {
    cp "$dir/root/index.json" "$dir/index"
    cp "$dir/root/.index.json.copy" "$dir/copy"
    blobs=$(ls "$dir/root/blobs/sha256")
    layers=$(ls "$dir/root/layers")
    kill_davitd
    rm "$dir/root/.index.json.copy"
    # Another digest, as one bit of it makes it.
    python3 - "$dir/root/index.json" <<'END'
import re, sys
with open(sys.argv[1], "r+b") as file:
    at = re.search(rb"sha256:", file.read()).end()
    file.seek(at)
    digit = file.read(1)
    file.seek(at)
    file.write(b"0" if digit == b"1" else b"1")
END
    : > "$dir/log"
    start_davitd
    contains "$(cat "$dir/log")" "is not what was written"
    davit image prune --force --all >/dev/null 2>&1 || true
    davit load --input "$shared/busybox.tar" >/dev/null
    [ "$(ls "$dir/root/blobs/sha256" | grep -Fx "$blobs")" = "$blobs" ]
    [ "$(ls "$dir/root/layers" | grep -Fx "$layers")" = "$layers" ]
    kill_davitd
    rm -f "$dir/root/index.json.damaged"* "$dir/root/index.json"
    cp "$dir/index" "$dir/root/index.json"
    cp "$dir/copy" "$dir/root/.index.json.copy"
    start_davitd
}

@test "two lost lists of images are called by their names" {
    for i in 1 2; do
        kill_davitd
        rm -f "$dir/root/index.json" "$dir/root/.index.json.copy"
        start_davitd
    done
    said=$(davit system check) || true
    echo "$said"
    for name in "$dir/root/"index.json.damaged-*; do contains "$said" "${name##*/}"; done
    run davit system repair
    refute ls "$dir/root/"index.json.damaged-*
    for id in $(davit image ls --quiet --no-trunc); do davit rmi --force "$id"; done
    davit load --input "$shared/busybox.tar"
}

@test "a container that comes from elsewhere under another's name keeps neither its name nor that of others" {
    davit run --detach --name web busybox sleep 1000 >/dev/null
    id=$(davit inspect --format '{{.Id}}' web)
    davit create --name strange busybox echo stranger >/dev/null
    strange=$(davit inspect --format '{{.Id}}' strange)
    cp -a "$dir/root/containers/$strange" "$dir/strange"
    davit rm strange
    # One that is called so too.
    python3 - "$dir/strange/definition-0.json" <<'END'
import os, sys
text = open(sys.argv[1]).read()
assert text.count('"Name":"strange"') == 1
os.removexattr(sys.argv[1], "user.davit.sum")
open(sys.argv[1], "w").write(text.replace('"Name":"strange"', '"Name":"web"'))
END
    stop_davitd
    cp -a "$dir/strange" "$dir/root/containers/$strange"
    for i in 1 2 3; do
        start_davitd
        [ "$(davit ps --all --format '{{.Names}}' | sort | xargs)" = "web web_${strange:0:12}" ]
        [ "$(davit inspect --format '{{.Id}}' web)" = "$id" ]
        [ "$(davit exec web echo works)" = works ]
        stop_davitd
    done
    start_davitd
    [ "$(davit start --attach "web_${strange:0:12}")" = stranger ]
    rm -r "$dir/strange"
}

@test "who ran when the power went runs again as its policy says, also without the database" {
    for policy in always unless-stopped no; do davit run --detach --name "$policy" --restart "$policy" busybox sleep 1000 >/dev/null; done
    davit run --detach --name stopped --restart unless-stopped busybox sleep 1000 >/dev/null
    davit stop --time 0 stopped
    davit create --name fresh --restart always busybox sleep 1000 >/dev/null
    monitors=$(pgrep -P "$(pgrep -P "$(cat "$dir/pid")")" -x davit-monitor)
    inits=$(for one in always unless-stopped no; do davit inspect --format '{{.State.Pid}}' "$one"; done)
    kill_davitd
    kill -9 $monitors
    for one in $inits; do wait_until sh -c "! kill -9 $one 2>/dev/null"; done
    rm -rf "$dir/run" "$dir/root/davit.db"*
    start_davitd
    runs() { [ "$(davit inspect --format '{{.State.Status}}' "$1")" = running ]; }
    wait_until runs always
    wait_until runs unless-stopped
    [ "$(davit inspect --format '{{.State.Status}} {{.State.ExitCode}}' no)" = "exited 137" ]
    [ "$(davit inspect --format '{{.State.Status}}' stopped)" = exited ]
    [ "$(davit inspect --format '{{.State.Status}}' fresh)" = created ]
}

@test "an exit that the disk does not take is in the run directory" {
    davit run --detach --name ends busybox sh -c 'trap "exit 6" TERM; echo waits; while :; do sleep 0.05; done' >/dev/null
    container=$dir/root/containers/$(davit inspect --format '{{.Id}}' ends)
    wait_until eval '[ "$(davit logs ends)" = waits ]'
    pid=$(davit inspect --format '{{.State.Pid}}' ends)
    kill_davitd
    # As a disk that became read-only: what cannot be opened for writing, root or not.
    mv "$container/exit.json" "$dir/exit.json"
    mkdir "$container/exit.json"
    monitor=$(awk '{print $4}' "/proc/$pid/stat")
    kill "$pid"
    wait_until ! kill -0 "$monitor" 2>/dev/null
    rmdir "$container/exit.json"
    mv "$dir/exit.json" "$container/exit.json"
    start_davitd
    [ "$(davit inspect --format '{{.State.Status}} {{.State.ExitCode}}' ends)" = "exited 6" ]
}

@test "a container's directory that comes back is taken over by repair, running or not; one that is none goes back aside" {
    davit run --detach --name live busybox sleep 1000 >/dev/null
    davit create --name made busybox echo made >/dev/null
    live=$(davit inspect --format '{{.Id}}' live)
    made=$(davit inspect --format '{{.Id}}' made)
    kill_davitd
    mv "$dir/root/containers/$live" "$dir/root/containers/$made" "$dir/"
    davit version >/dev/null 2>&1 || true
    mkdir "$dir/root/containers/keeps-others-from-being-gone"
    cp -a "$dir/$made" "$dir/root/containers/$(printf 'c%.0s' $(seq 64))"
    start_davitd
    [ -d "$dir/root/aside/$(printf 'c%.0s' $(seq 64))" ]
    mv "$dir/$live" "$dir/$made" "$dir/root/containers/"
    run davit system check
    contains "$output" "containers/$live"
    contains "$output" "davit system repair takes it over"
    run davit system repair
    contains "$output" "it is a container again"
    [ "$(davit exec live echo works)" = works ]
    [ "$(davit start --attach made)" = made ]
    # What cannot be taken over stays where it was put, and prune removes it.
    [ -d "$dir/root/aside/$(printf 'c%.0s' $(seq 64))" ]
    davit system repair --prune --force
    says_nothing ls "$dir/root/aside"
    [ "$(davit system check)" = "nothing is damaged" ]
}

@test "a file among the volumes keeps nobody from counting and pruning" {
    davit volume create kept >/dev/null
    echo x > "$dir/root/volumes/stray"
    davit system df >/dev/null
    davit volume prune --all --force >/dev/null
    refute davit volume inspect kept
    [ "$(cat "$dir/root/volumes/stray")" = x ]
    rm "$dir/root/volumes/stray"
}

@test "a container that davitd holds goes on when davitd dies; one that somebody has paused does not" {
    davit run --detach --name held busybox sh -c 'head -c 300000000 /dev/urandom > /file; echo is there; sleep 1000' >/dev/null
    wait_until eval '[ "$(davit logs held)" = "is there" ]'
    davit run --detach --name paused busybox sleep 1000 >/dev/null
    davit pause paused
    frozen() { grep -qx "frozen 1" "$(find /sys/fs/cgroup -path "*$(davit_id "$1")/cgroup.events" | head -n 1)"; }
    davit_id() { cat "$dir/id-$1"; }
    for one in held paused; do davit inspect --format '{{.Id}}' $one > "$dir/id-$one"; done
    davit commit held image 3>&- >/dev/null 2>&1 &
    wait_until frozen held
    frozen paused
    kill_davitd
    wait_until ! frozen held
    frozen paused
    start_davitd
    davit unpause paused
    [ "$(davit exec paused echo works)" = works ]
}

@test "a pipe in place of a file holds nobody up" {
    davit run --detach --name live busybox sh -c 'echo started; sleep 1000' >/dev/null
    davit create --name made busybox echo made >/dev/null
    wait_until eval '[ "$(davit logs live)" = started ]'
    live=$dir/root/containers/$(davit inspect --format '{{.Id}}' live)
    made=$dir/root/containers/$(davit inspect --format '{{.Id}}' made)
    davit volume create kept >/dev/null
    pipe() { mv "$1" "$dir/kept-${1##*/}" 2>/dev/null || true; mkfifo "$1"; }
    pipe "$live/exit.json"
    pipe "$(echo "$live"/*-json.log)"
    pipe "$dir/root/index.room"
    run timeout 60 "$build/davit" logs live
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
    timeout 60 "$build/davit" tag busybox other:1
    timeout 60 "$build/davit" rmi other:1
    timeout 60 "$build/davit" kill live
    wait_until eval '[ "$(davit inspect --format "{{.State.Status}}" live)" = exited ]'
    timeout 60 "$build/davit" rm --force live
    for file in "$made/definition-0.json" "$made/exit.json" "$dir/root/volumes/kept/volume.json" "$dir/root/index.json" "$dir/root/.index.json.copy"; do
        kill_davitd
        pipe "$file"
        echo "$file"
        start_davitd
        rm -f "$file"
        [ ! -e "$dir/kept-${file##*/}" ] || mv "$dir/kept-${file##*/}" "$file"
    done
    rm -f "$dir/root/index.room" "$dir/root/index.json.damaged"*
    kill_davitd
    start_davitd
    [ "$(davit start --attach made)" = made ]
    davit volume rm kept
}

@test "what is listed without end is refused before it is searched" {
    request() { python3 -c "$1" > "$dir/body"; curl -sS --unix-socket "$dir/run/davit.sock" -H 'Content-Type: application/json' --data-binary "@$dir/body" http://d/containers/create; }
    before=$(awk '/VmHWM/ {print $2}' "/proc/$(cat "$dir/pid")/status")
    contains "$(request 'import json; print(json.dumps({"Image": "busybox", "Labels": {str(i): "x" for i in range(100000)}}))')" "Labels, with the image's: 100000, and 4096 are possible"
    contains "$(request 'import json; print(json.dumps({"Image": "busybox", "Env": [f"A{i}=1" for i in range(50000)]}))')" "Env, with the image's"
    contains "$(request 'import json; print(json.dumps({"Image": "busybox", "HostConfig": {"Binds": [f"/tmp:/m{i}" for i in range(40000)]}}))')" "HostConfig.Binds and Mounts: 40000"
    contains "$(request 'import json; print(json.dumps({"Image": "busybox", "Volumes": {f"/v{i}": {} for i in range(5000)}}))')" "Volumes, with the image's: 5000, and 64"
    # What is possible is made, with memory in proportion.
    contains "$(request 'import json; print(json.dumps({"Image": "busybox", "Cmd": ["env"], "Labels": {str(i): "x" for i in range(4096)}, "Env": [f"A{i}=1" for i in range(4000)]}))')" '"Id"'
    [ "$(davit start --attach "$(davit ps --all --quiet)" | grep -c '^A.*=1')" = 4000 ]
    [ $(($(awk '/VmHWM/ {print $2}' "/proc/$(cat "$dir/pid")/status") - before)) -lt 131072 ]
}

@test "a container whose files are gone is not started without them" {
    davit run --name wrote busybox sh -c 'echo precious > /precious'
    id=$(davit inspect --format '{{.Id}}' wrote)
    mv "$dir/root/containers/$id/upper" "$dir/upper"
    run davit start wrote
    [ "$status" -ne 0 ]
    contains "$output" "the container's files are lost"
    contains "$(davit system check || true)" "containers/$id/upper"
    mv "$dir/upper" "$dir/root/containers/$id/upper"
    davit start wrote
    davit cp wrote:/precious "$dir/precious"
    [ "$(cat "$dir/precious")" = precious ]
    davit rm --force wrote
}
