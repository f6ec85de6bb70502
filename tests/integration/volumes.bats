#!/usr/bin/env bats
# What outlives containers: named and anonymous volumes.
load common

setup_file() {
    setup_daemon_file
    mkdir -p "$dir/image/bin" "$dir/image/data/sub"
    cp /bin/busybox "$dir/image/bin/"
    for applet in sh cat ls stat echo touch ln mkdir sleep true chown find; do ln -s busybox "$dir/image/bin/$applet"; done
    echo first > "$dir/image/data/one"
    echo second > "$dir/image/data/sub/two"
    ln -s one "$dir/image/data/link"
    mkfifo "$dir/image/data/pipe"
    chmod 4711 "$dir/image/data/one"
    chown 33:44 "$dir/image/data/one" "$dir/image/data"
    touch -d '2020-01-02 03:04:05.123456789Z' "$dir/image/data/one"
    davit import --change 'VOLUME /anonymous' "$dir/image" seeded:1
}
teardown_file() { teardown_daemon_file; }

teardown() {
    remove_containers --volumes
    davit volume prune --all --force >/dev/null
}

volumes() { davit volume ls --quiet | sort | xargs; }
mountpoint_of() { davit volume inspect "$1" | jq -r '.[0].Mountpoint'; }
is_swept() { is_empty "$dir/root/trash"; }

@test "a volume keeps what is written, from container to container" {
    [ "$(davit volume create --label a=b kept)" = kept ]
    davit run --rm --volume kept:/v busybox sh -c 'echo kept > /v/file'
    [ "$(davit run --rm --volume kept:/v:ro busybox cat /v/file)" = kept ]
    [ "$(cat "$(mountpoint_of kept)/file")" = kept ]
    run davit run --rm --volume kept:/v:ro busybox touch /v/file
    [ "$status" -ne 0 ]
    contains "$output" "Read-only"
    stop_davitd
    start_davitd
    [ "$(davit volume ls --filter label=a=b --quiet)" = kept ]
    [ "$(davit run --rm --mount type=volume,source=kept,target=/v,readonly busybox cat /v/file)" = kept ]
}

@test "a volume that is new or empty starts with what the image has there" {
    davit run --rm --volume filled:/data seeded:1 true
    data=$(mountpoint_of filled)
    [ "$(cat "$data/one" "$data/sub/two" "$data/link" | xargs)" = "first second first" ]
    [ "$(stat -c %a:%u:%g:%y "$data/one")" = "$(stat -c %a:%u:%g:%y "$dir/image/data/one")" ]
    [ "$(stat -c %u:%g "$data")" = 33:44 ]
    [ -p "$data/pipe" ]
    echo changed > "$data/one"
    [ "$(davit run --rm --volume filled:/data seeded:1 cat /data/one)" = changed ]
    [ "$(davit run --rm --volume bare:/data:nocopy seeded:1 ls /data)" = "" ]
    [ "$(davit run --rm --mount type=volume,source=bare2,target=/data,volume-nocopy seeded:1 ls /data)" = "" ]
}

@test "a copy that was killed is completed by the next container" {
    davit volume create half
    data=$(mountpoint_of half)
    echo first > "$data/one"
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.davit.copyup", b"y")' "$data"
    echo torn > "$data/.davit-copyup"
    davit run --rm --volume half:/data seeded:1 true
    [ "$(cat "$data/sub/two")" = second ]
    [ ! -e "$data/.davit-copyup" ]
    [ "$(python3 -c 'import os, sys; print(os.listxattr(sys.argv[1]))' "$data")" = "[]" ]
}

@test "with ids of its own a container finds and leaves on a volume the ids it sees" {
    davit run --rm --userns auto --volume mapped:/data seeded:1 sh -c 'touch /data/new; chown 5:6 /data/new'
    data=$(mountpoint_of mapped)
    [ "$(stat -c %u:%g "$data/one" "$data/new" | xargs)" = "33:44 5:6" ]
    [ "$(davit run --rm --userns auto --volume mapped:/data seeded:1 stat -c %u:%g /data/new)" = 5:6 ]
}

@test "anonymous volumes go with their container, if it is told so" {
    davit run --rm seeded:1 touch /anonymous/file
    [ "$(volumes)" = "" ]
    davit create --name first --volume /more seeded:1 true
    [ "$(davit inspect first | jq -r '[.[0].Mounts[] | .Type + .Destination] | sort | join(" ")')" = "volume/anonymous volume/more" ]
    [ "$(davit volume ls --quiet | wc -l)" -eq 2 ]
    davit rm first
    [ "$(davit volume ls --quiet | wc -l)" -eq 2 ]
    davit create --name second --volume named:/named seeded:1 true
    davit rm --volumes second
    [ "$(davit volume ls --quiet | wc -l)" -eq 3 ]
    davit volume prune --force
    [ "$(volumes)" = named ]
    wait_until is_swept
}

@test "a volume in use stays; one that is not there is said so" {
    davit create --name user --volume used:/v busybox true
    run davit volume rm used
    [ "$status" -eq 1 ]
    contains "$output" "volume is in use"
    [ "$(davit volume ls --filter dangling=true --quiet)" = "" ]
    davit rm user
    davit volume rm used
    run davit volume rm used
    [ "$status" -eq 1 ]
    contains "$output" "no such volume"
    davit volume rm --force used
    wait_until is_swept
}

@test "what other containers have mounted, by --volumes-from" {
    davit create --name source --volume shared:/v --volume "$dir:/host:ro" busybox true
    davit run --rm --volumes-from source busybox sh -c 'echo x > /v/file; ls /host/log'
    run davit run --rm --volumes-from source:ro busybox touch /v/file
    contains "$output" "Read-only"
    [ "$(davit run --rm --volumes-from source --volume own:/v busybox ls /v)" = "" ]
    run davit run --rm --volumes-from nobody busybox true
    [ "$status" -eq 125 ]
    contains "$output" "No such container"
}

@test "a part of a volume, and no link in it leads outside" {
    davit run --rm --volume parts:/v busybox sh -c 'mkdir -p /v/a/b; echo deep > /v/a/b/file; ln -s /etc /v/out; ln -s ../../../../.. /v/up'
    part() { davit run --rm --mount "type=volume,source=parts,target=/p,volume-subpath=$1" busybox "${@:2}"; }
    [ "$(part a/b cat /p/file)" = deep ]
    for path in out missing; do
        run part $path ls /p
        [ "$status" -eq 125 ]
        contains "$output" "No such file"
    done
    # ".." ends at the volume.
    [ "$(part up ls /p | sort | xargs)" = "a out up" ]
    run part /a true
    [ "$status" -eq 125 ]
    contains "$output" "must be relative"
}

@test "a create that fails leaves no volume behind" {
    run davit create --volume fresh:/v --volume /v2 --workdir relative busybox true
    [ "$status" -ne 0 ]
    [ "$(volumes)" = "" ]
}

@test "what cannot be a volume is refused by name" {
    run davit volume create 'a/b'
    contains "$output" "invalid characters"
    run davit volume create --driver nfs x1
    contains "$output" '"nfs" not found'
    run davit volume create --opt type=tmpfs x1
    contains "$output" '"device"'
    run davit volume create --opt size=12 x1
    contains "$output" "DriverOpts.size"
    run davit create --volume v1:/a --mount type=volume,source=v2,target=/a/ busybox true
    contains "$output" "Duplicate mount point: /a"
    run davit create --volume v1:relative busybox true
    contains "$output" "must be absolute"
    run davit create --volume v1:/a:shared busybox true
    contains "$output" 'mode "shared"'
    [ "$(volumes)" = "" ]
}

@test "volumes are counted by system df" {
    davit run --rm --volume counted:/v busybox sh -c 'echo 1234 > /v/file'
    [ "$(davit system df --format json | jq '.Volumes[0] | .Name == "counted" and .UsageData.RefCount == 0 and .UsageData.Size >= 5')" = true ]
    contains "$(docker system df)" "Local Volumes"
}

@test "docker's client: create, list, inspect, use, remove, prune" {
    [ "$(docker volume create --label x=y by-docker)" = by-docker ]
    docker run --rm -v by-docker:/v busybox touch /v/file
    [ "$(docker volume inspect by-docker --format '{{.Labels.x}} {{.Driver}} {{.Scope}}')" = "y local local" ]
    contains "$(docker volume ls)" by-docker
    docker run --rm --mount type=volume,src=by-docker,dst=/v,volume-nocopy busybox ls /v/file
    docker create --name holds -v by-docker:/v busybox true
    contains "$(docker inspect holds --format '{{json .Mounts}}')" '"Name":"by-docker"'
    run docker volume rm by-docker
    contains "$output" "volume is in use"
    docker rm -v holds
    contains "$(docker volume prune --force)" by-docker
    docker volume create
    docker volume rm "$(docker volume ls --quiet)"
}

@test "a large volume does not hold davitd up while it goes" {
    davit volume create large
    data=$(mountpoint_of large)
    mkdir "$data/"{0..9}
    for i in {0..9}; do (cd "$data/$i" && seq -f f%g 3000 | xargs touch); done
    davit volume rm large
    [ "$(volumes)" = "" ]
    davit run --rm busybox true
    wait_until is_swept
}
