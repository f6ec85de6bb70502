#!/usr/bin/env bats
# Registries without an image of the store: logins, searches, manifests. The registries are Debian's docker-registry,
# one open and one with passwords; the clients are davit and docker.
load common

setup_file() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock" DOCKER_HOST="unix://$dir/run/davit.sock" DOCKER_CONFIG="$dir/docker"
    export PATH="$dir/helpers:$PATH"
    mkdir "$dir/helpers"
    start_registry plain
    htpasswd -Bbn user 'se:cret' > "$dir/htpasswd" 2>/dev/null
    start_registry closed "$(printf 'auth: {htpasswd: {realm: r, path: %s}}' "$dir/htpasswd")"
    export plain=127.0.0.1:$plain_port closed=127.0.0.1:$closed_port
    start_davitd
    davit load --input "$shared/busybox.tar"
    davit tag busybox "$plain/tools/busybox:1"
    davit push --quiet "$plain/tools/busybox:1"
}

teardown_file() {
    stop_davitd
    xargs kill < "$dir/servers" 2>/dev/null
    rm -rf --one-file-system "$dir"
}

setup() { mkdir -p "$DOCKER_CONFIG"; }
teardown() { rm -rf "$DOCKER_CONFIG" "$dir/helpers/"* "$dir/kept"; }

raw_digest() { skopeo inspect --raw --tls-verify=false "docker://$1" | sha256sum | cut -d' ' -f1; }

@test "a login is checked, kept for its owner alone, used, and forgotten" {
    echo '{"detachKeys": "ctrl-a", "auths": {"other:1": {"auth": "eDp5"}}}' > "$DOCKER_CONFIG/config.json"
    davit tag busybox "$closed/mine:1"
    run davit push --quiet "$closed/mine:1"
    [ "$status" -ne 0 ]
    run bash -c "echo 'se:cret' | '$build/davit' login --username user --password-stdin $closed"
    [ "$status" -eq 0 ]
    contains "$output" "Login Succeeded"
    contains "$output" "kept unencrypted in $DOCKER_CONFIG/config.json"
    [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
    [ "$(jq -r --arg server "$closed" '.auths[$server].auth | @base64d' "$DOCKER_CONFIG/config.json")" = user:se:cret ]
    [ "$(jq -r '.detachKeys, .auths["other:1"].auth' "$DOCKER_CONFIG/config.json")" = $'ctrl-a\neDp5' ]
    davit push --quiet "$closed/mine:1"
    run davit login "https://$closed/v2/"
    [ "$status" -eq 0 ]
    contains "$output" "existing credentials... [Username: user]"
    run davit logout "$closed"
    [ "$output" = "Removing login credentials for $closed" ]
    [ "$(jq -c .auths "$DOCKER_CONFIG/config.json")" = '{"other:1":{"auth":"eDp5"}}' ]
    run davit logout "$closed"
    [ "$output" = "Not logged in to $closed" ]
    run davit push --quiet "$closed/mine:1"
    [ "$status" -ne 0 ]
}

@test "a wrong login is refused, and nothing is kept" {
    run davit login --username user --password wrong "$closed"
    [ "$status" -eq 1 ]
    contains "$output" "unauthorized"
    [ ! -e "$DOCKER_CONFIG/config.json" ]
    run docker login --username user --password wrong "$closed"
    [ "$status" -ne 0 ]
    contains "$output" unauthorized
    [ "$(curl -s --unix-socket "$dir/run/davit.sock" -o "$dir/answer" -w '%{http_code}' -d \
        "{\"username\":\"user\",\"password\":\"wrong\",\"serveraddress\":\"$closed\"}" http://d/v1.43/auth)" = 401 ]
    run davit login --username user --password x "127.0.0.1:$(free_port)"
    [ "$status" -eq 1 ]
    contains "$output" "onnect"
    run davit login --username user --password x "not a registry"
    [ "$status" -eq 1 ]
    contains "$output" "is not a registry"
}

@test "what a login needs is said before anything is asked" {
    run davit login --password-stdin "$closed" < /dev/null
    [ "$status" -eq 1 ]
    contains "$output" "--password-stdin needs --username"
    run davit login --username user --password a --password-stdin "$closed" < /dev/null
    [ "$status" -eq 1 ]
    run davit login "$closed" < /dev/null
    [ "$status" -eq 1 ]
    contains "$output" "without a terminal"
    run davit login --username user --password-stdin "$closed" < /dev/null
    [ "$status" -eq 1 ]
    contains "$output" "the password is empty"
}

@test "on a terminal a password is asked for, and does not show" {
    { wait_until grep -q Username "$dir/typed"; echo user; wait_until grep -q Password "$dir/typed"; echo se:cret; } 3>&- |
        script -qec "'$build/davit' login '$closed'" -O "$dir/typed" -f > "$dir/null" && status=0 || status=$?
    output=$(cat "$dir/typed")
    [ "$status" -eq 0 ]
    contains "$output" "Username:"
    refute contains "$output" se:cret
    contains "$output" "Login Succeeded"
    davit tag busybox "$closed/mine:1"
    davit push --quiet "$closed/mine:1"
}

@test "docker's client logs in and out, and davit uses what it keeps" {
    run docker login --username user --password-stdin "$closed" <<< 'se:cret'
    [ "$status" -eq 0 ]
    contains "$output" "Login Succeeded"
    davit tag busybox "$closed/mine:1"
    davit push --quiet "$closed/mine:1"
    docker logout "$closed"
    run davit push --quiet "$closed/mine:1"
    [ "$status" -ne 0 ]
}

@test "a credential helper keeps, gives and forgets a login" {
    cat > "$dir/helpers/docker-credential-kept" <<END
#!/bin/sh
echo "\$1" >> "$dir/kept.log"
case \$1 in
store) cat > "$dir/kept" ;;
get) [ -e "$dir/kept" ] && cat "$dir/kept" || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm "$dir/kept" ;;
esac
END
    chmod +x "$dir/helpers/docker-credential-kept"
    echo '{"credsStore": "kept"}' > "$DOCKER_CONFIG/config.json"
    run davit login --username user --password se:cret "$closed"
    [ "$status" -eq 0 ]
    refute grep -q cret "$DOCKER_CONFIG/config.json"
    [ "$(jq -r .ServerURL,.Username,.Secret "$dir/kept")" = "$closed"$'\nuser\nse:cret' ]
    davit tag busybox "$closed/mine:1"
    davit push --quiet "$closed/mine:1"
    # Also where the file does not say that a helper has it; and what a helper cannot do is said.
    echo '{"credsStore": "kept"}' > "$DOCKER_CONFIG/config.json"
    davit logout "$closed"
    [ ! -e "$dir/kept" ]
    run env PATH=/usr/bin:/bin "$build/davit" logout "$closed"
    [ "$status" -eq 1 ]
    contains "$output" "docker-credential-kept: not found"
    printf '#!/bin/sh\necho "no such luck"; exit 1\n' > "$dir/helpers/docker-credential-kept"
    run davit login --username user --password se:cret "$closed"
    [ "$status" -eq 1 ]
    contains "$output" "docker-credential-kept store: no such luck"
    printf '#!/bin/sh\nexec yes\n' > "$dir/helpers/docker-credential-kept"
    run timeout 60 "$build/davit" pull "$closed/mine:1"
    [ "$status" -eq 1 ]
    rm "$dir/helpers/docker-credential-kept"
    run davit login --username user --password se:cret "$closed"
    contains "$output" "docker-credential-kept: not found in PATH"
}

@test "a registry is searched, by davit and by docker" {
    davit tag busybox "$plain/tools/other:1"
    davit push --quiet "$plain/tools/other:1"
    run davit search --format '{{.Name}} {{.StarCount}}' "$plain/tools"
    [ "$output" = $'tools/busybox 0\ntools/other 0' ]
    run davit search --limit 1 --format '{{.Name}}' "$plain/tools"
    [ "$output" = tools/busybox ]
    run davit search --format '{{.Name}}' "$plain/other"
    [ "$output" = tools/other ]
    run docker search --format '{{.Name}}' "$plain/tools"
    [ "$output" = $'tools/busybox\ntools/other' ]
    [ "$(davit search --format '{{.Name}}' "$plain/nothing-of-that" | wc -l)" = 0 ]
    [ -z "$(davit search --filter stars=1 --format '{{.Name}}' "$plain/tools")" ]
    run davit search --filter owner=me "$plain/tools"
    [ "$status" -eq 1 ]
    contains "$output" "stars=NUMBER"
    run davit search --limit 101 "$plain/tools"
    [ "$status" -eq 1 ]
    run davit search "$closed/mine"
    [ "$status" -eq 1 ]
    contains "$output" "wants a login"
}

@test "a registry is asked what an image is" {
    digest=$(raw_digest "$plain/tools/busybox:1")
    run curl -s --unix-socket "$dir/run/davit.sock" "http://d/v1.43/distribution/$plain/tools/busybox:1/json"
    [ "$(jq -r .Descriptor.digest <<< "$output")" = "sha256:$digest" ]
    [ "$(jq -r '.Platforms[0].os' <<< "$output")" = linux ]
    [ "$(jq -r '.Platforms[0].architecture' <<< "$output")" = "$(davit inspect --format '{{.Architecture}}' busybox)" ]
    run davit manifest inspect "$plain/tools/busybox:1"
    [ "$(jq -r .config.digest <<< "$output")" = "$(davit inspect --format '{{.Id}}' busybox)" ]
    run davit manifest inspect --verbose "$plain/tools/busybox:1"
    [ "$(jq -r '.Raw | @base64d' <<< "$output" | head -c -1 | sha256sum | cut -d' ' -f1)" = "$digest" ]
    run davit manifest inspect "$plain/tools/busybox:none"
    [ "$status" -eq 1 ]
    contains "$output" "not found"
}

@test "a list of manifests is made of images of several repositories, annotated, pushed and run" {
    davit tag busybox "$plain/arm/busybox:1"
    davit push --quiet "$plain/arm/busybox:1"
    davit manifest create "$plain/all/busybox:1" "$plain/tools/busybox:1" "$plain/arm/busybox:1"
    run davit manifest create "$plain/all/busybox:1" "$plain/tools/busybox:1"
    [ "$status" -eq 1 ]
    contains "$output" "--amend"
    davit manifest annotate --arch arm64 --variant v8 --os-features one --os-features two "$plain/all/busybox:1" "$plain/arm/busybox:1"
    run davit manifest inspect "$plain/all/busybox:1"
    [ "$(jq -r '.manifests[1].platform | .architecture, .variant, ."os.features"[1]' <<< "$output")" = $'arm64\nv8\ntwo' ]
    run davit manifest annotate --arch arm64 "$plain/all/busybox:1" "$plain/no/such:1"
    [ "$status" -eq 1 ]
    run davit manifest push --purge "$plain/all/busybox:1"
    [ "$status" -eq 0 ]
    [ "$output" = "sha256:$(raw_digest "$plain/all/busybox:1")" ]
    run davit manifest push "$plain/all/busybox:1"
    [ "$status" -eq 1 ]
    contains "$output" "davit manifest create begins one"
    run davit manifest inspect --verbose "$plain/all/busybox:1"
    [ "$(jq length <<< "$output")" = 2 ]
    davit run --rm --pull always "$plain/all/busybox:1" true
    run skopeo inspect --tls-verify=false --override-arch arm64 --override-variant v8 "docker://$plain/all/busybox:1"
    [ "$status" -eq 0 ]
}

@test "lists are of one registry, of images of one platform, and can be forgotten" {
    davit manifest create "$closed/all:1" "$plain/tools/busybox:1"
    run davit manifest push "$closed/all:1"
    [ "$status" -eq 1 ]
    contains "$output" "is in another registry"
    davit manifest rm "$closed/all:1"
    run davit manifest rm "$closed/all:1"
    [ "$status" -eq 1 ]
    davit push --quiet --index "$plain/index:1" busybox
    run davit manifest create "$plain/all:2" "$plain/index:1"
    [ "$status" -eq 1 ]
    contains "$output" "is a list already"
    run davit manifest create --insecure "$plain/all:2" "$plain/tools/busybox:1"
    [ "$status" -eq 1 ]
    contains "$output" davitd.json
}

# A registry that answers what a file says: $dir/lies/PATH, with "/" as "_"; and waits for ever where there is none.
lying_registry() {
    mkdir -p "$dir/lies"
    python3 - "$dir" 3>&- > "$dir/liar.log" 2>&1 <<'END' &
import http.server, os, socketserver, sys, time
directory = sys.argv[1]
class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        name = directory + "/lies/" + self.path.split("?")[0].replace("/", "_")
        while not os.path.exists(name):
            time.sleep(0.1)
        body = open(name, "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_HEAD = do_PUT = do_GET
    def log_message(self, *arguments):
        print(self.requestline, flush=True)
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Liar)
open(directory + "/liar.new", "w").write(str(server.server_port))
os.rename(directory + "/liar.new", directory + "/liar")
server.serve_forever()
END
    liar=$!
    wait_until test -e "$dir/liar"
    lies=127.0.0.1:$(cat "$dir/liar")
}

@test "a registry that lies gives nothing, and one that is silent is left by who asks" {
    lying_registry
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json\\r\\nX-Evil: 1","config":{"mediaType":"x","digest":"sha256:%064d","size":2},"layers":[]}' 0 > "$dir/lies/_v2_bar_manifests_1"
    run davit manifest create "$lies/all:1" "$lies/bar:1"
    [ "$status" -eq 1 ]
    contains "$output" "mediaType"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"x","digest":"sha256:%064d","size":2},"layers":[]}' 0 > "$dir/lies/_v2_bar_manifests_1"
    echo -n '{}' > "$dir/lies/_v2_bar_blobs_sha256:$(printf %064d 0)"
    run davit manifest inspect "$lies/bar:1"
    [ "$status" -eq 1 ]
    contains "$output" "in place of sha256:000"
    # Who has gone takes the question along.
    asks() { pgrep -P "$(pgrep -P "$(cat "$dir/pid")" -o)" -f davit-image >/dev/null; }
    timeout 1 curl -s --unix-socket "$dir/run/davit.sock" "http://d/distribution/$lies/silent:1/json" || true
    wait_until ! asks
    # Nobody asks without end: there are only so many at a time.
    for i in $(seq 40); do curl -s -m 20 -o "$dir/many.$i" -w '%{http_code}\n' --unix-socket "$dir/run/davit.sock" "http://d/distribution/$lies/silent:$i/json" >> "$dir/codes" & clients+=($!); done
    wait_until grep -q 503 "$dir/codes"
    kill "${clients[@]}" 2>/dev/null || true
    wait_until ! asks
    kill "$liar"
    davit version
}

@test "a login for one registry goes to no other" {
    echo '{"auths": {"https://index.docker.io/v1/": {"auth": "aHVidXNlcjpodWJwYXNz"}}}' > "$DOCKER_CONFIG/config.json"
    python3 - "$dir/sent" "$dir/fake.sock" 3>&- <<'END' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[2])
s.listen()
while True:
    c, _ = s.accept()
    open(sys.argv[1], "ab").write(c.recv(65536))
    c.close()
END
    fake=$!
    wait_until test -S "$dir/fake.sock"
    for image in EVIL/x Localhost/x evil.com/x localhost/x; do davit --host "$dir/fake.sock" pull "$image" || true; done
    refute grep -q X-Registry-Auth "$dir/sent"
    davit --host "$dir/fake.sock" pull team/x || true
    grep -q X-Registry-Auth "$dir/sent"
    kill "$fake"
}
