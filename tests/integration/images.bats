#!/usr/bin/env bats
# Images without a registry: saved, imported, made from containers, counted, removed.
load common

setup_file() {
    setup_daemon_file
    "$BATS_TEST_DIRNAME/make-layers" "$shared/busybox.tar" "$dir/layout"
    davit load --input "$dir/layout"
    davit tag "$(davit images --quiet | while read -r id; do
        [ "$(davit inspect "$id" | jq '.[0].RootFS.Layers | length')" = 1 ] || echo "$id"; done | head -1)" layers:1
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
    [ -z "$(ls "$dir/root/ingest")" ]
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
    davit save --output "$dir/confined.tar" busybox
    head -c 1000000 "$dir/confined.tar" > "$dir/half.tar"
    mkfifo "$dir/fifo"
    davit rmi busybox
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
