# Devices of vendors by the Container Device Interface: a made-up vendor whose hooks edit the root as real ones do.

bats_require_minimum_version 1.5.0

setup_file() {
    . "$BATS_TEST_DIRNAME/common.bash"
    dir=$(mktemp -d /tmp/davit-test.XXXXXX)
    export dir DAVIT_HOST="unix://$dir/run/davit.sock"
    # Hooks that run in the container's namespaces are root of the container, who has to get to them.
    chmod 755 "$dir"
    mkdir -m 755 "$dir/vendor" "$dir/etc" "$dir/run-cdi"
    echo library > "$dir/vendor/libthing.so.1.2"
    make_tool
    printf '{"cdi_directories": ["%s/etc", "%s/run-cdi", "%s/none"], "device_classes": {"gpu": "vendor.com/thing", "tpu": "vendor.com/other"}}' \
        "$dir" "$dir" "$dir" > "$dir/davitd.json"
    export DAVIT_CONFIG=$dir/davitd.json
    start_davitd
    davit load --input "$shared/busybox.tar"
}
teardown_file() { . "$BATS_TEST_DIRNAME/common.bash"; teardown_daemon_file; }
setup() { . "$BATS_TEST_DIRNAME/common.bash"; }
teardown() {
    remove_containers --volumes
    rm -rf "$dir"/etc/* "$dir"/run-cdi/* "$dir/said"
}

# What a vendor's tool does as a hook: it finds the root by the bundle that it is told of, sees what is mounted there,
# and makes a link beside it.
make_tool() {
    cat > "$dir/vendor/tool" <<'TOOL'
#!/bin/sh
bundle=$(sed 's/.*"bundle":"\([^"]*\)".*/\1/')
root=$(sed 's/.*"root":{[^}]*"path":"\([^"]*\)".*/\1/' "$bundle/config.json")
case $root in /*) ;; *) root=$bundle/$root ;; esac
[ "$(cat "$root/usr/lib/libthing.so.1.2")" = library ] || { echo "no library below $root" >&2; exit 1; }
ln -s libthing.so.1.2 "$root/usr/lib/libthing.so.1"
echo "$1 in $(pwd), uid $(id -u), $THING" > "$root/hooked"
[ "$(pwd)" = "$bundle" ]
TOOL
    chmod 755 "$dir/vendor/tool"
}

# vendor DIRECTORY [NAME]: a file in YAML of what vendors write.
vendor() {
    cat > "$dir/$1/${2:-vendor}.yaml" <<YAML
---
# generated
cdiVersion: "1.1.0"
kind: vendor.com/thing
annotations: {made.by: "a test"}
containerEdits:
  env:
  - THING_DRIVER=1.2
  hooks:
  - hookName: createContainer
    path: $dir/vendor/tool
    args: [tool, linked]
    env: ["THING=its own", "PATH=/usr/bin:/bin"]
    timeout: 60
  mounts:
  - hostPath: $dir/vendor/libthing.so.1.2
    containerPath: /usr/lib/libthing.so.1.2
    options: [ro, nosuid, nodev, bind]
devices:
- name: "0"
  containerEdits:
    env: ["THING_ZERO=$1"]
    additionalGids: [0, 4242]
    deviceNodes:
    - {path: /dev/thing0, type: c, major: 1, minor: 5, fileMode: 0640}
- name: "1"
  containerEdits:
    deviceNodes:
    - {path: /dev/thing1, hostPath: /dev/full, permissions: rw, uid: 7, gid: 8}
- {name: "thing-8a0b", containerEdits: {env: [THING_BY_UUID=yes]}}
- name: all
  containerEdits:
    deviceNodes:
    - {path: /dev/thing0, hostPath: /dev/zero}
    - {path: /dev/thing1, hostPath: /dev/full}
YAML
}

# json EDITS: a file in JSON with one device, vendor.com/other=one.
other() {
    printf '{"cdiVersion": "1.1.0", "kind": "vendor.com/other", "devices": [{"name": "one", "containerEdits": %s}]}' "$1" > "$dir/etc/other.json"
}

hooks() { printf '{"hooks": [%s]}' "$1"; }
hook() { # NAME SCRIPT [MORE]
    jq -cn --arg name "$1" --arg script "$2" "{hookName: \$name, path: \"/bin/sh\", args: [\"sh\", \"-c\", \$script]} ${3:+ + $3}"
}
start_fails() { # WORDS
    run -125 davit run --rm --device vendor.com/other=one busybox true
    echo "$output"
    contains "$output" "$1"
}

@test "a device brings variables, groups, nodes, mounts, and hooks that change the root" {
    vendor etc
    run davit run --rm --device vendor.com/thing=0 busybox sh -c 'env; id; ls -l /dev/thing0; readlink /usr/lib/libthing.so.1; cat /hooked; head -c 2 /dev/thing0 | od -An -c; grep lib /proc/mounts; ls /dev/thing1 2>&1'
    echo "$output"
    [ "$status" -eq 1 ]
    contains "$output" THING_DRIVER=1.2
    contains "$output" THING_ZERO=etc
    contains "$output" "groups=0(root),4242"
    [[ $output =~ crw-r-----\ +1\ root\ +root\ +1,\ +5 ]]
    contains "$output" libthing.so.1.2
    contains "$output" "linked in $dir/run/bundles/"
    contains "$output" ", its own"
    contains "$output" '  \0  \0'
    contains "$output" "ro,nosuid,nodev"
    contains "$output" "/dev/thing1: No such file"
    is_empty "$dir/run/bundles"
    # The file of the image is as it was: what the hook changed was the container's.
    run -1 davit run --rm busybox ls /hooked
}

@test "a user of the container's own, and the host's ids" {
    vendor etc
    run davit run --rm --user 1000:1000 --group-add 7 --userns host --device vendor.com/thing=0 --device vendor.com/thing=1 busybox sh -c 'id; ls -ln /dev/thing*; cat /hooked'
    echo "$output"
    contains "$output" "groups=7,1000(alice),4242"
    # A node without an owner is the user's, as other engines have it.
    [[ $output =~ crw-r-----\ +1\ 1000\ +1000\ +1,\ +5 ]]
    [[ $output =~ crw-rw-rw-\ +1\ 7\ +8\ +1,\ +7 ]]
    contains "$output" "uid 0"
}

@test "what is allowed of a device is what its file says" {
    other '{"deviceNodes": [{"path": "/dev/one", "type": "c", "major": 200, "minor": 77, "permissions": "r"}, {"path": "/dev/none", "type": "c", "major": 200, "minor": 78, "permissions": "none"}]}'
    # No driver has these numbers: who may open the node is told that, who may not is told before.
    run davit run --rm --device vendor.com/other=one busybox sh -c 'cat /dev/one; echo x > /dev/one; cat /dev/none'
    echo "$output"
    contains "$output" "can't open '/dev/one': No such device"
    contains "$output" "can't create /dev/one: Operation not permitted"
    contains "$output" "can't open '/dev/none': Operation not permitted"
}

@test "execs have its variables and groups as well" {
    vendor etc
    davit run --detach --name holds --device vendor.com/thing=0 --env THING_ZERO=mine busybox sleep 1000
    run davit exec --env THING_DRIVER=exec holds env
    echo "$output"
    contains "$output" THING_DRIVER=exec
    # As for the first process: the device's come before the container's own.
    [ "$(davit exec holds sh -c 'echo $THING_DRIVER $THING_ZERO')" = "1.2 etc" ]
    [ "$(davit exec holds id -G)" = "0 4242" ]
    contains "$(davit exec --user 1000 holds id -G)" 4242
}

@test "a later directory hides an earlier one; two files of one directory contradict each other" {
    vendor etc
    vendor run-cdi
    [ "$(davit run --rm --device vendor.com/thing=0 busybox sh -c 'echo $THING_ZERO')" = run-cdi ]
    vendor run-cdi again
    run -125 davit run --rm --device vendor.com/thing=0 busybox true
    contains "$output" "$dir/run-cdi/again.yaml and $dir/run-cdi/vendor.yaml both have it"
}

@test "--gpus: all, some, by name; what docker says" {
    vendor etc
    [ "$(davit run --rm --gpus all busybox sh -c 'echo /dev/thing?')" = "/dev/thing0 /dev/thing1" ]
    [ "$(davit run --rm --gpus 1 busybox sh -c 'echo /dev/thing?')" = /dev/thing0 ]
    # Those with numbers are counted, not their other names.
    [ "$(davit run --rm --gpus 2 busybox sh -c 'echo /dev/thing? $THING_BY_UUID')" = "/dev/thing0 /dev/thing1" ]
    [ "$(davit run --rm --gpus device=1 busybox sh -c 'echo /dev/thing?')" = /dev/thing1 ]
    [ "$(davit run --rm --gpus '"device=0,1",capabilities=utility' busybox sh -c 'echo /dev/thing?')" = "/dev/thing0 /dev/thing1" ]
    [ "$(docker run --rm --gpus all busybox sh -c 'echo /dev/thing?')" = "/dev/thing0 /dev/thing1" ]
    [ "$(docker run --rm --gpus '"device=1",driver=vendor' busybox sh -c 'echo /dev/thing?')" = /dev/thing1 ]
    run -125 davit run --rm --gpus 3 busybox true
    contains "$output" "vendor.com/thing: no file of $dir/etc, $dir/run-cdi, $dir/none has so many; of vendor.com/thing there are: 0, 1, thing-8a0b, all"
    run -125 davit run --rm --gpus device=9 busybox true
    contains "$output" "device vendor.com/thing=9: no file"
    contains "$output" "there are: 0, 1, thing-8a0b, all"
}

@test "docker 28 sends a qualified --device as a request of the driver cdi" {
    vendor etc
    id=$(curl -s --unix-socket "$dir/run/davit.sock" -H 'Content-Type: application/json' -X POST http://d/v1.43/containers/create -d '{
        "Image": "busybox", "Cmd": ["sh", "-c", "echo $THING_ZERO"], "HostConfig": {"NetworkMode": "none",
        "DeviceRequests": [{"Driver": "cdi", "Count": 0, "DeviceIDs": ["vendor.com/thing=0"], "Capabilities": null, "Options": null}]}}' | jq -r .Id)
    [ "$(davit start --attach "$id")" = etc ]
    [ "$(davit inspect "$id" | jq -c '.[0].HostConfig.DeviceRequests[0].DeviceIDs')" = '["vendor.com/thing=0"]' ]
    davit info --format '{{json .CDISpecDirs}}' | grep -q "$dir/run-cdi"
}

@test "requests that cannot be met are refused by name, and nothing is made" {
    refused() { # REQUEST WORDS
        run curl -s --unix-socket "$dir/run/davit.sock" -H 'Content-Type: application/json' -X POST http://d/containers/create \
            -d "{\"Image\": \"busybox\", \"HostConfig\": {\"NetworkMode\": \"none\", \"DeviceRequests\": [$1]}}"
        echo "$output"
        contains "$output" "HostConfig.DeviceRequests[0]"
        contains "$output" "$2"
    }
    refused '{"Driver": "cdi", "DeviceIDs": ["/dev/null"]}' "not like vendor.com/class=name"
    refused '{"Driver": "cdi"}' "wants names in DeviceIDs"
    refused '{"Driver": "cdi", "DeviceIDs": ["a.b/c=d"], "Options": {"x": "y"}}' 'take no options'
    refused '{"Count": -1}' "Capabilities"
    refused '{"Count": -1, "Capabilities": [["npu"]]}' 'no class of devices is set for \"npu\"'
    refused '{"Count": -1, "Capabilities": [["gpu", "tpu"]]}' "no device is both"
    refused '{"Count": 0, "Capabilities": [["gpu"]]}' "either Count"
    refused '{"Count": 1, "DeviceIDs": ["0"], "Capabilities": [["gpu"]]}' "either Count"
    refused '{"Driver": "nvidia", "Count": 1, "Capabilities": [["gpu"]]}' 'neither cdi nor the vendor of vendor.com/thing'
    refused '{"Count": 1, "Capabilities": [["gpu"]], "Nonsense": 1}' Nonsense
    says_nothing davit ps --all --quiet
    run -125 davit run --gpus none busybox true
    contains "$output" '--gpus: "none"'
    run -125 davit run --gpus device=1,count=2 busybox true
    contains "$output" "do not go together"
}

@test "a file that says too much or not enough is passed over, with the reason" {
    wrong() { # TEXT WORDS
        printf %s "$1" > "$dir/etc/other.json"
        start_fails "$dir/etc/other.json: $2"
    }
    device='"devices": [{"name": "one"}]'
    wrong '{' 'invalid JSON at line 1'
    wrong "{\"kind\": \"vendor.com/other\", $device}" 'cdiVersion: required'
    wrong "{\"cdiVersion\": \"9.0.0\", \"kind\": \"vendor.com/other\", $device}" 'cdiVersion: "9.0.0" is no version up to 1.1.0'
    wrong "{\"cdiVersion\": \"1.0.0\", \"kind\": \"other\", $device}" 'kind: "other"'
    wrong '{"cdiVersion": "1.0.0", "kind": "vendor.com/other", "devices": []}' 'devices: one at least'
    wrong '{"cdiVersion": "1.0.0", "kind": "vendor.com/other", "devices": [{"name": "one"}, {"name": "one"}]}' 'devices: two are called "one"'
    wrong '{"cdiVersion": "1.1.0", "kind": "vendor.com/other", "devices": [{"name": "one", "containerEdits": {"deviceNodes": [{"path": "/dev/x", "type": "c", "major": 4294967297, "minor": 3}]}}]}' 'devices[0].containerEdits.deviceNodes[0].major'
    wrong '{"cdiVersion": "1.0.0", "kind": "vendor.com/other", "devices": [{"name": "-one"}]}' 'devices[0]: name: "-one"'
    wrong "{\"cdiVersion\": \"1.0.0\", \"kind\": \"vendor.com/other\", $device, \"more\": 1}" more
    wrong '{"cdiVersion": "0.6.0", "kind": "vendor.com/other", "devices": [{"name": "one", "containerEdits": {"additionalGids": [1]}}]}' \
        'cdiVersion: "0.6.0" does not have what the file uses, 0.7.0 does'
    wrong '{"cdiVersion": "1.1.0", "kind": "vendor.com/other", "devices": [{"name": "one", "containerEdits": {"hooks": [{"hookName": "never", "path": "/x"}]}}]}' \
        'devices[0]: containerEdits: hooks[0]: hookName: there is no hook "never"'
    wrong '{"cdiVersion": "1.1.0", "kind": "vendor.com/other", "devices": [{"name": "one", "containerEdits": {"env": ["=x"]}}]}' 'devices[0]: containerEdits: env[0]'
    other '{}'
    davit run --rm --device vendor.com/other=one busybox true
    chmod 664 "$dir/etc/other.json"
    start_fails "has to belong to root and nobody else may write to it"
    chown 1000 "$dir/etc/other.json"
    chmod 644 "$dir/etc/other.json"
    start_fails "has to belong to root"
    rm "$dir/etc/other.json"
    mkfifo "$dir/etc/other.json"
    start_fails "other.json"
    rm "$dir/etc/other.json"
    chmod 775 "$dir/etc"
    start_fails "$dir/etc has to belong to root"
    # Others are read all the same.
    vendor run-cdi
    davit run --rm --device vendor.com/thing=0 busybox true
    chmod 755 "$dir/etc"
}

@test "what a file names has to be there" {
    other '{"deviceNodes": [{"path": "/dev/gone"}]}'
    start_fails "vendor.com/other=one ($dir/etc/other.json): device node /dev/gone: /dev/gone: No such file"
    other '{"deviceNodes": [{"path": "/dev/x", "hostPath": "/etc/passwd"}]}'
    start_fails "/etc/passwd is no device"
    other '{"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/zero", "type": "b"}]}'
    start_fails "/dev/zero is not of type b"
    other '{"mounts": [{"hostPath": "/etc", "containerPath": "/"}]}'
    start_fails "is the root, which root.path says"
    other '{"mounts": [{"hostPath": "/nowhere/lib", "containerPath": "/lib/x"}]}'
    start_fails "/nowhere/lib"
    other "$(hooks '{"hookName": "createRuntime", "path": "/nowhere/tool"}')"
    start_fails "hook /nowhere/tool: exit status 127: cannot be run: No such file or directory"
    [ -e /sys/fs/resctrl/schemata ] || { other '{"intelRdt": {"closID": "fast"}}'; start_fails "linux.intelRdt"; }
    says_nothing davit ps --all --quiet
    is_empty "$dir/run/bundles"
}

@test "hooks of every kind run in their order, poststop also after a start that failed" {
    list=$(for kind in poststop poststart createContainer createRuntime prestart; do hook $kind "echo $kind >> $dir/said"; done | paste -sd,)
    touch "$dir/said"
    chmod 666 "$dir/said"
    other "$(hooks "$list")"
    davit run --rm --device vendor.com/other=one busybox true
    [ "$(paste -sd' ' "$dir/said")" = "prestart createRuntime createContainer poststart poststop" ]
    : > "$dir/said"
    other "$(hooks "$list,$(hook poststart 'echo "the last word" >&2; false')")"
    start_fails "the last word"
    [ "$(paste -sd' ' "$dir/said")" = "prestart createRuntime createContainer poststart poststop" ]
    : > "$dir/said"
    other "$(hooks "$list,$(hook createContainer false)")"
    start_fails "hook /bin/sh: exit status 1"
    [ "$(paste -sd' ' "$dir/said")" = "prestart createRuntime createContainer poststop" ]
    # One that fails at the end changes nothing, and the log says so.
    other "$(hooks "$(hook poststop 'echo "no way back" >&2; exit 3')")"
    davit run --rm --name ends --device vendor.com/other=one busybox true
    grep -q "container ends: hook /bin/sh: exit status 3: no way back" "$dir/log"
}

@test "what a createContainer hook leaves running does not see the program, and hooks are not what others can trace" {
    # It would have the host's files below /proc/PID/root, and the program may trace.
    other "$(hooks "$(hook createContainer 'sleep 10000 < /dev/null > /dev/null 2>&1 &')")"
    [ "$(davit run --rm --cap-add SYS_PTRACE --device vendor.com/other=one busybox sh -c 'echo /proc/[0-9]*')" = /proc/1 ]
    davit run --detach --name watches busybox sleep 1000
    run -125 davit run --rm --pid container:watches --device vendor.com/other=one busybox true
    contains "$output" "PidMode"
}

@test "hooks have neither the limits of the container nor a bundle that its root can change" {
    touch "$dir/said"; chmod 666 "$dir/said"
    other "$(hooks "$(hook createContainer "ulimit -n > $dir/said")")"
    davit run --rm --userns host --ulimit nofile=33 --device vendor.com/other=one busybox sh -c '[ $(ulimit -n) = 33 ]'
    [ "$(cat "$dir/said")" -gt 33 ]
    other "$(hooks "$(hook createContainer "test -r config.json && ! rm -f config.json 2>/dev/null && ! touch new 2>/dev/null")")"
    davit run --rm --device vendor.com/other=one busybox true
}

@test "a state of any length reaches a hook" {
    other "$(hooks "$(hook createRuntime "wc -c > $dir/said")")"
    davit run --rm --annotation "big=$(head -c 100000 /dev/zero | tr '\0' x)" --device vendor.com/other=one busybox true
    [ "$(cat "$dir/said")" -gt 100000 ]
}

@test "a vendor's files come out of a container as well" {
    vendor etc
    davit create --name out --device vendor.com/thing=0 busybox sleep 1000
    davit start out
    [ "$(davit cp out:/usr/lib/libthing.so.1.2 - | tar -xO)" = library ]
}

@test "startContainer hooks run inside" {
    other '{"hooks": [{"hookName": "startContainer", "path": "/bin/touch", "args": ["touch", "/inside"]}]}'
    davit run --rm --device vendor.com/other=one busybox ls /inside
}

@test "a hook that hangs holds nobody up, and goes with the start that is given up" {
    other "$(hooks "$(hook createRuntime "echo \$\$ > $dir/said; exec sleep 10000")")"
    davit create --name hangs --device vendor.com/other=one busybox true
    davit start hangs > "$dir/start" 2>&1 3>&- &
    start=$!
    wait_until test -s "$dir/said"
    pid=$(cat "$dir/said")
    kill -0 "$pid"
    davit run --rm busybox true
    davit rm --force hangs
    wait_until ! kill -0 "$pid"
    refute wait "$start"
    is_empty "$dir/run/bundles"
    # With a timeout of its own it ends by itself.
    other "$(hooks "$(hook createContainer 'sleep 10000' '{timeout: 1}')")"
    start_fails "no end after 1 s"
}

@test "a device of the network goes into the container" {
    other '{"netDevices": [{"hostInterfaceName": "cdi-test0", "name": "thing0"}]}'
    ip link add cdi-test0 type veth peer name cdi-test1
    run davit run --rm --device vendor.com/other=one busybox ip link show thing0
    ip link del cdi-test0 2>/dev/null || ip link del cdi-test1 2>/dev/null || true
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a device of the network stays what it is where the container has the network of the host" {
    other '{"netDevices": [{"hostInterfaceName": "cdi-own0", "name": "stolen0"}]}'
    # A network of its own for this davitd would not be the host's: the device is made here, and looked for afterwards.
    ip link add cdi-own0 type veth peer name cdi-own1
    run davit run --rm --network host --device vendor.com/other=one busybox true
    echo "$output"
    ip link show cdi-own0
    ip link del cdi-own0
    [ "$status" -eq 125 ]
    contains "$output" "linux.netDevices"
}

@test "a monitor that is killed leaves no bundle behind" {
    vendor etc
    davit run --detach --name killed --device vendor.com/thing=0 busybox sleep 1000
    [ -s "$dir/run/bundles/$(davit inspect killed | jq -r '.[0].Id')/config.json" ]
    for pid in $(pgrep -x davit-monitor); do
        if ls -l "/proc/$pid/fd" 2>/dev/null | grep -q "$dir/run/containers"; then kill -9 "$pid"; fi
    done
    wait_until ! davit exec killed true
    davit rm --force killed
    is_empty "$dir/run/bundles"
}
