#!/usr/bin/env bats
# --format: Go's templates, as far as people use them on the command line.
load common

setup_file() {
    setup_daemon_file
    davit volume create --label kind=test vol >/dev/null
    davit create --name shown --label a=b --label c=d --volume vol:/v busybox sleep 1000 >/dev/null
}
teardown_file() { teardown_daemon_file; }

@test "containers, line by line and as a table" {
    id=$(davit inspect shown | jq -r '.[0].Id')
    [ "$(davit ps --all --format '{{.ID}} {{.Names}} {{.Image}} {{.State}} {{.Mounts}}')" = "${id:0:12} shown busybox created vol" ]
    [ "$(davit ps --all --no-trunc --format '{{.ID}}')" = "$id" ]
    [ "$(davit ps --all --format '{{.Labels}}|{{.Label "c"}}|{{.Label "none"}}')" = "a=b,c=d|d|" ]
    [ "$(davit ps --all --format '{{.Names}}\t{{.Status}}')" = $'shown\tCreated' ]
    [ "$(davit ps --all --format '{{json .Names}}')" = '"shown"' ]
    [ "$(davit ps --all --format 'table {{.Names}}\t{{.RunningFor}}' | head -n 1)" = "NAMES   CREATED" ]
    davit ps --all --format 'table {{.Names}}\t{{.Image}}' | tail -n 1 | grep -q '^shown   busybox$'
    [ "$(davit ps --format 'table {{.Names}}')" = NAMES ]
}

@test "paths, ranges, conditions, members, lengths" {
    [ "$(davit inspect --format '{{.Name}} {{.State.Status}} {{.State.Running}} {{.State.ExitCode}}' shown)" = "/shown created false 0" ]
    [ "$(davit inspect --format '{{range .Mounts}}{{.Name}}:{{.Destination}};{{end}}' shown)" = "vol:/v;" ]
    [ "$(davit inspect --format '{{index .Config.Labels "a"}} {{len .Mounts}}' shown)" = "b 1" ]
    [ "$(davit inspect --format '{{if .State.Running}}up{{else}}down{{end}}{{"\t"}}x' shown)" = $'down\tx' ]
    [ "$(davit inspect --format '{{json .Config.Labels}}' shown | jq -r .c)" = d ]
    [ "$(davit inspect --format '{{.No.Such}}' shown)" = "<no value>" ]
    [ "$(davit inspect --format '{{range .Mounts}}{{if .RW}}rw{{else}}ro{{end}}{{end}}' shown)" = rw ]
}

@test "the same words give what docker's client gives" {
    for format in '{{.Names}} {{.Image}} {{.Label "a"}}' '{{.ID}}' '{{.State}} {{.Status}}'; do
        [ "$(davit ps --all --format "$format")" = "$(docker ps --all --format "$format")" ]
    done
    for format in '{{.State.Status}}' '{{range .Mounts}}{{.Type}} {{.Destination}}{{end}}' '{{json .Config.Cmd}}' '{{index .Config.Labels "a"}}'; do
        [ "$(davit inspect --format "$format" shown)" = "$(docker inspect --format "$format" shown)" ]
    done
}

@test "images, volumes, version, info" {
    [ "$(davit images --format '{{.Repository}}:{{.Tag}}')" = busybox:latest ]
    davit images --format 'table {{.ID}}\t{{.Size}}' | grep -Eq '^[0-9a-f]{12}   [0-9.]+MB$'
    [ "$(davit volume ls --format '{{.Name}} {{.Driver}} {{.Label "kind"}}')" = "vol local test" ]
    [ "$(davit version --format '{{.ApiVersion}}')" = "$(davit version --format json | jq -r .ApiVersion)" ]
    [ "$(davit info --format '{{.Containers}}')" = 1 ]
}

@test "what is not understood is refused by name" {
    refused() { run davit inspect --format "$1" shown; [ "$status" -ne 0 ]; contains "$output" "$2"; }
    refused '{{.Name | upper}}' 'not supported'
    refused '{{template "x"}}' 'not supported'
    refused '{{.Name' 'without'
    refused '{{range .Mounts}}x' 'without {{end}}'
}
