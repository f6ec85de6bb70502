#!/usr/bin/env bats
# Images without a registry: saved, imported, made from containers, counted, removed.
load common

load_layers() {
    davit load --input "$dir/layout"
    davit tag "$(davit images --quiet | while read -r id; do
        [ "$(davit inspect "$id" | jq '.[0].RootFS.Layers | length')" = 1 ] || echo "$id"; done | head -1)" layers:1
}

setup_file() {
    setup_daemon_file
    "$BATS_TEST_DIRNAME/make-layers" "$shared/busybox.tar" "$dir/layout"
    load_layers
}
teardown_file() { teardown_daemon_file; }

blob_of() { # of an image's layer number N, from 0
    davit save --output "$dir/blob_of.tar" "$1"
    tar xOf "$dir/blob_of.tar" manifest.json | jq -r ".[0].Layers[$2]" | sed 's,.*/,,'
}

@test "an image is saved in the same bytes each time, by davit and by the docker client" {
    davit save --output "$dir/one.tar" busybox
    davit save busybox | cmp - "$dir/one.tar"
    docker save busybox | cmp - "$dir/one.tar"
    [ ! -e "$dir/one.tar.part" ]
    cp -r "$dir/root" "$dir/elsewhere"
    "$davitd" --root "$dir/elsewhere" --run "$dir/elsewhere.run" 3>&- >"$dir/elsewhere.log" 2>&1 &
    other=$!
    wait_until davit --host "unix://$dir/elsewhere.run/davit.sock" version
    davit --host "unix://$dir/elsewhere.run/davit.sock" save busybox | cmp - "$dir/one.tar"
    kill $other
    wait $other
}

@test "a saved image is an OCI layout and a docker archive to skopeo, Podman, umoci and davit" {
    davit save --output "$dir/two.tar" layers:1 busybox
    [ "$(skopeo inspect "docker-archive:$dir/two.tar:docker.io/library/layers:1" | jq '.Layers | length')" = 4 ]
    mkdir "$dir/two"
    tar xf "$dir/two.tar" -C "$dir/two"
    skopeo copy --quiet "oci:$dir/two:1" "dir:$dir/copied"
    umoci unpack --image "$dir/two:latest" "$dir/unpacked"
    [ -x "$dir/unpacked/rootfs/bin/busybox" ]
    podman="podman --root $dir/podman --runroot $dir/podman.run --storage-driver vfs"
    run $podman load --input "$dir/two.tar"
    [ "$status" -eq 0 ]
    davit save --output "$dir/layers.tar" layers:1
    run $podman load --input "$dir/layers.tar"
    [ "$status" -eq 0 ]
    contains "$output" docker.io/library/layers:1
    id=$(davit inspect layers:1 | jq -r '.[0].Id')
    [ "sha256:$($podman inspect --type image layers:1 | jq -r '.[0].Id')" = "$id" ]
    $podman rmi --all --force
    davit rmi layers:1
    davit load --input "$dir/two.tar"
    [ "$(davit inspect layers:1 | jq -r '.[0].Id')" = "$id" ]
}

@test "what images share is saved once" {
    davit tag busybox copy:1
    davit save --output "$dir/shared.tar" layers:1 busybox copy:1
    [ "$(tar tf "$dir/shared.tar" | sort | uniq -d | wc -l)" = 0 ]
    tar xOf "$dir/shared.tar" manifest.json | jq -e 'length == 2 and
        (.[] | select(.RepoTags | index("copy:1")) | .RepoTags | index("busybox:latest"))'
    davit rmi copy:1
}

@test "a damaged blob is not saved: the client learns of it and leaves no file" {
    blob=$dir/root/blobs/sha256/$(blob_of layers:1 1)
    cp "$blob" "$dir/kept"
    printf x | dd of="$blob" bs=1 seek=1000000 conv=notrunc status=none
    run davit save --output "$dir/damaged.tar" layers:1
    cp "$dir/kept" "$blob"
    [ "$status" -eq 1 ]
    contains "$output" "in the middle"
    [ ! -e "$dir/damaged.tar" ] && [ ! -e "$dir/damaged.tar.part" ]
    grep "does not match its digest" "$dir/log"
}

@test "what cannot be saved is refused with a reason, and a client that goes away ends the worker" {
    run davit save --output "$dir/none.tar" nothing
    [ "$status" -eq 1 ]
    contains "$output" "No such image: nothing"
    [ ! -e "$dir/none.tar" ]
    davit save layers:1 | head -c 1000 > "$dir/head"
    wait_until ! pgrep -f "davit-image save" --parent "$(pgrep -P "$(cat "$dir/pid")")"
}

# An archive like a saved one, with files added: NAME=FILE...
with_files() { # ARCHIVE
    local archive=$1 file
    for file in "${@:2}"; do
        tar --append --file "$archive" --transform "s,.*,${file%%=*}," "${file#*=}" 2>/dev/null
    done
}

@test "what only looks like a layer in an archive is dropped, what is one must be what its diff id says" {
    davit save --output "$dir/like.tar" busybox
    tar cf "$dir/inner.tar" -C "$dir" layout/index.json
    head -c 20000 /dev/urandom > "$dir/noise"
    { printf '\037\213'; cat "$dir/noise"; } > "$dir/noise.gz"
    with_files "$dir/like.tar" extra.tar="$dir/inner.tar" extra.gz="$dir/noise.gz"
    before=$(ls "$dir/root/layers")
    davit rmi busybox
    davit load --input "$dir/like.tar"
    [ "$(ls "$dir/root/layers")" = "$before" ]
    is_empty "$dir/root/ingest"
    davit run --rm busybox true

    mkdir "$dir/old"
    tar cf "$dir/old/layer.tar" -C "$dir/layout" index.json
    echo '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:'"$(sha256sum < "$dir/noise" | cut -d' ' -f1)"'"]}}' > "$dir/old/c.json"
    echo '[{"Config":"c.json","RepoTags":["wrong:1"],"Layers":["layer.tar"]}]' > "$dir/old/manifest.json"
    tar cf "$dir/old.tar" -C "$dir/old" layer.tar c.json manifest.json
    run davit load --input "$dir/old.tar"
    [ "$status" -eq 1 ]
    contains "$output" "does not match its diff id"
    sed -i "s/[0-9a-f]\{64\}/$(sha256sum < "$dir/old/layer.tar" | cut -d' ' -f1)/" "$dir/old/c.json"
    tar cf "$dir/old.tar" -C "$dir/old" layer.tar c.json manifest.json
    davit load --input "$dir/old.tar"
    davit rmi wrong:1
    [ "$(ls "$dir/root/layers")" = "$before" ]
}

@test "the process that unpacks is confined in all its threads" {
    mkdir "$dir/new"
    head -c 2000000 /dev/urandom > "$dir/new/noise"
    "$build/davit-image" assemble --output "$dir/confined.tar" confined:1 "$dir/new"
    head -c 1000000 "$dir/confined.tar" > "$dir/half.tar"
    mkfifo "$dir/fifo"
    davit load < "$dir/fifo" > "$dir/confined.out" 2>&1 3>&- &
    loader=$!
    exec 7> "$dir/fifo"
    cat "$dir/half.tar" >&7
    spawner=$(pgrep -P "$(cat "$dir/pid")")
    unpacker() { pgrep -P "$(pgrep -P "$spawner" -f "davit-image load")"; }
    wait_until unpacker
    threads=/proc/$(unpacker)/task
    wait_until sh -c "[ \$(ls $threads | wc -l) = 2 ] && ! grep -L '^Seccomp:.2' $threads/*/status | grep ."
    [ "$(grep -h '^CapEff' "$threads"/*/status | sort -u | wc -l)" = 1 ]
    [ "$(cat "$threads"/*/status | grep -c '^CapEff:.000001ffffffffff')" = 0 ]
    exec 7>&-
    wait $loader || true
    contains "$(cat "$dir/confined.out")" "archive"
    davit load --input "$dir/confined.tar"
}

# From containers and directories.

# Each container that this makes has changed something of every kind, also to an id that only the host has.
change_everything() { # NAME
    davit run --name "$1" --userns host busybox sh -c 'set -e
        rm /bin/ls; rm -r /etc; mkdir -m 700 /etc; echo anew > /etc/anew
        mkdir -p /a/b/c; echo text > /a/b/file; ln /a/b/file /a/b/hard; ln -s file /a/b/soft; mkfifo /a/pipe
        chmod 4711 /bin/busybox; chown 3000000:12 /a/b/file; touch -d @1234567890 /a/b/c
        dd if=/dev/zero of=/a/sparse bs=1 count=1 seek=50M 2>/dev/null; mkdir /tmp/name; : > "/tmp/name/ä ö"; : > /tmp/name/$(printf "\\377")'
}

tree_of() { # CONTAINER LIST
    mkdir "$2.tree"
    davit export "$1" | tar x --xattrs --xattrs-include='*' -C "$2.tree"
    "$BATS_TEST_DIRNAME/tree-list" "$2.tree" > "$2"
    rm -r "$2.tree"
}

@test "an image of a container is what the container was" {
    change_everything source
    run davit commit --message why --change 'CMD ["cat","/a/b/hard"]' --change 'ENV ONE=1 TWO="2 3"' \
        --change 'LABEL kind=made' --change 'EXPOSE 80 53/udp' --change 'WORKDIR /a' --author me source made:1
    [ "$status" -eq 0 ]
    contains "$output" sha256:
    [ "$(davit run --rm made:1)" = text ]
    [ "$(davit run --rm made:1 sh -c 'echo $ONE $TWO; pwd')" = $'1 2 3\n/a' ]
    davit inspect made:1 | jq -e '.[0] | .Comment == "why" and .Author == "me" and .Config.Labels.kind == "made"
        and (.Config.ExposedPorts | keys) == ["53/udp", "80/tcp"] and (.RootFS.Layers | length) == 2'
    davit create --name copy made:1
    tree_of source "$dir/source.list"
    tree_of copy "$dir/copy.list"
    [ "$(wc -l < "$dir/source.list")" -gt 250 ]
    # These were mounted over: what lies below is the container's own.
    diff "$dir/source.list" "$dir/copy.list"
    [ "$(davit commit copy made:2)" != "$(davit inspect made:1 | jq -r '.[0].Id')" ]
    [ "$(davit inspect made:2 | jq -r '.[0].RootFS.Layers | length')" = 3 ]
    # The committed layer is a layer to others.
    davit save --output "$dir/made.tar" made:1
    mkdir "$dir/made"
    tar xf "$dir/made.tar" -C "$dir/made"
    umoci unpack --image "$dir/made:1" "$dir/made.bundle"
    "$BATS_TEST_DIRNAME/tree-list" "$dir/made.bundle/rootfs" > "$dir/umoci.list"
    # umoci keeps no whole hundredth of a second of directories it made room in; everything else is the same.
    diff <(cut -d' ' -f1-3,5- "$dir/source.list") <(cut -d' ' -f1-3,5- "$dir/umoci.list")
    davit rm source copy
    davit rmi made:1 made:2
}

@test "the list of changes says what was added, changed and deleted, below directories made anew as well" {
    change_everything changed
    davit diff changed > "$dir/changes"
    for line in 'A /a/b/hard' 'C /bin' 'C /bin/busybox' 'D /bin/ls' 'C /etc' 'A /etc/anew' 'D /etc/passwd' 'A /tmp/name'; do
        grep -qx "$line" "$dir/changes"
    done
    refute grep -q "/bin/cat" "$dir/changes"
    docker diff changed | sort | diff - <(sort "$dir/changes")
    davit create --name untouched busybox
    says_nothing davit diff untouched
    davit rm changed untouched
    run davit diff changed
    [ "$status" -eq 1 ]
}

@test "a container is held while its picture is taken, and goes on whatever happens to davitd" {
    davit run --detach --name runs busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i > /new; mv /new /one; echo $i > /new; mv /new /two; done'
    wait_until sh -c "timeout 60 '$build/davit' exec runs cat /two"
    davit commit runs held:1
    run davit run --rm held:1 sh -c 'echo $(($(cat /one) - $(cat /two)))'
    contains "0 1" "$output"
    before=$(davit exec runs cat /two)
    wait_until sh -c "[ \$(timeout 60 '$build/davit' exec runs cat /two) -gt $before ]"
    cgroup=$(sed -n 's/^0:://p' "/proc/$(davit inspect runs | jq '.[0].State.Pid')/cgroup")
    mount=$(findmnt -n -o TARGET -t cgroup2 | head -1)
    kill -9 "$(cat "$dir/pid")"
    echo 1 > "$mount$cgroup/cgroup.freeze"
    start_davitd
    [ "$(cat "$mount$cgroup/cgroup.freeze")" = 0 ]
    davit rm --force runs
    davit rmi held:1
}

@test "an image is imported from a tar, plain or compressed, and from a directory" {
    mkdir -p "$dir/tree/sub"
    cp /bin/busybox "$dir/tree/sh"
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"kept")' "$dir/tree/sub"
    ln "$dir/tree/sh" "$dir/tree/sub/also"
    tar c --xattrs -C "$dir/tree" . > "$dir/tree.tar"
    gzip -k "$dir/tree.tar"
    zstd -q "$dir/tree.tar"
    davit import --change 'ENTRYPOINT ["/sh"]' --change 'CMD ["-c","echo hello"]' "$dir/tree.tar" imported:plain
    davit import "$dir/tree.tar.gz" imported:gzip
    davit import - imported:zstd < "$dir/tree.tar.zst"
    davit import --message why "$dir/tree" imported:directory
    docker import "$dir/tree.tar" imported:docker
    [ "$(davit run --rm imported:plain)" = hello ]
    "$BATS_TEST_DIRNAME/tree-list" "$dir/tree" > "$dir/tree.list"
    for tag in plain gzip zstd directory docker; do
        davit create --name "i-$tag" "imported:$tag" /sh
        tree_of "i-$tag" "$dir/$tag.list"
        davit rm "i-$tag"
        # tar wrote whole seconds of times.
        diff <(tail -n +2 "$dir/tree.list" | sed 's/[0-9]\{9\} / /') <(tail -n +2 "$dir/$tag.list" | sed 's/[0-9]\{9\} / /')
        davit rmi "imported:$tag"
    done
}

@test "what cannot become an image is refused, and nothing is left" {
    before=$(find "$dir/root/blobs" "$dir/root/layers" -mindepth 1 -maxdepth 2 | sort)
    head -c 5000 /dev/urandom > "$dir/bad.tar"
    run davit import "$dir/bad.tar" bad:1
    [ "$status" -eq 1 ]
    contains "$output" archive
    run davit import --change 'ONBUILD RUN x' "$dir/bad.tar" bad:1
    contains "$output" 'change "ONBUILD RUN x"'
    run davit import "$dir/bad.tar" Bad:1
    contains "$output" "invalid reference format"
    python3 - > "$dir/out.tar" <<'PYTHON'
import io, sys, tarfile
tar = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
info = tarfile.TarInfo("../outside")
info.size = 1
tar.addfile(info, io.BytesIO(b"x"))
tar.close()
PYTHON
    run davit import "$dir/out.tar" bad:1
    [ "$status" -eq 1 ]
    contains "$output" "would leave the layer"
    run docker import http://127.0.0.1:1/x bad:1
    [ "$status" -eq 1 ]
    run davit commit nobody bad:1
    contains "$output" "No such container: nobody"
    [ "$(find "$dir/root/blobs" "$dir/root/layers" -mindepth 1 -maxdepth 2 | sort)" = "$before" ]
    is_empty "$dir/root/ingest"
}

# What it all takes, and removing it.

df_of() { davit system df --format json | jq "$1"; }

@test "disk usage counts layers once, containers by what they changed, and prune gives it back" {
    mkdir "$dir/usage"
    head -c 3000000 /dev/zero > "$dir/usage/file"
    before=$(df_of .LayersSize)
    davit import "$dir/usage" usage:1
    davit tag usage:1 usage:2
    [ "$(($(df_of .LayersSize) - before))" -ge 6000000 ]
    [ "$(($(df_of .LayersSize) - before))" -lt 6100000 ]
    df_of '.Images[] | select(.RepoTags | index("usage:1")) | .Containers == 0 and .SharedSize == 0'
    df_of '.Images[] | select(.RepoTags | index("busybox:latest")) | .SharedSize > 2000000 and .SharedSize <= .Size' | grep true
    davit run --name big busybox dd if=/dev/zero of=/big bs=1M count=4
    df_of '.Containers[] | select(.Names == ["/big"]) | .SizeRw >= 4194304 and .SizeRw < 4400000 and .SizeRootFs > .SizeRw' | grep true
    run docker system df
    [ "$status" -eq 0 ]
    contains "$output" Containers
    run davit system df
    contains "$output" RECLAIMABLE
    run davit container prune --force --filter until=1h
    contains "$output" "reclaimed space: 0B"
    run davit container prune --force
    contains "$output" "Deleted container: "
    contains "$output" "4.2"
    davit import "$dir/usage" usage:1
    davit rmi usage:2
    run docker image prune --force
    [ "$status" -eq 0 ]
    davit image prune --force
    [ "$(df_of '[.Images[] | select(.RepoTags == [])] | length')" = 0 ]
    davit rmi usage:1
    [ "$(df_of .LayersSize)" = "$before" ]
}

@test "prune asks first, and takes nothing but a yes for one" {
    davit create --name stays busybox true >/dev/null
    davit volume create named >/dev/null
    davit run --name with-volume --volume /v busybox true
    for what in container image volume network system; do
        for answer in "" n no x yesno ya; do
            run davit $what prune <<< "$answer"
            [ "$status" -eq 1 ]
            contains "$output" "WARNING! This will remove all"
            contains "$output" "nothing was removed"
        done
        run davit $what prune < /dev/null
        [ "$status" -eq 1 ]
    done
    davit inspect stays with-volume >/dev/null
    run davit container prune --filter label=none <<< y
    [ "$status" -eq 0 ]
    davit inspect stays with-volume >/dev/null
    # docker's ways to say that nobody is to be asked.
    davit network prune -f
    davit image prune -af --filter label=none
    davit rm stays
    [ "$(davit volume ls --quiet | wc -l)" -eq 2 ]
    davit system prune -f --volumes
    refute davit inspect with-volume
    [ "$(davit volume ls --quiet)" = named ]
    davit volume prune -a -f
    says_nothing davit volume ls --quiet
    docker system prune -f
}

@test "prune removes what nobody uses and nothing else, and says no to what it does not know" {
    mkdir "$dir/pruned"
    davit import --change 'LABEL keep=yes' "$dir/pruned" keep:1
    davit import "$dir/pruned" drop:1
    davit run --detach --name user busybox sleep 1000
    davit create --name stopped --label keep=yes busybox
    davit container prune --force --filter 'label!=keep'
    davit inspect stopped > /dev/null
    run davit image prune --force --all --filter 'label!=keep=yes'
    contains "$output" "Untagged: drop:1"
    contains "$output" "Deleted: sha256:"
    davit inspect keep:1 busybox > /dev/null
    run davit image prune --force --all --filter color=red
    [ "$status" -eq 1 ]
    contains "$output" "invalid filter 'color'"
    run davit image prune --force --filter until=never
    contains "$output" "is no time and no duration"
    davit rm --force user stopped
    davit system prune --all --force
    says_nothing davit images --quiet
    is_empty "$dir/root/blobs/sha256" "$dir/root/layers"
    davit load --input "$shared/busybox.tar"
    load_layers
}

@test "archives of Podman, with one layer and several, are loaded as they are" {
    podman="podman --root $dir/podman2 --runroot $dir/podman2.run --storage-driver vfs"
    davit run --name two busybox sh -c 'echo three > /three; rm /bin/ls'
    davit commit two two:1
    davit rm two
    davit save --output "$dir/for-podman.tar" two:1
    $podman load --quiet --input "$dir/for-podman.tar"
    id=$(davit inspect two:1 | jq -r '.[0].Id')
    davit rmi two:1
    for format in docker-archive oci-archive; do
        $podman save --quiet --format $format --output "$dir/$format.tar" two:1
        run davit load --input "$dir/$format.tar"
        [ "$status" -eq 0 ]
        contains "$output" "Loaded image: two:1"
        [ "$(davit run --rm two:1 cat three)" = three ]
        # A docker-archive keeps the configuration as it was, and with it the id.
        [ $format = oci-archive ] || [ "$(davit inspect two:1 | jq -r '.[0].Id')" = "$id" ]
        davit rmi two:1
    done
    $podman rmi --all --force
}

@test "layers of zstd:chunked are layers of zstd" {
    mkdir "$dir/chunked"
    python3 - "$dir/chunked" <<'PYTHON'
import hashlib, io, json, pathlib, subprocess, sys, tarfile
blobs = pathlib.Path(sys.argv[1]) / "blobs/sha256"
blobs.mkdir(parents=True)
def put(content, kind):
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(content)}
out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w") as tar:
    for number in range(3):
        info = tarfile.TarInfo(f"file{number}")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"text%d" % number))
plain = out.getvalue()
# A frame a file, then the manifest and its place in frames that every decoder skips.
pieces = [plain[start:start + 1024] for start in range(0, len(plain), 1024)]
zstd = lambda bytes: subprocess.run(["zstd", "-q", "-c"], input=bytes, stdout=subprocess.PIPE, check=True).stdout
skipped = lambda bytes: (0x184D2A50).to_bytes(4, "little") + len(bytes).to_bytes(4, "little") + bytes
packed = b"".join(zstd(piece) for piece in pieces) + skipped(b'{"version":1}' * 50) + skipped(b"GNUlInUx" + bytes(56))
layer = put(packed, "layer.v1.tar+zstd")
config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}).encode(), "config.v1+json")
manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode(), "manifest.v1+json")
manifest["annotations"] = {"io.containerd.image.name": "docker.io/library/chunked:1"}
(blobs / "../../index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
(blobs / "../../oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
PYTHON
    davit load --input "$dir/chunked"
    davit create --name chunked chunked:1 /x
    [ "$(davit export chunked | tar xO file0 file1 file2)" = text0text1text2 ]
    davit rm chunked
    davit rmi chunked:1
}

@test "an output is never put in the place of a device or a FIFO" {
    local out="$dir/outputs"
    mkdir "$out"
    davit create --name written busybox true
    mknod "$out/null" c 1 3
    mkfifo "$out/fifo"
    davit export --output "$out/null" written
    davit save --output "$out/null" busybox
    [ -c "$out/null" ]
    tar t < "$out/fifo" > "$out/list" &
    davit export --output "$out/fifo" written
    wait $!
    [ -p "$out/fifo" ]
    grep -q bin/busybox "$out/list"
    davit rm written
    rm -r "$out"
}

@test "the docker client commits, exports, loads and prunes" {
    docker run --name by-docker busybox sh -c 'echo changed > /changed'
    run docker commit --message why --change 'ENV A=1' by-docker committed:1
    [ "$status" -eq 0 ]
    [ "$(docker run --rm committed:1 sh -c 'cat /changed; echo $A')" = $'changed\n1' ]
    [ "$(docker image inspect --format '{{.Comment}}' committed:1)" = why ]
    docker export by-docker | tar t | grep -qx changed
    docker save committed:1 > "$dir/committed.tar"
    docker rmi committed:1
    docker load --input "$dir/committed.tar"
    docker history committed:1 | grep -q why
    docker rmi committed:1
    docker container prune --force | grep -q "Total reclaimed space"
    says_nothing docker ps --all --quiet
}

@test "a container whose settings are too long for a job cannot be committed, and davitd goes on" {
    jq -n '{Image: "busybox", Env: [range(4000) | "NAME\(.)=" + ("x" * 100)]}' > "$dir/long.json"
    id=$(curl -s --unix-socket "$dir/run/davit.sock" -X POST -H 'Content-Type: application/json' --data @"$dir/long.json" \
        "http://d/containers/create?name=long" | jq -r .Id)
    run davit commit "$id" long:1
    [ "$status" -eq 1 ]
    contains "$output" "more than 262144 bytes"
    davit version > /dev/null
    davit rm long
}

@test "lists of images: names that match alone, by age, and values that make sense" {
    davit create --name changed busybox true
    davit commit changed later:1
    davit tag later:1 other/later:2
    listed() { davit images --format '{{.Repository}}:{{.Tag}}' "$@" | sort | xargs; }
    [ "$(listed later)" = later:1 ]
    [ "$(listed --filter 'reference=*/later')" = other/later:2 ]
    [ "$(listed --filter since=busybox --filter 'reference=*later*' --filter 'reference=*/later')" = "later:1 other/later:2" ]
    refute eval 'listed --filter since=busybox | grep -q busybox'
    contains "$(listed --filter before=later:1)" busybox:latest
    [ -z "$(listed --filter since=later:1 --filter 'reference=*later*')" ]
    [ -z "$(listed --filter until=1969-01-01 --filter 'reference=*later*')" ]
    for filter in since=nothing before=nothing dangling=perhaps until=once; do
        run davit images --filter "$filter"
        [ "$status" -eq 1 ]
        contains "$output" "${filter%%=*}"
    done
    davit rm changed
    davit rmi later:1 other/later:2
}
