#!/usr/bin/env bats
# Layers on disk: the same tree as others make of a real system, whatever hostile archives want, however many there are.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

# IMAGE LIST: what a container of it would see.
list_image() {
    davit create --name "$2" "$1" sh > /dev/null
    mkdir "$dir/$2.tree"
    # A gigabyte: on a busy disk it may take more than other commands have.
    timeout 1500 "$build/davit" export "$2" | tar x --xattrs --xattrs-include='*' -C "$dir/$2.tree" 2> "$dir/$2.errors" ||
        { cat "$dir/$2.errors"; return 1; }
    "$BATS_TEST_DIRNAME/tree-list" "$dir/$2.tree" > "$dir/$2"
    rm -r "$dir/$2.tree"
    davit rm "$2" > /dev/null
}

@test "a Debian system in four layers is the same tree to davit, umoci and Podman" {
    mkdir "$dir/layout"
    tar x -C "$dir/layout" -f "$shared/debian.tar"
    davit load --input "$shared/debian.tar"
    id=$(davit images --quiet | head -1)
    list_image "$id" davit.list
    umoci unpack --image "$dir/layout:debian" "$dir/umoci"
    "$BATS_TEST_DIRNAME/tree-list" "$dir/umoci/rootfs" > "$dir/umoci.list"
    rm -r "$dir/umoci"
    [ "$(wc -l < "$dir/umoci.list")" -gt 5000 ]
    diff "$dir/umoci.list" "$dir/davit.list"
    podman="podman --root $dir/podman --runroot $dir/podman.run --storage-driver vfs"
    $podman load --input "$shared/debian.tar"
    mount=$($podman image mount "$($podman images --quiet | head -1)")
    "$BATS_TEST_DIRNAME/tree-list" "$mount" > "$dir/podman.list"
    $podman image unmount --all
    $podman rmi --all --force
    # Podman gives a directory without an entry of its own the time of the unpacking.
    diff <(sed -E 's/^([^ ]+ d[^ ]+ [^ ]+) [0-9-]+/\1/' "$dir/podman.list") <(sed -E 's/^([^ ]+ d[^ ]+ [^ ]+) [0-9-]+/\1/' "$dir/davit.list")
    davit run --rm --userns host "$id" sh -c '[ -u /usr/bin/id ] && [ "$(stat -c %u /etc/issue)" = 4194304 ] && perl -e "print 1" && getent passwd root'
    davit rmi --force "$id"
}

@test "a directory that a layer only passes through looks as it does below" {
    mkdir -p "$dir/base/secret/inner" "$dir/base/gone"
    chmod 700 "$dir/base/secret"; chown 1234:5678 "$dir/base/secret"; chmod 2751 "$dir/base/secret/inner"
    touch -d @1000000000 "$dir/base/secret/inner"; touch -d @1100000000 "$dir/base/secret"
    tar c -C "$dir/base" . > "$dir/base.tar"
    davit import "$dir/base.tar" through:base
    davit save --output "$dir/through.tar" through:base
    mkdir "$dir/through"
    tar x -C "$dir/through" -f "$dir/through.tar"
    python3 - "$dir/upper.tar" <<'PYTHON'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as tar:
    for name in "secret/inner/file", "gone/.wh.x", "new/place/file":
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
PYTHON
    umoci raw add-layer --image "$dir/through:base" "$dir/upper.tar"
    skopeo copy --quiet "oci:$dir/through:base" "oci-archive:$dir/through2.tar"
    davit load --input "$dir/through2.tar"
    list_image "$(davit images --quiet | head -1)" through.list
    grep -q '^secret drwx------ 1234:5678 1100000000000000000' "$dir/through.list"
    grep -q '^secret/inner drwxr-s--x 0:0 1000000000000000000' "$dir/through.list"
    grep -q '^new/place drwxr-xr-x 0:0' "$dir/through.list"
}

# What no layer may touch: all of the test's files but the store, which is compared by itself.
everything_outside() { find "$dir/outside" /etc/passwd /tmp -maxdepth 1 -newer "$dir/before" ! -path /tmp ! -path "$dir*" ! -path '/tmp/bats*' ! -path '/tmp/davit-test*' -user root -name 'file*'; "$BATS_TEST_DIRNAME/tree-list" "$dir/outside"; }

@test "hostile layers are refused with a reason or stay in their directory" {
    mkdir -p "$dir/outside/dir" "$dir/hostile"
    echo untouched > "$dir/outside/file"
    touch "$dir/before"
    "$BATS_TEST_DIRNAME/hostile-layers" "$dir/hostile" "$dir/outside"
    everything_outside > "$dir/outside.before"
    [ "$(wc -l < "$dir/hostile/expected")" -ge 50 ]
    davit images --quiet | sort -u > "$dir/images.before"
    while read -r name outcome words; do
        echo "# $name"
        run davit import "$dir/hostile/$name.tar" "hostile:$name"
        everything_outside | diff "$dir/outside.before" -
        is_empty "$dir/root/ingest"
        if [ "$outcome" = refused ]; then
            [ "$status" -eq 1 ]
            contains "$output" "$words"
            [[ $output != *"died of signal"* ]]
        elif [ "$outcome" = contained ] || [ "$status" -eq 0 ]; then
            [ "$status" -eq 0 ]
            timeout 60 "$build/davit" create --name hostile "hostile:$name" /x
            timeout 60 "$build/davit" export hostile > "$dir/exported.tar"
            everything_outside | diff "$dir/outside.before" -
            timeout 60 "$build/davit" rm hostile
            timeout 60 "$build/davit" rmi "hostile:$name"
        fi
    done < "$dir/hostile/expected"
    [ "$(davit images --quiet | sort -u)" = "$(cat "$dir/images.before")" ]
}

@test "the last of several entries of one name is what counts" {
    mkdir -p "$dir/hostile2"
    "$BATS_TEST_DIRNAME/hostile-layers" "$dir/hostile2" /nowhere
    for name in duplicates cases slashes device-overwritten; do
        davit import "$dir/hostile2/$name.tar" "hostile:$name"
        davit create --name "$name" "hostile:$name" /x
    done
    [ "$(davit export duplicates | tar xO f)" = 499 ]
    [ "$(davit export cases | tar xO File file FILE)" = 312 ]
    [ "$(davit export slashes | tar xO a/b/c a/b/d)" = 12 ]
    [ "$(davit export device-overwritten | tar xO disk)" = "a file" ]
    davit rm duplicates cases slashes device-overwritten
}

# LAYERS: an archive of an image with so many, each of which adds a file.
make_layers() {
    python3 - "$shared/busybox.tar" "$dir/many.tar" "$1" <<'PYTHON'
import hashlib, io, json, sys, tarfile
source, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
blobs = {}
def put(content, kind):
    digest = hashlib.sha256(content).hexdigest()
    blobs["blobs/sha256/" + digest] = content
    return {"mediaType": f"application/vnd.oci.image.{kind}.v1" + ("+json" if kind != "layer" else ".tar"), "digest": "sha256:" + digest, "size": len(content)}
with tarfile.open(source) as tar:
    read = lambda digest: tar.extractfile("blobs/sha256/" + digest[7:]).read()
    manifest = json.loads(read(json.load(tar.extractfile("index.json"))["manifests"][0]["digest"]))
    config = json.loads(read(manifest["config"]["digest"]))
    layers = [put(read(manifest["layers"][0]["digest"]), "layer")]
for number in range(count - 1):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(f"layers/{number}")
        tar.addfile(info, io.BytesIO())
    layers.append(put(out.getvalue(), "layer"))
    config["rootfs"]["diff_ids"].append(layers[-1]["digest"])
top = put(json.dumps({"schemaVersion": 2, "config": put(json.dumps(config).encode(), "config"), "layers": layers}).encode(), "manifest")
top["annotations"] = {"io.containerd.image.name": "docker.io/library/many:1"}
with tarfile.open(target, "w") as tar:
    for name, content in {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps({"schemaVersion": 2, "manifests": [top]}).encode(), **blobs}.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
PYTHON
}

@test "an image of hundreds of layers runs; more than overlayfs stacks are refused before anything is unpacked" {
    make_layers 300
    davit load --input "$dir/many.tar"
    [ "$(davit run --rm many:1 ls /layers | wc -l)" = 299 ]
    davit create --name many many:1
    davit diff many
    davit export many | tar t layers/298
    davit rm many
    davit rmi many:1
    before=$(ls "$dir/root/layers" | wc -l)
    make_layers 501
    run davit load --input "$dir/many.tar"
    [ "$status" -eq 1 ]
    contains "$output" "501 layers; at most 498 can be stacked"
    [ "$(ls "$dir/root/layers" | wc -l)" = "$before" ]
}
