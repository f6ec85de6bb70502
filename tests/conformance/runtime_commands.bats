#!/usr/bin/env bats
# The runtime's commands and options, as far as tests/integration/oci.bats does not show them.
load common

@test "--config, --no-pivot, --keep and --cgroup-manager do what they say" {
    program true
    jq '.process.args = ["sh", "-c", "echo other; ls /"]' "$dir/bundle/config.json" > "$dir/other.json"
    run runtime --cgroup-manager disabled run --no-pivot --keep --no-new-keyring --config "$dir/other.json" --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = other ]
    [[ $output != *home* ]]
    [ "$(runtime state "$id" | jq -r .status)" = stopped ]
    [ ! -e "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/davit/$id" ]
    runtime delete "$id"
    configure '.linux.resources.pids = {"limit":5}'
    run runtime --cgroup-manager disabled run --bundle "$dir/bundle" "$id"
    contains "$output" "pids limit: cannot be set with --cgroup-manager disabled"
    run runtime --cgroup-manager sideways list
    contains "$output" "is none of cgroupfs, systemd, disabled"
}

@test "pause, resume, ps and exec --ignore-paused live with the freezer" {
    start_sleeping
    runtime pause "$id"
    [ "$(runtime state "$id" | jq -r .status)" = paused ]
    run runtime exec "$id" true
    contains "$output" "cannot exec in a paused container"
    runtime exec --ignore-paused --detach --pid-file "$dir/exec.pid" "$id" sleep 999 </dev/null >/dev/null 2>&1 &
    run runtime pause "$id"
    [ "$status" -ne 0 ]
    runtime resume "$id"
    [ "$(runtime state "$id" | jq -r .status)" = running ]
    wait_until [ -s "$dir/exec.pid" ]
    [ "$(runtime ps --format json "$id" | jq -c sort)" = "$(printf '%s\n' "$pid" "$(cat "$dir/exec.pid")" | jq -sc sort)" ]
    runtime ps "$id" | grep -q "sleep 999"
    [ "$(runtime ps "$id" -o pid,args | head -n 1 | tr -s ' ')" = "PID COMMAND" ] || [ "$(runtime ps "$id" -o pid,args | head -n 1 | tr -s ' ')" = " PID COMMAND" ]
    run runtime resume "$id"
    contains "$output" "container not paused"
}

@test "events prints statistics as JSON and refuses what is not running" {
    start_sleeping
    runtime events --stats "$id" | jq -e --arg id "$id" '.type == "stats" and .id == $id and (.data | has("cpu") and has("memory") and has("pids") and has("blkio"))'
    run runtime events --interval never "$id"
    contains "$output" "is not a time like 5s"
    runtime kill "$id" KILL
    wait_until sh -c "'$oci' --root '$dir/state' state '$id' | grep -q stopped"
    run runtime events --stats "$id"
    contains "$output" "is not running"
}

@test "update refuses what this host cannot enforce, and keeps what was" {
    start_sleeping
    mount_point=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
    grep -qw memory "$mount_point/cgroup.controllers" && skip "this host's cgroup2 has the memory controller"
    before=$(sha256sum < "$dir/state/$id/config.json")
    run runtime update --memory 64m "$id"
    contains "$output" "no memory controller"
    [ "$(sha256sum < "$dir/state/$id/config.json")" = "$before" ]
    run runtime update --memory lots "$id"
    contains "$output" '--memory: "lots" is not a size like 64m'
    run runtime update --l3-cache-schema L3:0=f "$id"
    contains "$output" "created without linux.intelRdt"
}

@test "checkpoint without CRIU and of a terminal is refused" {
    start_sleeping
    run runtime checkpoint --lazy-pages "$id"
    contains "$output" "--lazy-pages: not supported"
    [ -x /usr/sbin/criu ] && skip "CRIU is installed"
    run runtime checkpoint --image-path "$dir/image" "$id"
    contains "$output" "which is not installed"
    [ "$(runtime state "$id" | jq -r .status)" = running ]
}

@test "features is what the specification says it is" {
    "$oci" features | jq -e '.ociVersionMin == "1.0.0" and .ociVersionMax == "1.3.0" and (.hooks | length) == 6 and (.linux.namespaces | length) == 8
        and .linux.cgroup == {"v1":false,"v2":true,"systemd":true,"systemdUser":false,"rdma":true} and .linux.mountExtensions.idmap.enabled
        and .linux.intelRdt.monitoring and .linux.netDevices.enabled and (.linux.memoryPolicy.modes | length) == 7 and (.linux.capabilities | length) == 41'
}

@test "every command has a --help that succeeds" {
    for command in $("$oci" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v '^$'); do
        run "$oci" "$command" --help
        [ "$status" -eq 0 ]
        contains "$output" "usage: davit-oci $command"
    done
}

@test "creation that is interrupted anywhere leaves nothing after delete --force" {
    for kind in kill-runtime kill-init fail-runtime fail-init; do
        run "$BATS_TEST_DIRNAME/interrupt" "$oci" $kind
        echo "$output"
        [ "$status" -eq 0 ]
    done
}

@test "the completion knows every command and only options that exist" {
    complete_words() {
        bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _davit_oci; printf "%s\n" "${COMPREPLY[@]}"' \
            bash "$BATS_TEST_DIRNAME/../../dist/completion/davit-oci.bash" "$@"
    }
    commands=$("$oci" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
    for command in $commands; do
        complete_words "$oci" "$command" | grep -qx "$command"
        for option in $(complete_words "$oci" "$command" -- | grep -v help); do
            run "$oci" --root "$dir/none" "$command" "$option"
            [[ $output != *"unknown option"*"\"$option\""* ]] || run "$oci" --root "$dir/none" "$command" "$option" 1
            [[ $output != *"unknown option"*"\"$option\""* ]] || { echo "$command $option: $output"; return 1; }
        done
    done
    start_sleeping
    [ "$(complete_words "$oci" --root "$dir/state" state "${id:0:6}")" = "$id" ]
}

@test "spec --rootless writes a configuration with a user namespace that runs" {
    needs_user_namespaces
    rm "$dir/bundle/config.json"
    runtime spec --rootless --bundle "$dir/bundle"
    configure '.process.terminal = false'
    program sh -c 'cat /proc/self/uid_map; ls /sys/class/net | grep -x lo'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$(tr -s ' ' <<<"${lines[0]}")" = " 0 $(id -u) 1" ]
    [ "${lines[1]}" = lo ]
    run runtime list extra
    [ "$status" -ne 0 ]
    contains "$output" '"extra" is one word too many'
}

@test "kill takes 0 and the other names of signals; exec that is not understood is 1, one that fails 255" {
    start_sleeping
    runtime kill "$id" 0
    runtime kill "$id" IO
    [ "$(runtime state "$id" | jq -r .status)" = running ]
    run runtime exec
    [ "$status" -eq 1 ]
    run runtime exec --additional-gids x "$id" true
    [ "$status" -eq 1 ]
    run runtime exec "$id" not-there
    [ "$status" -eq 255 ]
}

@test "without root nothing is tried, and the reason said" {
    chmod -R a+rX "$dir"
    cp "$oci" "$dir/davit-oci"
    configure '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":1000,"size":1}] | .linux.gidMappings = .linux.uidMappings'
    run setpriv --reuid 1000 --regid 1000 --clear-groups "$dir/davit-oci" --root "$dir/mine" run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 1 ]
    contains "$output" "has to run as root"
    [ ! -e "$dir/mine" ]
    run runtime --rootless maybe list
    contains "$output" "--rootless: \"maybe\" is none of true, false, auto"
    runtime --rootless true list
}
