#!/usr/bin/env bats
# Debian's docker client, unmodified, against davitd; and what no client would send.
load common

setup_file() { setup_daemon_file; }
teardown_file() { teardown_daemon_file; }

@test "the client negotiates a version and reads version and info" {
    [ "$(docker version --format '{{.Server.APIVersion}}')" = 1.43 ]
    [ "$(docker info --format '{{.OSType}} {{.Driver}}')" = "linux overlayfs" ]
}

@test "images are loaded, listed, inspected and removed" {
    [ "$(docker images --format '{{.Repository}}:{{.Tag}}')" = busybox:latest ]
    [ "$(docker image inspect --format '{{.Os}} {{index .Config.Cmd 0}}' busybox)" = "linux sh" ]
    "$build/davit-image" assemble --cmd sh --output "$dir/other.tar" other/image:1 "$dir/root/seccomp"
    run docker load --input "$dir/other.tar"
    contains "$output" "Loaded image: other/image:1"
    docker image inspect other/image:1 >/dev/null
    run docker rmi other/image:1
    contains "$output" Deleted
    run docker image inspect other/image:1
    [ "$status" -eq 1 ]
}

@test "an image of another platform than the one asked for is none" {
    docker run --rm --platform "$(docker image inspect --format '{{.Os}}/{{.Architecture}}' busybox)" busybox true
    run docker create --pull never --platform linux/s390x busybox
    [ "$status" -ne 0 ]
    contains "$output" "does not match the specified platform: wanted linux/s390x"
    run docker create --pull never --platform windows/amd64 busybox
    [ "$status" -ne 0 ]
    contains "$output" "is not linux/ARCHITECTURE"
}

@test "run, exit status, --rm" {
    run docker run --rm busybox sh -c 'echo out; echo err >&2; exit 3'
    [ "$status" -eq 3 ]
    contains "$output" out
    contains "$output" err
    run docker run --rm busybox nonexistent
    [ "$status" -eq 127 ]
    run docker run --rm busybox /etc/passwd
    [ "$status" -eq 126 ]
    says_nothing docker ps --all --quiet
}

@test "standard input, both ways, with half-close" {
    run bash -c "printf 'a\nb\n' | DOCKER_CONFIG='$dir/docker' timeout 60 '$shared/docker' -H 'unix://$dir/run/davit.sock' run --rm --interactive busybox sh -c 'cat; echo done'"
    [ "$output" = $'a\nb\ndone' ]
}

@test "a container's whole life" {
    id=$(docker run --detach --name life --label a=b busybox sh -c 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done')
    wait_until sh -c "'$build/davit' logs life | grep -q up"
    [ "$(docker ps --no-trunc --quiet --filter label=a=b)" = "$id" ]
    [ "$(docker inspect --format '{{.State.Running}} {{.Name}} {{.Config.Image}}' life)" = "true /life busybox" ]
    run docker exec --env X=y life sh -c 'echo $X; exit 5'
    [ "$status" -eq 5 ]
    [ "$output" = y ]
    run docker exec life nonexistent
    [ "$status" -eq 127 ]
    [ "$(docker logs --tail 1 life)" = up ]
    docker stop life
    [ "$(docker wait life)" = 9 ]
    docker start life
    docker restart --time 1 life
    docker kill life
    [ "$(docker wait life)" = 137 ]
    docker rm life
    says_nothing docker ps --all --quiet
}

@test "a terminal, and exec with one" {
    run timeout 60 script -qec "stty rows 29 cols 91; DOCKER_CONFIG=$dir/docker '$shared/docker' -H unix://$dir/run/davit.sock run --rm --interactive --tty busybox sh -c 'tty; read x; stty size; exit 4'" /dev/null < <(sleep 1; echo)
    [ "$status" -eq 4 ]
    contains "$output" /dev/pts/0
    contains "$output" "29 91"
    docker run --detach --name term busybox sleep 1000
    run timeout 60 script -qec "DOCKER_CONFIG=$dir/docker '$shared/docker' -H unix://$dir/run/davit.sock exec --tty term tty" /dev/null
    contains "$output" /dev/pts/
    docker rm --force term
}

@test "options the client offers and davit does not support are refused by name" {
    for options in "--log-driver gelf" "--memory-swappiness 10" \
        "--security-opt apparmor=x" "--security-opt label=type:x"; do
        # shellcheck disable=SC2086
        run docker create $options busybox true
        [ "$status" -ne 0 ] || { echo "accepted: $options"; false; }
        contains "$output" "not supported"
    done
    says_nothing docker ps --all --quiet
}

@test "what does not exist is said so" {
    for command in "inspect nope" "start nope" "stop nope" "logs nope" "exec nope true" "rm nope" "kill nope"; do
        # shellcheck disable=SC2086
        run docker $command
        [ "$status" -ne 0 ]
        [[ ${output,,} == *"no such"* ]]
    done
    run docker run nope true
    [ "$status" -eq 125 ]
}

@test "events reach the client" {
    since=$(date +%s)
    docker run --rm --name ev busybox true
    run docker events --since "$since" --until "$(($(date +%s) + 1))" --filter container=ev --format '{{.Action}}'
    [ "$(echo "$output" | tr '\n' ' ')" = "create attach start die destroy " ]
}

# What no client would send.

raw() { printf "$1" | timeout 20 socat -t 20 - "UNIX-CONNECT:$dir/run/davit.sock"; }
status_of() { curl -s -o "$dir/body" -w '%{http_code}' --unix-socket "$dir/run/davit.sock" "$@"; }

@test "status codes and errors are Docker's" {
    [ "$(status_of http://d/_ping)" = 200 ]
    [ "$(status_of --head http://d/_ping)" = 200 ]
    [ "$(status_of http://d/v1.99/info)" = 400 ]
    contains "$(jq -r .message "$dir/body")" "too new"
    [ "$(status_of http://d/v1.10/info)" = 400 ]
    [ "$(status_of http://d/nothing)" = 404 ]
    [ "$(jq -r .message "$dir/body")" = "neither Docker's API nor davit's has a path \"/nothing\"" ]
    [ "$(status_of http://d/v1.43/plugins)" = 200 ]
    [ "$(cat "$dir/body")" = "[]" ]
    for path in swarm/init services/x tasks nodes secrets/create configs build session plugins/x/json; do
        [ "$(status_of -X POST "http://d/v1.43/$path")" = 501 ]
        jq -r .message "$dir/body" | grep -q "davit"
    done
    [ "$(status_of http://d/v1.43/services)" = 501 ]
    [ "$(status_of http://d/v1.43/services/x)" = 404 ]
    [ "$(status_of -X POST http://d/info)" = 405 ]
    curl -s -i -X POST --unix-socket "$dir/run/davit.sock" http://d/info | grep -q '^Allow: GET'
    [ "$(status_of http://d/containers/nope/json)" = 404 ]
    [ "$(status_of -X POST -d 'not json' http://d/containers/create)" = 400 ]
    contains "$(jq -r .message "$dir/body")" "invalid JSON"
    [ "$(status_of -X POST -d '{"Image":"nope"}' http://d/containers/create)" = 404 ]
    [ "$(status_of -X POST -d '{"Image":"busybox","Env":[1]}' http://d/containers/create)" = 400 ]
    contains "$(jq -r .message "$dir/body")" "Env[0]: expected a string"
    [ "$(status_of 'http://d/containers/json?filters=%7B')" = 400 ]
    [ "$(status_of -X POST 'http://d/images/create?fromSrc=http://x')" = 501 ]
    [ "$(status_of -X POST http://d/containers/%2e%2e%2fx/start)" = 404 ]
}

@test "start and stop of what is so already is 304" {
    docker run --detach --name again busybox sleep 1000
    [ "$(status_of -X POST http://d/containers/again/start)" = 304 ]
    [ "$(status_of -X POST 'http://d/containers/again/stop?t=0')" = 204 ]
    [ "$(status_of -X POST http://d/containers/again/stop)" = 304 ]
    [ "$(status_of -X DELETE http://d/containers/again)" = 204 ]
}

@test "garbage, half requests and silence do not trouble anyone else" {
    run raw '\x16\x03\x01\x02garbage\r\n\r\n'
    contains "$output" "400 Bad Request"
    run raw 'GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n'
    contains "$output" "400"
    run raw "GET /$(head -c 200000 /dev/zero | tr '\0' a) HTTP/1.1\r\n\r\n"
    contains "$output" "413"
    run raw 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping HTTP/1.1\r\nConnection: close\r\n\r\n'
    [ "$(echo "$output" | grep -c '200 OK')" -eq 2 ]
    # Open connections that say nothing, or not enough.
    for i in $(seq 50); do
        socat -u "UNIX-CONNECT:$dir/run/davit.sock" - >/dev/null 3>&- &
        (printf 'POST /containers/create HTTP/1.1\r\nContent-Le'; sleep 20) | socat - "UNIX-CONNECT:$dir/run/davit.sock" >/dev/null 3>&- &
    done
    docker run --rm busybox true
    kill $(jobs -p) 2>/dev/null || true
    kill -0 "$(cat "$dir/pid")"
}

@test "a request with a huge body is refused" {
    [ "$(head -c 6000000 /dev/zero | tr '\0' ' ' | status_of -X POST --data-binary @- http://d/containers/create)" = 413 ]
}

@test "truncated, tampered and meaningless archives are refused and leave nothing" {
    blobs() { find "$dir/root/blobs" "$dir/root/layers" "$dir/root/ingest" -mindepth 1 -maxdepth 2 | sort; }
    before=$(blobs)
    head -c 300000 "$shared/busybox.tar" > "$dir/truncated.tar"
    mkdir -p "$dir/tampered"
    tar -C "$dir/tampered" -xf "$shared/busybox.tar"
    layer=$(ls -S "$dir/tampered/blobs/sha256" | head -n 1)
    printf X | dd of="$dir/tampered/blobs/sha256/$layer" bs=1 seek=5000 conv=notrunc status=none
    tar -C "$dir/tampered" -cf "$dir/tampered.tar" .
    tar -C "$dir/docker" -cf "$dir/meaningless.tar" . 2>/dev/null || { mkdir -p "$dir/docker"; tar -C "$dir/docker" -cf "$dir/meaningless.tar" .; }
    head -c 100000 /dev/urandom > "$dir/random.tar"
    for archive in truncated tampered meaningless random; do
        run docker load --input "$dir/$archive.tar"
        [ "$status" -ne 0 ] || { echo "accepted: $archive"; false; }
    done
    run davit load --input "$dir/tampered.tar"
    contains "$output" "does not match its digest"
    [ "$(blobs)" = "$before" ]
    docker run --rm busybox true
}

@test "archives compressed by gzip and zstd, and a layout directory, are loaded" {
    gzip -c "$shared/busybox.tar" > "$dir/busybox.tgz"
    zstd -q -f "$shared/busybox.tar" -o "$dir/busybox.tzst"
    mkdir -p "$dir/layout"
    tar -C "$dir/layout" -xf "$shared/busybox.tar"
    for input in "$dir/busybox.tgz" "$dir/busybox.tzst" "$dir/layout"; do
        run davit load --input "$input"
        [ "$output" = "Loaded image: busybox:latest" ]
    done
    run davit load --input "$dir/root/seccomp"
    [ "$status" -eq 1 ]
    contains "$output" "not an OCI layout"
}

@test "a docker-archive of several layers is loaded, with whiteouts" {
    work=$dir/archive
    mkdir -p "$work/l1/etc" "$work/l1/opaque" "$work/l2/opaque" "$work/out/a" "$work/out/b"
    mkdir -p "$work/l1/bin"
    cp /bin/busybox "$work/l1/bin/sh"
    echo old > "$work/l1/etc/gone"
    echo old > "$work/l1/opaque/hidden"
    mkdir -p "$work/l2/etc"
    : > "$work/l2/etc/.wh.gone"
    : > "$work/l2/opaque/.wh..wh..opq"
    echo new > "$work/l2/opaque/shown"
    tar -C "$work/l1" -cf "$work/out/a/layer.tar" .
    tar -C "$work/l2" -cf "$work/out/b/layer.tar" .
    d1=$(sha256sum < "$work/out/a/layer.tar" | cut -d' ' -f1)
    d2=$(sha256sum < "$work/out/b/layer.tar" | cut -d' ' -f1)
    echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$d1\",\"sha256:$d2\"]}}" > "$work/out/config.json"
    echo '[{"Config":"config.json","RepoTags":["two/layers:1"],"Layers":["a/layer.tar","b/layer.tar"]}]' > "$work/out/manifest.json"
    tar -C "$work/out" -cf "$work/image.tar" a b config.json manifest.json
    run docker load --input "$work/image.tar"
    [ "$output" = "Loaded image: two/layers:1" ]
    run docker run --rm two/layers:1 sh -c '[ -e /etc/gone ] && echo gone-is-there; [ -e /opaque/hidden ] && echo hidden-is-there; echo /opaque/*'
    [ "$output" = "/opaque/shown" ]
    # The same layers under a wrong diff id
    sed -i "s/$d2/$d1/" "$work/out/config.json"
    tar -C "$work/out" -cf "$work/wrong.tar" a b config.json manifest.json
    run docker load --input "$work/wrong.tar"
    [ "$status" -ne 0 ]
    contains "$output" "diff id"
    docker rmi two/layers:1
}
