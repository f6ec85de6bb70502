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
    refused '{{.Name | shout}}' 'not supported'
    refused '{{shout .Name}}' 'not supported'
    refused '{{index .Mounts 7}}' 'behind its end'
    refused '{{index .No.Such "x" "y"}}' 'not there'
    refused '{{$x}}' 'was not set'
    refused '{{(.Name}}' 'has no ")"'
    refused '{{printf "%s %s" .Name}}' 'more verbs'
    refused '{{range .Name}}{{end}}' 'no list'
    refused '{{end}}' 'of no block'
    refused '{{if}}x{{end}}' 'without a condition'
    refused '{{template "x"}}' 'not supported'
    refused '{{.Name' 'without'
    refused '{{range .Mounts}}x' 'without {{end}}'
}

@test "functions, variables and blocks, as docker's client has them" {
    davit create --name full --env A=1 --env B=2 --label x=y busybox sh -c 'echo hi'
    for format in \
        '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}' '{{range $i, $e := .Config.Env}}{{$i}}:{{$e}} {{end}}' '{{range $e := .Config.Env}}{{$e}},{{end}}' \
        '{{index .Config.Env 0}}' '{{index .Config.Cmd 0 | upper}}' '{{len .Config.Env | printf "%03d"}}' '{{printf "%-8s|%5d|%q" .Name 7 "z"}}' '{{println .Name "x"}}' \
        '{{join .Config.Cmd " "}}' '{{index (split .Name "/") 1}}' '{{slice .Id 0 12}}' '{{.Config.Cmd}}' '{{.Config.Labels}}' \
        '{{if eq .State.Status "created"}}new{{else}}old{{end}}' '{{if and .State.Running .Id}}a{{else if not .State.Running}}b{{else}}c{{end}}' \
        '{{with .Config.Labels}}{{index . "x"}}{{end}}' '{{with index .Config.Labels "none"}}a{{else}}b{{end}}' '{{range .Mounts}}a{{else}}none{{end}}' \
        '  {{- .Name -}}  |' '{{/* nothing */}}{{.Name}}' '{{if or (gt (len .Config.Env) 1) false}}many{{end}}' '{{$n := .Name}}{{range .Config.Env}}{{$n}}{{$.Name}};{{end}}' \
        '{{lower "ABC"}} {{title "abc d"}} {{truncate "abcdef" 3}}' '{{json .Config.Cmd}}' '{{range .Config.Env}}{{if eq . "A=1"}}{{.}}{{end}}{{end}}' '{{print 1 2 "x"}}' \
        '{{ "}}" }}' '{{`raw "text"`}}' '{{if ne 1 2}}{{if lt 1 2}}{{if ge 2 2}}x{{end}}{{end}}{{end}}'; do
        ours=$(davit inspect --format "$format" full; echo .)
        theirs=$(docker inspect --format "$format" full; echo .)
        [ "$ours" = "$theirs" ] || { echo "$format: $ours, and docker: $theirs"; false; }
    done
    [ "$(davit ps --all --filter name=full --format '{{upper .Names}} {{.Label "x"}} {{.Labels}}')" = "FULL y x=y" ]
    davit rm full
}
