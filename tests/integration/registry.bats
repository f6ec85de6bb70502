#!/usr/bin/env bats
# Pulling: from Debian's docker-registry, filled by skopeo, and from a registry that misbehaves.
load common

make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=davit-test \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/ca.pem" 2>/dev/null
}

setup_file() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock" DOCKER_CONFIG="$dir/docker" DAVIT_CONFIG="$dir/davitd.json"
    mkdir "$dir/docker"
    "$BATS_TEST_DIRNAME/make-layers" "$shared/busybox.tar" "$dir/layout"
    start_registry plain
    make_certificate
    htpasswd -Bbn user secret > "$dir/htpasswd" 2>/dev/null
    start_registry closed "$(printf '  tls: {certificate: %s, key: %s}\nauth: {htpasswd: {realm: r, path: %s}}' \
        "$dir/ca.pem" "$dir/key.pem" "$dir/htpasswd")" s
    skopeo copy --quiet --all --dest-tls-verify=false "oci:$dir/layout:layers" \
        "docker://127.0.0.1:$plain_port/library/layers:1"
    skopeo copy --quiet --all --dest-cert-dir "$dir/none" --dest-tls-verify=false --dest-creds user:secret \
        "oci:$dir/layout:layers" "docker://localhost:$closed_port/closed:1"
    "$BATS_TEST_DIRNAME/bad-registry" "$dir/layout" "$dir/bad-port" "$dir/bad.log" 3>&- &
    echo $! >> "$dir/servers"
    wait_until test -s "$dir/bad-port"
    export bad=127.0.0.1:$(cat "$dir/bad-port")
    jq -n "{registries: {\"localhost:$closed_port\": {ca_file: \"$dir/ca.pem\"},
        \"docker.io\": {mirrors: [\"http://127.0.0.1:1\", \"http://127.0.0.1:$plain_port\"]}}}" > "$dir/davitd.json"
    begin_stalled
    start_davitd
}

# A pull that stands still for as long as the fetch worker bears it: meanwhile the other tests run. With a davitd of
# its own, which nobody kills.
begin_stalled() {
    "$davitd" --root "$dir/stalled.root" --run "$dir/stalled.run" 3>&- >"$dir/stalled.log" 2>&1 &
    echo $! >> "$dir/servers"
    wait_until "$build/davit" --host "unix://$dir/stalled.run/davit.sock" version
    { timeout 300 "$build/davit" --host "unix://$dir/stalled.run/davit.sock" pull "$bad/stalls/x:1" > "$dir/stalled.out" 2>&1
        echo "status $?" >> "$dir/stalled.out"; } 3>&- &
}

teardown_file() {
    stop_davitd
    xargs kill < "$dir/servers" 2>/dev/null
    rm -rf --one-file-system "$dir"
}

teardown() {
    local id
    touch "$dir/layout/release"
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || start_davitd
    for id in $(davit images --quiet | sort -u); do davit rmi --force "$id" >/dev/null; done
    rm -f "$dir/root/pulls/"* "$dir/docker/config.json" "$dir/layout/release" "$dir/bad.log"
}

nothing_half_made() { is_empty "$dir/root/ingest"; }
# How often the registry that misbehaves was asked for what matches.
asked_for() { grep -c "$1" "$dir/bad.log" || true; }
blobs_kept() { find "$dir/root/blobs/sha256" -type f | wc -l; }
large_layer() { find "$dir/layout/blobs/sha256" -size +5M -printf '%f\n'; }

@test "an image of several layers comes, runs and is what skopeo says" {
    run davit pull "127.0.0.1:$plain_port/library/layers:1"
    [ "$status" -eq 0 ]
    contains "$output" "Pull complete"
    contains "$output" "Status: Downloaded newer image"
    run davit run --rm "127.0.0.1:$plain_port/library/layers:1" sh -c 'cat three four; ls two; wc -c < large'
    contains "$output" $'three\nzstd'
    contains "$output" "two: No such file"
    contains "$output" 6291456
    digest=$(skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$plain_port/library/layers:1" | sha256sum | cut -d' ' -f1)
    [ "$(davit inspect "127.0.0.1:$plain_port/library/layers:1" | jq -r '.[0].RepoDigests[0]')" = \
        "127.0.0.1:$plain_port/library/layers@sha256:$digest" ]
    nothing_half_made
}

@test "the store is an OCI layout that skopeo reads" {
    davit pull --quiet "127.0.0.1:$plain_port/library/layers:1"
    [ "$(skopeo inspect "oci:$dir/root:1" | jq '.Layers | length')" = 4 ]
}

@test "the docker client pulls, by tag and by digest, and sees what is new" {
    run docker pull "127.0.0.1:$plain_port/library/layers:1"
    [ "$status" -eq 0 ]
    contains "$output" "Status: Downloaded newer image for 127.0.0.1:$plain_port/library/layers:1"
    digest=$(echo "$output" | sed -n 's/^Digest: //p')
    run docker pull "127.0.0.1:$plain_port/library/layers:1"
    contains "$output" "Image is up to date"
    run docker pull "127.0.0.1:$plain_port/library/layers@$digest"
    [ "$status" -eq 0 ]
    contains "$output" "Digest: $digest"
    docker image inspect "127.0.0.1:$plain_port/library/layers@$digest" >/dev/null
}

@test "a platform is chosen, and one that is not there is refused" {
    davit pull --quiet --platform linux/arm64 "127.0.0.1:$plain_port/library/layers:1"
    [ "$(davit inspect "127.0.0.1:$plain_port/library/layers:1" | jq -r '.[0].Architecture')" = arm64 ]
    run davit pull --platform linux/s390x "127.0.0.1:$plain_port/library/layers:1"
    [ "$status" -eq 1 ]
    contains "$output" "no matching manifest for linux/s390x"
}

@test "what is not there is not found, and who does not answer is named" {
    run davit pull "127.0.0.1:$plain_port/library/layers:2"
    [ "$status" -eq 1 ]
    contains "$output" "manifest for library/layers:2 not found"
    run davit pull 127.0.0.1:1/x
    [ "$status" -eq 1 ]
    contains "$output" "127.0.0.1:1"
}

@test "mirrors are tried first, one after the other" {
    davit pull --quiet layers:1
    [ "$(davit inspect layers:1 | jq -r '.[0].RepoTags[0]')" = layers:1 ]
}

@test "run pulls what is missing, or always, or never" {
    run davit run --rm --pull never layers:1 cat three
    [ "$status" -eq 125 ]
    contains "$output" "No such image"
    run davit run --rm layers:1 cat three
    [ "$status" -eq 0 ]
    contains "$output" "Unable to find image 'layers:1' locally"
    [ "${lines[-1]}" = three ]
    [ "$(davit run --rm layers:1 cat three 2>&1)" = three ]
    run davit run --rm --pull always layers:1 cat three
    contains "$output" "Image is up to date"
    run davit run --rm "127.0.0.1:$plain_port/library/layers:2" cat three
    [ "$status" -eq 125 ]
    contains "$output" "not found"
}

login() { # USER PASSWORD
    jq -n --arg auth "$(printf '%s:%s' "$1" "$2" | base64)" "{auths: {\"localhost:$closed_port\": {auth: \$auth}}}" \
        > "$dir/docker/config.json"
}

@test "TLS by an own authority; basic authentication by the login of docker's configuration" {
    run davit pull "localhost:$closed_port/closed:1"
    [ "$status" -eq 1 ]
    contains "$output" "login"
    login user wrong
    run davit pull "localhost:$closed_port/closed:1"
    [ "$status" -eq 1 ]
    contains "$output" "access denied"
    login user secret
    davit pull --quiet "localhost:$closed_port/closed:1"
}

@test "a certificate that nobody vouches for is refused" {
    login user secret
    sed -i "s/localhost/127.0.0.1/" "$dir/docker/config.json"
    run curl -s "https://127.0.0.1:$closed_port/v2/"
    [ "$status" -ne 0 ]
    # As a name that is no loopback address, and of no configuration.
    name=davit-test.invalid:$closed_port
    unshare --mount sh -c "echo '127.0.0.1 davit-test.invalid' > $dir/hosts && mount --bind $dir/hosts /etc/hosts &&
        exec $davitd --root $dir/root2 --run $dir/run2" 3>&- >>"$dir/log" 2>&1 &
    other=$!
    DAVIT_HOST=unix://$dir/run2/davit.sock wait_until davit version
    DAVIT_HOST=unix://$dir/run2/davit.sock run davit pull "$name/closed:1"
    kill $other
    wait $other || true
    [ "$status" -eq 1 ]
    contains "$output" "certificate"
}

@test "what is pushed is what skopeo and docker find, and what is there is not sent again" {
    davit pull --quiet layers:1
    davit tag layers:1 "127.0.0.1:$plain_port/new/name:2"
    run davit push "127.0.0.1:$plain_port/new/name:2"
    [ "$status" -eq 0 ]
    contains "$output" "Pushed"
    digest=$(echo "$output" | sed -n 's/^2: digest: \(sha256:[0-9a-f]*\) size: .*/\1/p')
    [ "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://127.0.0.1:$plain_port/new/name:2")" = "$digest" ]
    contains "$(davit inspect layers:1 | jq -r '.[0].RepoDigests[]')" "127.0.0.1:$plain_port/new/name@$digest"
    run docker push "127.0.0.1:$plain_port/new/name:2"
    [ "$status" -eq 0 ]
    contains "$output" "Layer already exists"
    davit rmi --force "$(davit images --quiet | head -n 1)"
    [ "$(davit run --rm "127.0.0.1:$plain_port/new/name@$digest" cat three 2>"$dir/null")" = three ]
    nothing_half_made
}

@test "a push needs a login where one is wanted, and an image that is there" {
    davit pull --quiet layers:1
    davit tag layers:1 "localhost:$closed_port/pushed:1"
    run davit push "localhost:$closed_port/pushed:1"
    [ "$status" -eq 1 ]
    contains "$output" login
    login user secret
    davit push --quiet "localhost:$closed_port/pushed:1"
    [ "$(curl -s --cacert "$dir/ca.pem" -u user:secret "https://localhost:$closed_port/v2/pushed/tags/list" | jq -r '.tags[0]')" = 1 ]
    run davit push "localhost:$closed_port/other:1"
    [ "$status" -eq 1 ]
    contains "$output" "does not exist locally"
}

@test "a push asks for the right to push, and begins anew when it breaks" {
    davit pull --quiet layers:1
    davit tag layers:1 "$bad/token/private/up:1"
    jq -n --arg auth "$(printf user:secret | base64)" "{auths: {\"$bad\": {auth: \$auth}}}" > "$dir/docker/config.json"
    davit push --quiet "$bad/token/private/up:1"
    davit tag layers:1 "$bad/breaks/up:1"
    davit push --quiet "$bad/breaks/up:1"
    [ "$(asked_for "PUT .*breaks.*$(large_layer)")" -eq 2 ]
    davit tag layers:1 "$bad/refuses/up:1"
    run davit push "$bad/refuses/up:1"
    [ "$status" -eq 1 ]
    contains "$output" "refused for a reason"
}

@test "images of several platforms go up as one index" {
    davit pull --quiet --platform linux/arm64 layers:1
    davit tag layers:1 "for/arm:1"
    davit pull --quiet layers:1
    run davit push --index "127.0.0.1:$plain_port/new/index:3" layers:1 for/arm:1
    [ "$status" -eq 0 ]
    digest=$(echo "$output" | sed -n 's/^3: digest: \(sha256:[0-9a-f]*\) size: .*/\1/p')
    skopeo inspect --tls-verify=false --raw "docker://127.0.0.1:$plain_port/new/index:3" > "$dir/index"
    [ "sha256:$(sha256sum < "$dir/index" | cut -d' ' -f1)" = "$digest" ]
    [ "$(jq -r '.manifests[].platform | .os + "/" + .architecture' "$dir/index" | sort | xargs)" = "linux/amd64 linux/arm64" ]
    contains "$(davit inspect for/arm:1 | jq -r '.[0].RepoDigests[]')" "127.0.0.1:$plain_port/new/index@$digest"
    for id in $(davit images --quiet | sort -u); do davit rmi --force "$id" >/dev/null; done
    docker pull --quiet "127.0.0.1:$plain_port/new/index:3"
    [ "$(davit run --rm "127.0.0.1:$plain_port/new/index@$digest" cat three)" = three ]
    davit pull --quiet --platform linux/arm64 "127.0.0.1:$plain_port/new/index:3"
    [ "$(davit inspect "127.0.0.1:$plain_port/new/index:3" | jq -r '.[0].Architecture')" = arm64 ]
    nothing_half_made
}

@test "an index has one image for a platform, and only images that are there" {
    davit pull --quiet layers:1
    davit tag layers:1 layers:2
    run davit push --index "127.0.0.1:$plain_port/new/twice:1" layers:1 layers:2
    [ "$status" -eq 1 ]
    contains "$output" "two images for linux/amd64"
    run davit push --index "127.0.0.1:$plain_port/new/twice:1" layers:1 layers:3
    [ "$status" -eq 1 ]
    contains "$output" "No such image: layers:3"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$plain_port/v2/new/twice/tags/list")" = 404 ]
}

@test "all tags of a repository go and come, for docker's client as well" {
    local repository=127.0.0.1:$plain_port/new/all
    davit pull --quiet layers:1
    for tag in a b c; do davit tag layers:1 "$repository:$tag"; done
    davit push --quiet --all-tags "$repository"
    davit tag layers:1 "$repository:d"
    docker push --quiet --all-tags "$repository"
    for id in $(davit images --quiet | sort -u); do davit rmi --force "$id" >/dev/null; done
    davit pull --quiet --all-tags "$repository"
    [ "$(davit images --format '{{.Repository}}:{{.Tag}}' | LC_ALL=C sort | xargs)" = \
        "$repository:a $repository:b $repository:c $repository:d" ]
    for id in $(davit images --quiet | sort -u); do davit rmi --force "$id" >/dev/null; done
    docker pull --quiet --all-tags "$repository"
    [ "$(davit images --format json | jq -r .Tag | wc -l)" = 4 ]
    run davit pull --all-tags "$repository:a"
    [ "$status" -eq 1 ]
    contains "$output" "names a tag"
    run davit pull --all-tags "127.0.0.1:$plain_port/new/none"
    [ "$status" -eq 1 ]
    contains "$output" "not found"
}

# The registry that misbehaves tells its tags two at a time.
@test "a long list of tags comes in pieces" {
    davit pull --quiet --all-tags "$bad/tags/x"
    [ "$(davit images --format '{{.Repository}}:{{.Tag}}' | LC_ALL=C sort | xargs)" = \
        "$bad/tags/x:1 $bad/tags/x:2 $bad/tags/x:3 $bad/tags/x:4 $bad/tags/x:5" ]
    [ "$(asked_for 'tags/list')" -eq 4 ]
    run davit pull --all-tags "$bad/evil-tags/x"
    [ "$status" -eq 1 ]
    contains "$output" "invalid reference format"
}

@test "tag and history" {
    davit pull --quiet layers:1
    davit tag layers:1 other/name:3
    [ "$(davit images --format '{{.Repository}}:{{.Tag}}' | LC_ALL=C sort | xargs)" = "layers:1 other/name:3" ]
    run davit tag layers:1 "Not/A/Name"
    [ "$status" -eq 1 ]
    contains "$output" "invalid reference"
    run davit tag nothing:1 a:1
    [ "$status" -eq 1 ]
    contains "$output" "No such image"
    [ "$(davit history --format json layers:1 | jq -s length)" -ge 1 ]
    docker history layers:1 >/dev/null
    docker tag other/name:3 by/docker:4
    docker image inspect by/docker:4 >/dev/null
}

# A second daemon, with what this one has not in its environment.
@test "a proxy is asked where the environment names one" {
    echo '{"registries": {"registry.invalid": {"insecure": true}}}' > "$dir/proxy.json"
    http_proxy=http://$bad DAVIT_CONFIG=$dir/proxy.json "$davitd" --root "$dir/root3" --run "$dir/run3" 3>&- >>"$dir/log" 2>&1 &
    other=$!
    DAVIT_HOST=unix://$dir/run3/davit.sock wait_until davit version
    DAVIT_HOST=unix://$dir/run3/davit.sock run davit pull --quiet registry.invalid/good/x:1
    kill $other
    wait $other || true
    [ "$status" -eq 0 ]
    [ "$(asked_for http://registry.invalid/v2/good/x/manifests/1)" -eq 1 ]
}

@test "a configuration of registries that cannot be used is refused at the start" {
    for registries in '{"x": {"mirrors": ["mirror.example"]}}' '{"x": {"mirrors": ["https://m/v2/"]}}' \
        '{"x": {"ca_file": "/nonexistent"}}' "{\"x\": {\"ca_file\": \"$dir/davitd.json\"}}" '{"x": {"insecrue": true}}'; do
        echo "{\"registries\": $registries}" > "$dir/refused.json"
        run "$davitd" --root "$dir/root4" --run "$dir/run4" --config "$dir/refused.json"
        [ "$status" -eq 1 ]
        contains "$output" registries.x
    done
}

@test "a credential helper gives the login" {
    cat > "$dir/docker-credential-test" <<'END'
#!/bin/sh
[ "$1" = get ] || exit 1
read -r server
echo "{\"ServerURL\":\"$server\",\"Username\":\"user\",\"Secret\":\"secret\"}"
END
    chmod +x "$dir/docker-credential-test"
    echo "{\"credHelpers\":{\"localhost:$closed_port\":\"test\"}}" > "$dir/docker/config.json"
    PATH=$dir:$PATH davit pull --quiet "localhost:$closed_port/closed:1"
}

@test "tokens are got where the registry says, with a login where one is needed" {
    davit pull --quiet "$bad/token/open:1"
    run davit pull "$bad/token/private:1"
    [ "$status" -eq 1 ]
    contains "$output" "incorrect username or password"
    jq -n --arg auth "$(printf user:secret | base64)" "{auths: {\"$bad\": {auth: \$auth}}}" > "$dir/docker/config.json"
    davit pull --quiet "$bad/token/private:1"
}

@test "a redirect to another host is followed without the login" {
    davit pull --quiet "$bad/redirect/x:1"
    [ "$(asked_for 'blobs.*authorization=True')" -eq 0 ]
}

@test "a broken blob goes on where it broke" {
    davit pull --quiet "$bad/cut/x:1"
    [ "$(asked_for "$(large_layer) range=bytes=[1-9]")" -eq 3 ]
}

@test "and begins anew where the server cannot go on" {
    davit pull --quiet "$bad/cut-whole/x:1"
    [ "$(asked_for "$(large_layer)")" -eq 4 ]
}

@test "a registry that is busy is asked again; one that stays so is given up" {
    davit pull --quiet "$bad/flaky/x:1"
    run davit pull "$bad/dead/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "status 503: busy"
}

@test "content that is not what its digest says is refused and not kept" {
    run davit pull "$bad/changed/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "does not match its digest"
    run davit pull "$bad/wrong/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "does not match its digest"
    [ ! -e "$dir/root/blobs/sha256/$(large_layer)" ]
    nothing_half_made
}

@test "more or less than the manifest says is refused" {
    run davit pull "$bad/long/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "sends more than the manifest says"
    run davit pull "$bad/short/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "cut off"
    nothing_half_made
}

@test "a loop of redirects, a huge manifest: bounded" {
    run davit pull "$bad/loop/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "redirects"
    run davit pull "$bad/huge/x:1"
    [ "$status" -eq 1 ]
    contains "$output" "too large"
}

# Pulls what stops halfway in the large layer, in the background, until that has begun and the small
# ones are complete.
begin_held() {
    timeout 60 "$build/davit" pull "$bad/held/x:1" > "$dir/pull.out" 2>&1 3>&- &
    puller=$!
    wait_until has_small_blobs
}
has_small_blobs() { [ "$(blobs_kept)" -ge 6 ] && [ "$(asked_for "$(large_layer)")" -ge 1 ]; }

finish_after_interruption() {
    : > "$dir/bad.log"
    touch "$dir/layout/release"
    davit pull --quiet "$bad/good/x:1"
    # What was complete did not come again.
    [ "$(asked_for /good/x/blobs/)" -eq 1 ]
    nothing_half_made
    davit run --rm "$bad/good/x:1" cat three
}

@test "a pull whose worker is killed leaves nothing half-made, and the next goes on from there" {
    begin_held
    pkill -KILL -P "$(pgrep -P "$(cat "$dir/pid")" -f davit-spawner)" davit-image
    wait $puller || true
    contains "$(cat "$dir/pull.out")" "image worker died"
    finish_after_interruption
}

@test "so does a pull whose fetch worker is killed" {
    begin_held
    pkill -KILL -P "$(pgrep -P "$(cat "$dir/pid")" -f davit-spawner)" davit-fetch
    wait $puller || true
    contains "$(cat "$dir/pull.out")" "fetch worker has ended"
    finish_after_interruption
}

@test "so does a pull whose daemon is killed" {
    begin_held
    kill -KILL "$(cat "$dir/pid")"
    wait $puller || true
    start_davitd
    finish_after_interruption
}

# A second daemon, whose store is on a small filesystem of its own.
@test "on a full disk a pull fails clearly, and succeeds when there is room" {
    mkdir -p "$dir/root5"
    unshare --mount --propagation private sh -c "mount -t tmpfs -o size=6m none $dir/root5 &&
        exec $davitd --root $dir/root5 --run $dir/run5" 3>&- >>"$dir/log" 2>&1 &
    other=$!
    DAVIT_HOST=unix://$dir/run5/davit.sock wait_until davit version
    DAVIT_HOST=unix://$dir/run5/davit.sock run davit pull "$bad/good/x:1"
    full=$status said=$output
    left=$(ls -A "/proc/$other/root$dir/root5/ingest")
    nsenter --mount --target $other mount -o remount,size=64m "$dir/root5"
    DAVIT_HOST=unix://$dir/run5/davit.sock run davit run --rm "$bad/good/x:1" cat three
    kill $other
    wait $other || true
    [ "$full" -eq 1 ]
    contains "$said" "No space left on device"
    [ -z "$left" ]
    [ "$status" -eq 0 ]
    contains "$output" three
}

@test "a client that goes away takes its pull along" {
    begin_held
    kill $puller
    wait $puller || true
    wait_until nothing_half_made
    wait_until ! pgrep -P "$(pgrep -P "$(cat "$dir/pid")" -f davit-spawner)" davit-fetch
    finish_after_interruption
}

@test "the fetch worker is nobody, without capabilities, under a filter" {
    begin_held
    pid=$(pgrep -P "$(pgrep -P "$(cat "$dir/pid")" -f davit-spawner)" davit-fetch)
    grep -q "^Uid:.65534.65534.65534.65534" "/proc/$pid/status"
    grep -q "^CapBnd:.0000000000000000" "/proc/$pid/status"
    grep -q "^Seccomp:.2" "/proc/$pid/status"
    grep -q "^NoNewPrivs:.1" "/proc/$pid/status"
    refute grep -q " / rw" "/proc/$pid/mounts"
    says_nothing find "/proc/$pid/fd" -lname "$dir/root*"
    kill $puller
}

@test "a login by a refresh token" {
    run davit pull "$bad/token/private/x:1"
    [ "$status" -eq 1 ]
    echo "{\"auths\": {\"$bad\": {\"identitytoken\": \"refresh me/+=\"}}}" > "$dir/docker/config.json"
    davit pull --quiet "$bad/token/private/x:1"
    echo "{\"auths\": {\"$bad\": {\"identitytoken\": \"stale\"}}}" > "$dir/docker/config.json"
    davit rmi "$bad/token/private/x:1"
    run davit pull "$bad/token/private/x:1"
    [ "$status" -eq 1 ]
    grep "POST /token" "$dir/bad.log"
}

@test "a registry that stands still is given up and asked again" {
    wait_until grep -q '^status' "$dir/stalled.out"
    grep -qx "status 0" "$dir/stalled.out" || { cat "$dir/stalled.out"; return 1; }
    "$build/davit" --host "unix://$dir/stalled.run/davit.sock" inspect "$bad/stalls/x:1" > /dev/null
}
