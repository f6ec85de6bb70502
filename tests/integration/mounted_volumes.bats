#!/usr/bin/env bats
# Volumes that are not directories of davitd's own: type, device and o, as docker's local driver has them. A network
# filesystem is mounted in the virtual machine; a disk in a file stands for it here.
load common

setup_file() {
    setup_daemon_file
    truncate -s 32M "$dir/disk"
    mkfs.ext4 -q -E root_owner=0:0 "$dir/disk"
    losetup --find --show "$dir/disk" > "$dir/loop"
    mkdir "$dir/bound"
    export loop=$(cat "$dir/loop")
}

teardown_file() {
    remove_containers --volumes
    davit volume prune --all --force >/dev/null
    losetup --detach "$(cat "$dir/loop")"
    teardown_daemon_file
}

teardown() {
    remove_containers --volumes
    davit volume prune --all --force >/dev/null
    is_empty "$dir/root/volumes"
}

mountpoint_of() { davit volume inspect --format '{{.Mountpoint}}' "$1"; }

@test "a path of the host is bound as a volume" {
    davit volume create --opt type=none --opt device="$dir/bound" --opt o=bind bound
    davit run --rm --volume bound:/v busybox sh -c 'echo inside > /v/file'
    [ "$(cat "$dir/bound/file")" = inside ]
    [ "$(stat -c %u "$dir/bound/file")" = 0 ]
    davit volume create --opt type=none --opt device="$dir/bound" --opt o=bind,ro readonly
    run davit run --rm --volume readonly:/v busybox touch /v/other
    [ "$status" -ne 0 ]
    contains "$output" Read-only
    # As docker's manual writes it: a field in quotes has commas.
    run davit run --rm --mount "type=volume,source=quoted,target=/v,volume-opt=type=none,volume-opt=device=$dir/bound,\"volume-opt=o=bind,ro\"" busybox sh -c 'cat /v/file; touch /v/other'
    [ "$status" -ne 0 ]
    contains "$output" inside
    contains "$output" Read-only
    for mount in 'type=volume,"source=x' 'type=volume,"source=x"y,target=/v'; do
        run davit run --rm --mount "$mount" busybox true
        [ "$status" -eq 125 ]
        contains "$output" "a quote"
    done
    davit volume rm quoted
    [ "$(davit volume inspect --format '{{.Options.device}}' bound)" = "$dir/bound" ]
    davit volume rm bound readonly
    [ -e "$dir/bound/file" ]
}

@test "what is bound has to be there when a container starts, and a subpath stays in it" {
    davit volume create --opt type=none --opt device="$dir/missing" --opt o=bind absent
    run davit run --rm --volume absent:/v busybox true
    [ "$status" -eq 125 ]
    contains "$output" "$dir/missing"
    [ ! -e "$dir/missing" ]
    mkdir -p "$dir/bound/part"
    echo part > "$dir/bound/part/file"
    ln -sfn /etc "$dir/bound/out"
    davit volume create --opt type=none --opt device="$dir/bound" --opt o=bind bound
    [ "$(davit run --rm --mount type=volume,source=bound,target=/v,volume-subpath=part busybox cat /v/file)" = part ]
    run davit run --rm --mount type=volume,source=bound,target=/v,volume-subpath=out busybox ls /v
    [ "$status" -ne 0 ]
}

@test "a filesystem of a device is mounted for each container, with its options, and nowhere else" {
    davit volume create --opt type=ext4 --opt device="$loop" --opt o=noatime,errors=continue disk
    davit run --name one --detach --volume disk:/v busybox sh -c 'mkdir -p /v/part; echo one > /v/part/file; sleep 1000'
    wait_until davit exec one cat /v/part/file
    [ "$(davit run --rm --volume disk:/v busybox cat /v/part/file)" = one ]
    [ "$(davit run --rm --mount type=volume,source=disk,target=/v,volume-subpath=part busybox cat /v/file)" = one ]
    contains "$(davit exec one grep ' /v ' /proc/mounts)" "noatime"
    refute grep -q "^$loop " /proc/mounts
    [ "$(davit exec one stat -c %u /v/part/file)" = 0 ]
    run davit volume rm disk
    [ "$status" -eq 1 ]
    davit cp one:/v/part/file "$dir/copied"
    davit kill one
    run davit cp one:/v/part/file "$dir/copied"
    [ "$status" -eq 1 ]
    contains "$output" Conflict
    davit rm one
    davit volume rm disk
    fsck.ext4 -fn "$dir/disk"
}

@test "a filesystem that cannot be mounted says why, and leaves nothing" {
    davit volume create --opt type=ext4 --opt device="$dir/bound" disk
    run davit run --rm --volume disk:/v busybox true
    [ "$status" -eq 125 ]
    contains "$output" "ext4 $dir/bound"
    davit volume create --opt type=ext4 --opt device="$loop" --opt o=nonsense=1 options
    run davit run --rm --volume options:/v busybox true
    [ "$status" -eq 125 ]
    contains "$output" nonsense
    [ -z "$(davit ps --all --quiet)" ]
}

@test "memory is shared by its containers, bounded, and stays when davitd dies" {
    davit volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=2m,mode=0750,uid=0,noexec memory
    davit run --name one --detach --volume memory:/v busybox sleep 1000
    davit run --rm --volume memory:/v busybox sh -c 'echo shared > /v/file'
    [ "$(davit exec one cat /v/file)" = shared ]
    [ "$(davit exec one stat -c '%a %u' /v)" = "750 0" ]
    [ "$(davit exec one stat -f -c %T /v)" = tmpfs ]
    contains "$(davit exec one grep ' /v ' /proc/mounts)" noexec
    run davit exec one dd if=/dev/zero of=/v/large bs=1M count=3
    [ "$status" -ne 0 ]
    contains "$output" "No space"
    davit exec one rm /v/large
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    [ "$(davit run --rm --volume memory:/v busybox cat /v/file)" = shared ]
    davit rm --force one
    path=$(mountpoint_of memory)
    mountpoint -q "$path"
    davit volume rm memory
    refute mountpoint -q "$path"
}

@test "options that make no sense are refused by name, before anything is made" {
    refused() { # WORDS OPTION...
        local words=$1
        shift
        run davit volume create "${@/#/--opt=}" refused
        [ "$status" -eq 1 ]
        contains "$output" "$words"
    }
    refused 'missing required option: "device"' type=nfs o=addr=10.0.0.1
    refused 'missing required option: "type"' device=/x
    refused 'missing required option: "type"' o=bind
    refused 'addr=ADDRESS is missing' type=nfs device=:/export
    refused 'ADDRESS:/PATH is expected' type=nfs4 device=/export o=addr=10.0.0.1
    refused 'needs "bind"' type=none device=/x
    refused 'an absolute path' type=none device=x o=bind
    for type in proc fusectl pstore autofs overlay nosuchfs; do refused 'not a filesystem of a disk' type=$type device=x; done
    refused 'not a filesystem of a disk' type=../x device=x
    refused 'not for volumes' type=none device=/x o=bind,x-davit.filesystem=proc
    refused 'not for volumes' type=none device=/x o=bind,idmap
    refused 'has size=SIZE in o' type=tmpfs device=tmpfs size=10m
    refused 'DriverOpts.colour' colour=red
    [ -z "$(davit volume ls --quiet)" ]
}

@test "what is mounted there is not forgotten: not for its size, nor with its file" {
    head -c 3000000 /dev/zero | tr '\0' x > "$dir/long"
    jq -n --rawfile text "$dir/long" --arg device "$dir/bound" '{Name: "large", Labels: {k: $text}, DriverOpts: {type: "none", device: $device, o: "bind"}}' > "$dir/large.json"
    [ "$(curl -s -o "$dir/answer" -w '%{http_code}' --unix-socket "$dir/run/davit.sock" -d @"$dir/large.json" http://d/volumes/create)" = 413 ]
    is_empty "$dir/root/volumes"
    davit volume create --opt type=none --opt device="$dir/bound" --opt o=bind bound
    davit volume create --opt type=tmpfs --opt device=tmpfs memory
    davit run --rm --volume memory:/v busybox touch /v/file
    stop_davitd
    for volume in bound memory; do rm "$dir/root/volumes/$volume/"*.json "$dir/root/volumes/$volume/".*.json*; done
    start_davitd
    [ -z "$(davit volume ls --quiet)" ]
    contains "$(davit system check)" volumes/bound
    # As if davitd had died while it removed one.
    stop_davitd
    mv "$dir/root/volumes/memory" "$dir/root/volumes/.removed-memory"
    start_davitd
    refute grep -q removed-memory /proc/mounts
    davit system repair --prune --force
}

@test "containers with a network's filesystem have the host's ids, and say so" {
    davit volume create --opt type=nfs --opt device=:/export --opt o=addr=127.0.0.1,nfsvers=4 network
    run davit create --name one --volume network:/v busybox true
    [ "$status" -eq 0 ]
    contains "$output" "the host's user and group ids"
    run davit create --userns auto --volume network:/v busybox true
    [ "$status" -eq 1 ]
    contains "$output" ":/export cannot map ids"
}

@test "docker and docker-compose make such volumes" {
    export DOCKER_HOST="$DAVIT_HOST"
    docker volume create --opt type=none --opt device="$dir/bound" --opt o=bind of-docker
    echo content > "$dir/bound/file"
    [ "$(docker run --rm --volume of-docker:/v busybox cat /v/file)" = content ]
    [ "$(docker run --rm --mount "type=volume,source=anew,target=/v,volume-opt=type=none,volume-opt=device=$dir/bound,volume-opt=o=bind" busybox cat /v/file)" = content ]
    mkdir "$dir/project"
    cat > "$dir/project/docker-compose.yml" <<END
version: "3.7"
services:
  one:
    image: busybox
    command: cat /v/file
    network_mode: none
    volumes: ["data:/v"]
volumes:
  data:
    driver: local
    driver_opts: {type: none, o: bind, device: "$dir/bound"}
END
    run docker-compose -f "$dir/project/docker-compose.yml" up
    contains "$output" content
    docker-compose -f "$dir/project/docker-compose.yml" down --volumes
}
