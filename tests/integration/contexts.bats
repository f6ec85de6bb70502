#!/usr/bin/env bats
# Where davitd is: paths, ssh, contexts. ssh is a program of the test's own that does what the far end would.
load common

setup_file() {
    setup_daemon_file
    export DOCKER_CONFIG="$dir/docker" socket="$dir/run/davit.sock"
    mkdir -p "$dir/bin" "$dir/docker"
    cat > "$dir/bin/ssh" <<END
#!/bin/bash
echo "\$*" >> "$dir/ssh.log"
while [ "\$1" != -- ]; do shift; done
[ "\$2" != away ] || { echo "ssh: connect to host away port 22: No route to host" >&2; exit 255; }
shift 2
# As sshd does it: a shell, and the far end's own environment.
cd "$build" && PATH=$build:\$PATH exec env -u DAVIT_HOST /bin/sh -c "\$*"
END
    chmod +x "$dir/bin/ssh"
    export PATH="$dir/bin:$PATH"
}
teardown_file() { teardown_daemon_file; }
setup() { unset DAVIT_HOST; rm -f "$dir/ssh.log"; }
teardown() { export DAVIT_HOST="unix://$socket"; remove_containers; rm -rf "$dir/docker/"*; }

@test "a host is a path, with or without its scheme" {
    davit --host "$socket" version
    davit --host "unix://$socket" version
    DAVIT_HOST=$socket davit version
    for host in tcp://127.0.0.1:2375 http://x relative ''; do
        run davit --host "$host" version
        [ "$status" -eq 1 ]
        contains "$output" "unix://PATH or ssh://"
    done
}

@test "over ssh everything works: answers, streams, terminals, archives" {
    host=ssh://me@there:2222$socket
    [ "$(davit --host "$host" run --rm busybox echo over)" = over ]
    [ "$(head -n 1 "$dir/ssh.log")" = "-T -l me -p 2222 -- there davit --host unix://$socket system dial-stdio" ]
    [ "$(seq 100000 | davit --host "$host" run --rm --interactive busybox wc -l)" = 100000 ]
    davit --host "$host" run --detach --name one busybox sleep 1000
    run davit --host "$host" exec one sh -c 'exit 7'
    [ "$status" -eq 7 ]
    davit --host "$host" save busybox | davit --host "$host" load
    davit --host "$host" cp one:/bin/busybox "$dir/copied"
    cmp "$dir/copied" /bin/busybox
    davit --host "$host" rm --force one
    davit --host "ssh://[::1]$socket" version
    grep -q -- '-- ::1 davit' "$dir/ssh.log"
}

@test "ssh without what it needs says so, and options are not to be smuggled into it" {
    run davit --host ssh://away version
    [ "$status" -eq 1 ]
    contains "$output" "No route to host"
    for host in ssh:// ssh://-oProxyCommand=x ssh://-x@there ssh://there:port ssh://there:99999 'ssh://there/run/x;touch y' 'ssh://there/$(id)' ssh://me:secret@there; do
        rm -f "$dir/ssh.log"
        run davit --host "$host" version
        [ "$status" -eq 1 ]
        contains "$output" "ssh://"
        [ ! -e "$dir/ssh.log" ]
    done
    PATH=/nowhere run "$build/davit" --host ssh://there version
    [ "$status" -eq 1 ]
    contains "$output" "ssh: No such file"
}

@test "contexts are made, used, shown and removed" {
    davit context create here --docker "host=unix://$socket" --description 'this one'
    davit context create far --docker "host=ssh://there$socket"
    [ "$(davit context show)" = default ]
    [ "$(davit context use here)" = here ]
    davit version
    [ "$(davit --context far run --rm busybox echo far)" = far ]
    [ -s "$dir/ssh.log" ]
    [ "$(DAVIT_CONTEXT=far davit context show)" = far ]
    [ "$(DAVIT_HOST=unix://$socket davit context show)" = default ]
    run davit context ls
    contains "$output" "here *"
    contains "$output" "this one"
    [ "$(davit context ls --format '{{.Name}} {{.Current}}' | xargs)" = "default false far false here true" ] ||
        [ "$(davit context ls --format '{{.Name}} {{.Current}}' | xargs)" = "default false here true far false" ]
    [ "$(davit context inspect --format '{{.Endpoints.docker.Host}}' far)" = "ssh://there$socket" ]
    [ "$(davit context inspect | jq -r '.[0].Metadata.Description')" = 'this one' ]
    davit context update --description other far
    [ "$(davit context inspect far | jq -r '.[0].Metadata.Description')" = other ]
    davit context create copy --from far
    [ "$(davit context inspect --format '{{.Endpoints.docker.Host}}' copy)" = "ssh://there$socket" ]
    run davit context rm here
    [ "$status" -eq 1 ]
    contains "$output" "--force"
    davit context rm --force here far copy
    [ "$(davit context ls --quiet)" = default ]
    [ "$(stat -c %a "$DOCKER_CONFIG/contexts-davit.json")" = 600 ]
}

@test "hosts that lead to themselves are asked once" {
    davit context create self --docker host=ssh://there
    davit context use self
    run davit version
    [ "$status" -eq 1 ]
    [ "$(wc -l < "$dir/ssh.log")" = 1 ]
    run davit system dial-stdio < /dev/null
    [ "$status" -eq 1 ]
    contains "$output" "no socket of this host"
    [ "$(DAVIT_HOST=unix://$socket DAVIT_CONTEXT=self davit context show)" = default ]
}

@test "contexts that make no sense are refused" {
    refused() { run davit "${@:2}"; [ "$status" -eq 1 ]; contains "$output" "$1"; }
    refused "no context" --context nowhere version
    refused "no context" context use nowhere
    refused "only one" --context x --host "unix://$socket" version
    refused "cannot be a context's name" context create default
    refused "cannot be a context's name" context create a/b
    refused "unix://PATH or ssh://" context create xx --docker host=tcp://127.0.0.1
    refused "host=HOST" context create xx --docker ca=file
    refused "one file" context export xx
    davit context create xx --docker "host=unix://$socket"
    refused "is there" context create xx
    davit context use xx
    echo '{' > "$DOCKER_CONFIG/contexts-davit.json"
    refused contexts-davit.json version
    DAVIT_HOST=unix://$socket davit version
}
