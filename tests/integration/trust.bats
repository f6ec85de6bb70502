#!/usr/bin/env bats
# The policy: which images may come, by name, digest and signature; from registries and in archives.
load common

setup_file() {
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock" DAVIT_CONFIG="$dir/davitd.json"
    "$BATS_TEST_DIRNAME/make-layers" "$shared/busybox.tar" "$dir/layout"
    start_registry plain
    export registry=127.0.0.1:$plain_port image=127.0.0.1:$plain_port/app
    for key in ec other; do
        openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$key.pem"
        openssl pkey -in "$dir/$key.pem" -pubout -out "$dir/$key.pub"
    done
    openssl genpkey -algorithm ed25519 -out "$dir/ed.pem"
    openssl pkey -in "$dir/ed.pem" -pubout -out "$dir/ed.pub"
    openssl genrsa -out "$dir/rsa.pem" 2048 2>/dev/null
    openssl pkey -in "$dir/rsa.pem" -pubout -out "$dir/rsa.pub"
    echo "{\"policy\": \"$dir/policy.json\"}" > "$dir/davitd.json"
    policy '{default: "accept"}'
    start_davitd
}

teardown_file() {
    stop_davitd
    xargs kill < "$dir/servers" 2>/dev/null
    rm -rf --one-file-system "$dir"
}

# Every test has a repository of its own: app1, app2...
setup() {
    image=$registry/app$BATS_TEST_NUMBER
    skopeo copy --quiet --all --dest-tls-verify=false "oci:$dir/layout:layers" "docker://$image:1"
    digest=sha256:$(skopeo inspect --tls-verify=false --raw "docker://$image:1" | sha256sum | cut -d' ' -f1)
    manifest=$(skopeo inspect --tls-verify=false --raw "docker://$image:1" | jq -r '.manifests[0].digest')
}

teardown() {
    local id
    policy '{default: "accept"}'
    for id in $(davit images --quiet | sort -u); do davit rmi --force "$id" >/dev/null; done
}

# It is read whenever an image comes.
policy() { jq -n "$@" > "$dir/policy.new" && mv "$dir/policy.new" "$dir/policy.json"; }
rule() { # JQ-OBJECT: the one rule for $image
    policy --arg image "$image" --arg dir "$dir" --arg digest "$digest" --arg manifest "$manifest" \
        "{default: \"reject\", rules: [{match: \"unrelated/**\", action: \"accept\"}, ({match: \$image} + $1)]}"
}
sign() { "$BATS_TEST_DIRNAME/sign-image" "$registry" "${image#*/}" "$@"; }

refused() { # PART...: the pull is, for this reason, and nothing has come
    local part
    run davit pull "$image:1"
    [ "$status" -eq 1 ]
    for part in "$@"; do contains "$output" "$part"; done
    nothing_came
}

nothing_came() {
    says_nothing davit images --quiet
    is_empty "$dir/root/layers"
    is_empty "$dir/root/ingest"
    says_nothing find "$dir/root/blobs/sha256" -type f -size +100k
}

accepted() {
    davit pull --quiet "$image:1"
    davit run --rm "$image:1" true
    davit rmi "$image:1"
}

@test "what the policy rejects is refused by the rule's name, and the rest comes" {
    policy --arg image "$image" '{default: "accept", rules: [{match: $image, action: "reject"}]}'
    refused "rule 1 of the policy ($image) rejects $image"
    policy '{default: "reject"}'
    refused "the default of the policy rejects $image"
    policy --arg registry "$registry" '{default: "reject", rules: [{match: ($registry + "/a*"), action: "accept"}]}'
    accepted
    policy '{default: "reject", rules: [{match: "**/app*", action: "accept"}]}'
    accepted
    policy '{default: "reject", rules: [{match: "*/app", action: "accept"}, {match: "*", action: "accept"}]}'
    refused "default"
    policy --arg image "$image" '{default: "accept", rules: [{match: "**", action: "accept"}, {match: $image, action: "reject"}]}'
    accepted
}

@test "a digest has to be in the list: the manifest's, or that of the index it came by" {
    rule '{action: "digest", digests: [$digest]}'
    accepted
    rule '{action: "digest", digests: [$manifest]}'
    accepted
    davit pull --quiet "$image@$manifest"
    davit rmi --force "$(davit images --quiet)"
    rule '{action: "digest", digests: ["sha256:'"$(printf %064d 1)"'"]}'
    refused "rule 2 of the policy ($image) does not list the digest $digest"
}

@test "an image that nobody signed is refused before anything is unpacked" {
    rule '{action: "signed", keys: [$dir + "/ec.pub"]}'
    refused "rule 2 of the policy ($image) wants a signature by one of its keys" "none is found for $digest in the registry"
}

@test "a signature by ECDSA P-256 over the index" {
    sign "$digest" "$dir/ec.pem"
    rule '{action: "signed", keys: [$dir + "/ec.pub"]}'
    accepted
    rule '{action: "signed", keys: [$dir + "/other.pub"]}'
    refused "wants a signature"
    rule '{action: "signed", keys: [$dir + "/other.pub", $dir + "/ed.pub", $dir + "/ec.pub"]}'
    accepted
}

@test "a signature by Ed25519 over the manifest" {
    sign "$manifest" "$dir/ed.pem"
    rule '{action: "signed", keys: [$dir + "/ed.pub"]}'
    accepted
    rule '{action: "signed", keys: [$dir + "/ec.pub"]}'
    refused "wants a signature"
}

@test "of several signatures one has to be good" {
    sign "$digest" "$dir/other.pem" "$dir/ed.pem" "$dir/ec.pem"
    rule '{action: "signed", keys: [$dir + "/ec.pub"]}'
    accepted
}

@test "a signature over something else is none" {
    rule '{action: "signed", keys: [$dir + "/ec.pub"]}'
    SIGN_DIGEST=sha256:$(printf %064d 2) sign "$digest" "$dir/ec.pem"
    refused "wants a signature"
    SIGN_OTHER=1 sign "$digest" "$dir/ec.pem"
    refused "wants a signature"
    SIGN_TYPE="something else" sign "$digest" "$dir/ec.pem"
    refused "wants a signature"
    sign "$digest" "$dir/ec.pem"
    accepted
}

@test "a signature has to name whom the rule says" {
    sign "$digest" "$dir/ec.pem"
    rule '{action: "signed", keys: [$dir + "/ec.pub"], identity: "docker.io/library/app"}'
    refused "wants a signature"
    SIGN_REFERENCE=docker.io/library/app sign "$digest" "$dir/ec.pem"
    accepted
}

@test "signatures in a directory, for images from a registry and in an archive" {
    rule '{action: "signed", keys: [$dir + "/ec.pub"], signatures: ($dir + "/signatures")}'
    mkdir -p "$dir/signatures"
    refused "none is found for $digest in $dir/signatures"
    policy '{default: "accept"}'
    davit pull --quiet "$image:1"
    davit save --output "$dir/archive.tar" "$image:1"
    davit rmi "$image:1"
    rule '{action: "signed", keys: [$dir + "/ec.pub"], signatures: ($dir + "/signatures")}'
    run davit load --input "$dir/archive.tar"
    [ "$status" -eq 1 ]
    contains "$output" "none is found for $manifest in $dir/signatures"
    nothing_came
    SIGN_DIRECTORY=$dir/signatures sign "$manifest" "$dir/ec.pem"
    accepted
    davit load --input "$dir/archive.tar"
    davit run --rm "$image:1" true
    davit rmi "$image:1"
    printf 'garbage\n' > "$dir/signatures/sha256-${manifest#sha256:}.sig"
    refused "wants a signature"
}

@test "an archive is not a way around the policy" {
    davit pull --quiet "$image:1"
    davit save --output "$dir/around.tar" "$image:1"
    davit save --output "$dir/nameless.tar" "$(davit inspect "$image:1" | jq -r '.[0].Id')"
    davit rmi "$image:1"
    rule '{action: "reject"}'
    run davit load --input "$dir/around.tar"
    [ "$status" -eq 1 ]
    contains "$output" "rejects $image"
    nothing_came
    run davit load --input "$dir/nameless.tar"
    contains "$output" "the default of the policy rejects images without a name"
    nothing_came
    rule '{action: "signed", keys: [$dir + "/ec.pub"]}'
    sign "$digest" "$dir/ec.pem"
    run davit load --input "$dir/around.tar"
    contains "$output" "in an archive"
    rule '{action: "digest", digests: [$manifest]}'
    davit load --input "$dir/around.tar"
}

@test "a policy that cannot be understood lets nothing in, and davitd says so at its start" {
    rule '{action: "signed", keys: [$dir + "/rsa.pub"]}'
    sign "$digest" "$dir/ec.pem"
    refused "neither ECDSA P-256 nor Ed25519"
    for wrong in '{action: "signed"}' '{action: "accept", keys: ["/x"]}' '{action: "digest"}' '{action: "signed", keys: ["/nonexistent"]}' \
        '{action: "digest", digests: ["sha256:1"]}' '{action: "believe"}' '{action: "accept", when: "always"}' \
        '{action: "signed", keys: [$dir + "/ec.pub"], signatures: "here"}' '{action: "reject", identity: "x"}'; do
        rule "$wrong"
        refused "policy $dir/policy.json: "
        run timeout 10 "$davitd" --root "$dir/root2" --run "$dir/run2"
        [ "$status" -eq 1 ]
        contains "$output" "policy.json"
    done
    policy '{rules: []}'
    refused 'default: "accept" or "reject" is expected'
    rm "$dir/policy.json"
    refused "policy $dir/policy.json: "
    run davit load --input "$shared/busybox.tar"
    [ "$status" -eq 1 ]
}
