#!/usr/bin/env bats
# Clauses of runtime-spec that tests/integration/oci.bats does not show. The table of all clauses is
# runtime-spec.md.
load common

@test "a capability that nobody can grant is a warning, and the container runs without it" {
    configure '.process.capabilities.bounding += ["CAP_OF_TOMORROW"] | .process.capabilities.permitted += ["CAP_OF_TOMORROW"]'
    program echo runs
    run runtime --log "$dir/log" --log-format json run --bundle "$dir/bundle" "$id"
    [ "$output" = runs ]
    [ "$(jq -r .level "$dir/log")" = warning ]
    contains "$(jq -r .msg "$dir/log")" "CAP_OF_TOMORROW cannot be granted"
}

@test "other major versions are refused, unknown properties are ignored" {
    program echo runs
    configure '.ociVersion = "2.0.0"'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "ociVersion: 2.0.0; this program supports 1.x"
    configure '.ociVersion = "1.3.0" | .fromTheFuture = {"a":1} | .linux.fromTheFuture = [1] | .process.fromTheFuture = "x"'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = runs ]
}

@test "a namespace path of another type is refused, and so is a file that is no namespace" {
    program true
    configure '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/uts" else . end)'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "join the network namespace"
    configure '.linux.namespaces |= map(if .type == "network" then .path = "/etc/passwd" else . end)'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "is not a namespace"
    configure '.linux.namespaces += [{"type":"network"}]'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "stands twice"
}

@test "a namespace that is not named is the runtime's own" {
    configure '.linux.namespaces = [{"type":"mount"},{"type":"pid"}] | del(.hostname) | .mounts = [.mounts[] | select(.type != "sysfs" and .type != "cgroup" and .type != "mqueue")]'
    program sh -c 'for n in net ipc uts cgroup; do /bin/busybox readlink /proc/self/ns/$n; done'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "$(for n in net ipc uts cgroup; do readlink /proc/self/ns/$n; done)" ]
}

@test "the personality makes a 32-bit machine, for exec as well" {
    [ "$(uname -m)" = x86_64 ] || skip "this machine has no 32-bit name"
    configure '.linux.personality = {"domain":"LINUX32"}'
    ln -s busybox "$dir/bundle/rootfs/bin/uname"
    start_sleeping
    run runtime exec "$id" uname -m
    [ "$output" = i686 ]
    configure '.linux.personality.flags = ["ADDR_NO_RANDOMIZE"]'
    run runtime run --bundle "$dir/bundle" "$id-2"
    contains "$output" "linux.personality.flags"
    configure '.linux.personality = {"domain":"SOLARIS"}'
    run runtime run --bundle "$dir/bundle" "$id-2"
    contains "$output" "linux.personality.domain: unknown"
}

@test "scheduling and io priority are set" {
    configure '.process.scheduler = {"policy":"SCHED_BATCH","nice":7} | .process.ioPriority = {"class":"IOPRIO_CLASS_BE","priority":6}'
    program sh -c 'cut -d" " -f19,41 /proc/self/stat; /bin/busybox ionice -p 1'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = "7 3" ]
    contains "${lines[1]}" "best-effort: prio 6"
    configure '.process.scheduler = {"policy":"SCHED_BATCH","flags":["SCHED_FLAG_OF_TOMORROW"]}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" 'process.scheduler.flags[0]: unknown flag'
    configure '.process.scheduler = {"policy":"SCHED_NONE"}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "process.scheduler.policy"
}

@test "the memory policy is set, for exec as well" {
    [ -e /proc/self/numa_maps ] || skip "this kernel has no NUMA"
    configure '.linux.memoryPolicy = {"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES"]}'
    start_sleeping
    run runtime exec "$id" head -n 1 /proc/self/numa_maps
    contains "$output" "bind"
    contains "$output" "static:0"
    for bad in '{"mode":"MPOL_OF_TOMORROW"}' '{"mode":"MPOL_BIND","nodes":"0-x"}' '{"mode":"MPOL_BIND","nodes":"0","flags":["X"]}' '{"mode":"MPOL_BIND"}'; do
        configure ".linux.memoryPolicy = $bad"
        run runtime run --bundle "$dir/bundle" "$id-2"
        [ "$status" -ne 0 ]
        contains "$output" "linux.memoryPolicy"
    done
}

@test "execCPUAffinity is for exec and not for the first process" {
    [ "$(nproc)" -ge 2 ] || skip "this machine has one processor"
    configure '.process.execCPUAffinity = {"initial":"0","final":"1"}'
    start_sleeping
    [ "$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/$pid/status)" = "$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)" ]
    run runtime exec "$id" grep Cpus_allowed_list /proc/self/status
    contains "$output" $'\t1'
    echo '{"cwd":"/","args":["grep","Cpus_allowed_list","/proc/self/status"],"execCPUAffinity":{"initial":"0"}}' > "$dir/process.json"
    run runtime exec --process "$dir/process.json" "$id"
    contains "$output" $'\t0'
    echo '{"cwd":"/","args":["true"],"execCPUAffinity":{"final":"0-"}}' > "$dir/process.json"
    run runtime exec --process "$dir/process.json" "$id"
    contains "$output" "process.execCPUAffinity.final"
}

@test "network devices move with their addresses, renamed, and up" {
    cat > "$dir/devices" <<SCRIPT
set -e
ip link add one type veth peer name two
ip link set one address 02:00:00:00:00:11 mtu 1400
ip address add 10.9.8.7/24 dev one
ip address add fd00:1::5/64 dev one
ip link set one up
exec "$oci" --root "$dir/state" run --bundle "$dir/bundle" "$id"
SCRIPT
    configure '.linux.netDevices = {"one":{"name":"eth0"},"two":{"name":"net%d"}}'
    program /bin/busybox ip address
    run unshare --net sh "$dir/devices" 3>&-
    [ "$status" -eq 0 ]
    contains "$output" "eth0@net0"
    contains "$output" "02:00:00:00:00:11"
    contains "$output" "mtu 1400"
    contains "$output" "inet 10.9.8.7/24"
    contains "$output" "inet6 fd00:1::5/64"
    [ "$(echo "$output" | grep -c '<BROADCAST,MULTICAST,UP')" = 2 ]
    configure '.linux.netDevices = {"one":{"name":"lo"}}'
    run unshare --net sh "$dir/devices" 3>&-
    contains "$output" "the container has a device lo already"
    configure '.linux.netDevices = {"none":{}}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "linux.netDevices.none: No such device"
}

@test "a seccomp agent gets the listener with the state and decides" {
    python3 "$BATS_TEST_DIRNAME/agent.py" "$dir/agent" "$dir/agent.json" 3>&- &
    helpers=$!
    wait_until [ -S "$dir/agent" ]
    configure ".linux.seccomp = {\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"$dir/agent\",\"listenerMetadata\":\"for you\",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],
        \"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],\"action\":\"SCMP_ACT_NOTIFY\"}]} | .root.readonly = false | .annotations = {\"a\":\"b\"}"
    program sh -c '/bin/busybox mkdir /x; sleep 1000'
    runtime create --bundle "$dir/bundle" "$id" </dev/null > "$dir/output" 2>&1
    runtime start "$id"
    wait_until grep -q "Host is down" "$dir/output"
    cat "$dir/agent.json"
    jq -e --arg id "$id" --arg pid "$(runtime state "$id" | jq .pid)" '.fds == ["seccompFd"] and .metadata == "for you" and .pid == ($pid | tonumber)
        and .state.id == $id and .state.status == "creating" and .state.annotations.a == "b" and .closed' "$dir/agent.json"
}

@test "every system call may be the agent's to decide, even those that the start needs" {
    python3 "$BATS_TEST_DIRNAME/agent.py" "$dir/agent" "$dir/agent.json" 3>&- &
    helpers=$!
    wait_until [ -S "$dir/agent" ]
    configure ".linux.seccomp = {\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"$dir/agent\"}"
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    [ -s "$dir/agent.json" ]
}

@test "seccomp: a listener needs a path and an agent, metadata a path, rules a name" {
    program true
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "SCMP_ACT_NOTIFY needs listenerPath"
    configure ".linux.seccomp.listenerPath = \"$dir/none\""
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "linux.seccomp.listenerPath $dir/none"
    [ ! -e "$dir/state/$id" ]
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "listenerMetadata: needs listenerPath"
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_KILL"}]}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "linux.seccomp.syscalls[0].names: empty"
    # Without an action that asks for it the path means nothing.
    configure ".linux.seccomp = {\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"$dir/none\"}"
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 0 ]
}

@test "seccomp: every architecture, action, operator and flag of features is taken" {
    "$oci" features > "$dir/features.json"
    program true
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":$features[0].linux.seccomp.archs,"flags":$features[0].linux.seccomp.supportedFlags,
        "syscalls":[($features[0].linux.seccomp.operators[] | {"names":["chroot"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":.}]})]}' --slurpfile features "$dir/features.json"
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 0 ]
    for action in $(jq -r '.linux.seccomp.actions[] | select(. != "SCMP_ACT_NOTIFY" and . != "SCMP_ACT_TRACE")' "$dir/features.json"); do
        configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chroot"],"action":$action}]}' --arg action "$action"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -eq 0 ]
    done
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chroot"],"action":"SCMP_ACT_KILL","errnoRet":5}]}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "takes no errnoRet"
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_ABACUS"]}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "unknown architecture"
}

@test "every mount option of features is taken" {
    mkdir "$dir/source"
    program true
    for option in $("$oci" features | jq -r '.mountOptions[] | select(. != "remount" and . != "idmap" and . != "ridmap" and . != "tmpcopyup" and (startswith("x-davit.") | not))'); do
        configure ".mounts = [.mounts[] | select(.destination != \"/mnt\")] + [{\"destination\":\"/mnt\",\"type\":\"none\",\"source\":\"$dir/source\",\"options\":[\"rbind\",\"$option\"]}] | .root.readonly = false"
        run runtime run --bundle "$dir/bundle" "$id"
        echo "$option: $output"
        [ "$status" -eq 0 ]
    done
    for option in async sync dirsync lazytime nolazytime iversion noiversion silent loud defaults ro rw noatime nosymfollow; do
        configure ".mounts = [.mounts[] | select(.destination != \"/mnt\")] + [{\"destination\":\"/mnt\",\"type\":\"tmpfs\",\"source\":\"t\",\"options\":[\"$option\"]}]"
        run runtime run --bundle "$dir/bundle" "$id"
        echo "$option: $output"
        [ "$status" -eq 0 ]
    done
    configure '(.mounts[] | select(.destination == "/mnt").options) = ["optionoftomorrow"]'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "optionoftomorrow"
}

@test "recursive attributes reach mounts below, plain ones do not" {
    mkdir -p "$dir/source/below"
    mount -t tmpfs none "$dir/source/below"
    for pair in ro:rro nosuid:rnosuid nodev:rnodev noexec:rnoexec noatime:rnoatime nosymfollow:rnosymfollow; do
        plain=${pair%:*}
        configure ".mounts = [.mounts[] | select(.destination | startswith(\"/mnt\") | not)] + [
            {\"destination\":\"/mnt-plain\",\"source\":\"$dir/source\",\"options\":[\"rbind\",\"$plain\"]},
            {\"destination\":\"/mnt-tree\",\"source\":\"$dir/source\",\"options\":[\"rbind\",\"${pair#*:}\"]}] | .root.readonly = false"
        program grep /mnt- /proc/mounts
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$(echo "$output" | grep -c "[ ,]$plain[, ]")" = 3 ]
        refute eval 'echo "$output" | grep '\'' /mnt-plain/below '\'' | grep -q "[ ,]$plain[, ]"'
    done
    umount "$dir/source/below"
}

@test "mounts are made in their order, and a relative destination starts at the root" {
    mkdir "$dir/first" "$dir/second"
    touch "$dir/first/first" "$dir/second/second"
    configure ".mounts += [{\"destination\":\"mnt\",\"source\":\"$dir/first\",\"options\":[\"bind\"]},{\"destination\":\"/mnt\",\"source\":\"$dir/second\",\"options\":[\"bind\"]}] | .root.readonly = false"
    program ls /mnt
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = second ]
}

@test "idmapped mounts take a mapping of their own, and none without any is an error" {
    needs_user_namespaces
    mkdir "$dir/source"
    touch "$dir/source/file"
    configure ".mounts += [{\"destination\":\"/mnt\",\"source\":\"$dir/source\",\"options\":[\"bind\",\"idmap\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":4000,\"size\":1}],\"gidMappings\":[{\"containerID\":0,\"hostID\":5000,\"size\":1}]}] | .root.readonly = false"
    program stat -c '%u %g' /mnt/file
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "4000 5000" ]
    configure '(.mounts[] | select(.destination == "/mnt")) |= del(.uidMappings, .gidMappings)'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "neither the mount nor the container has id mappings"
    configure '(.mounts[] | select(.destination == "/mnt")).uidMappings = [{"containerID":0,"hostID":1,"size":1}]'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "uidMappings and gidMappings go together"
}

@test "the root's propagation is as asked for" {
    configure '.linux.rootfsPropagation = "private"'
    program sh -c 'grep " / / \| / " /proc/self/mountinfo | head -n 1'
    for kind in private shared slave unbindable rprivate rshared rslave runbindable; do
        configure ".linux.rootfsPropagation = \"$kind\""
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -eq 0 ]
        contains "$output" " / "
        case $kind in
        *shared) contains "$output" "shared:" ;;
        *unbindable) contains "$output" "unbindable" ;;
        *) [[ $output != *shared:* ]] ;;
        esac
    done
    # The recursive ones are for what is mounted below the root as well.
    program grep " /proc " /proc/self/mountinfo
    for kind in shared unbindable; do
        configure ".linux.rootfsPropagation = \"$kind\""
        run runtime run --bundle "$dir/bundle" "$id"
        [[ $status -eq 0 && $output != *$kind* ]]
        configure ".linux.rootfsPropagation = \"r$kind\""
        run runtime run --bundle "$dir/bundle" "$id"
        contains "$output" "$kind"
    done
    # As on hosts where all mounts are shared, with the bundle on one.
    program true
    for kind in private shared slave unbindable rprivate rshared rslave runbindable; do
        configure ".linux.rootfsPropagation = \"$kind\""
        unshare --mount --propagation private sh -c 'mount --bind "$1/bundle" "$1/bundle" && mount --make-rshared / && mount --make-rshared "$1/bundle" && cd "$1/bundle" && exec "$2" --root "$1/state" run "$3"' sh "$dir" "$oci" "$id" 3>&-
    done
    configure '.linux.rootfsPropagation = "sideways"'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "linux.rootfsPropagation"
}

@test "the default devices and links are there without a mount on /dev" {
    configure '.mounts = [.mounts[] | select(.destination | startswith("/dev") | not)] | .root.readonly = false'
    program sh -c 'for d in null zero full random urandom tty; do stat -c "%t:%T" /dev/$d; done; for l in fd stdin stdout stderr ptmx; do /bin/busybox readlink /dev/$l; done'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$(echo $output)" = "1:3 1:5 1:7 1:8 1:9 5:0 /proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 pts/ptmx" ]
}

@test "a device that is something else already is an error, a fifo needs no number" {
    configure '.linux.devices = [{"path":"/dev/pipe","type":"p","fileMode":420}]'
    program stat -c '%F %a' /dev/pipe
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "fifo 644" ]
    configure '.linux.devices = [{"path":"/etc/taken","type":"c","major":1,"minor":3}] | .root.readonly = false'
    touch "$dir/bundle/rootfs/etc/taken"
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "something else is there already"
}

@test "device rules hold in their order" {
    configure '.linux.resources.devices = [{"allow":true,"type":"c","major":1,"minor":11,"access":"rw"},{"allow":false,"type":"c","major":1,"minor":11,"access":"rwm"}]
        | .root.readonly = false | .process.capabilities = {"bounding":["CAP_MKNOD"],"effective":["CAP_MKNOD"],"permitted":["CAP_MKNOD"]}'
    program probe read-device c1:1
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "open: Operation not permitted"
    configure '.linux.resources.devices = [{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"access":"r"},{"allow":false,"type":"c","major":1,"minor":5,"access":"m"}]'
    program probe read-device c1:8
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "open: done" ]
    configure '.linux.resources.devices = [{"allow":false,"type":"x"}]'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" 'linux.resources.devices[0].type: "x" is not one of a, b, c'
}

@test "settings of cgroup v1 that version 2 has no word for are refused by name" {
    program true
    for setting in '{"memory":{"swappiness":10}}' '{"memory":{"kernel":1000000}}' '{"memory":{"kernelTCP":1000000}}' '{"memory":{"disableOOMKiller":true}}' \
        '{"cpu":{"realtimeRuntime":1000}}' '{"blockIO":{"leafWeight":10}}' '{"network":{"classID":5}}'; do
        configure ".linux.resources = $setting"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
        contains "$output" "cgroup2 has no"
    done
    for setting in '{"cpu":{"quota":1000,"burst":2000}}' '{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}}' '{"rdma":{"mlx5_1":{}}}'; do
        configure ".linux.resources = $setting"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
        contains "$output" "linux.resources"
    done
    for name in ../memory.max tomorrow.max memory; do
        configure '.linux.resources = {"unified":{($name):"1"}}' --arg name "$name"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
    done
}

@test "intelRdt without a resctrl filesystem says so, and its values are checked" {
    [ ! -e /sys/fs/resctrl/schemata ] || skip "this host has a resctrl filesystem mounted"
    program true
    configure '.linux.intelRdt = {"closID":"x"}'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "no resctrl filesystem is mounted"
    [ ! -e "$dir/state/$id" ]
    for bad in '{"closID":"../x"}' '{"memBwSchema":"L3:0=f"}' '{"schemata":["MB:0=1\nMB:1=2"]}'; do
        configure ".linux.intelRdt = $bad"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
        contains "$output" "linux.intelRdt"
        [[ $output != *"no resctrl"* ]]
    done
}

@test "labels are refused by name on a host without the security module" {
    program true
    if [ ! -e /sys/fs/selinux/enforce ]; then
        configure '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
        run runtime run --bundle "$dir/bundle" "$id"
        contains "$output" "process.selinuxLabel (SELinux is not enabled on this host)"
        configure 'del(.process.selinuxLabel) | .linux.mountLabel = "system_u:object_r:container_file_t:s0"'
        run runtime run --bundle "$dir/bundle" "$id"
        contains "$output" "linux.mountLabel (SELinux is not enabled on this host)"
        configure 'del(.linux.mountLabel)'
    fi
    if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
        configure '.process.apparmorProfile = "profile"'
        run runtime run --bundle "$dir/bundle" "$id"
        contains "$output" "process.apparmorProfile (AppArmor is not enabled on this host)"
    fi
}

# hook NAME STATUS: a hook that notes down its name and ends with a status.
hook() {
    printf '#!/bin/sh\ncat >/dev/null\necho %s >> %s/trace\nexit %s\n' "$1" "$dir" "$2" > "$dir/hook-$1"
    chmod +x "$dir/hook-$1"
}

@test "a failing poststart hook is an error and ends the container, a failing poststop hook stops no other" {
    hook bad 1
    hook good 0
    configure ".hooks = {\"poststart\":[{\"path\":\"$dir/hook-bad\"},{\"path\":\"$dir/hook-good\"}],\"poststop\":[{\"path\":\"$dir/hook-bad\"},{\"path\":\"$dir/hook-good\"}]}"
    program sleep 1000
    runtime create --bundle "$dir/bundle" "$id" </dev/null >/dev/null 2>&1
    run runtime start "$id"
    [ "$status" -ne 0 ]
    contains "$output" "hook-bad: exit status 1"
    wait_until sh -c "'$oci' --root '$dir/state' state '$id' | grep -q stopped"
    run runtime delete "$id"
    [ "$status" -eq 0 ]
    [ "$(tr '\n' ' ' < "$dir/trace")" = "bad bad good " ]
}

@test "a failing createRuntime hook ends the creation with the poststop hooks" {
    hook bad 1
    hook after 0
    configure ".hooks = {\"createRuntime\":[{\"path\":\"$dir/hook-bad\"}],\"poststop\":[{\"path\":\"$dir/hook-after\"}]}"
    program true
    run runtime create --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    [ "$(tr '\n' ' ' < "$dir/trace")" = "bad after " ]
    [ ! -e "$dir/state/$id" ]
}

# What a process may do, one line each; by a program that is in the image.
report='grep -E "^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):" /proc/self/status; umask; ulimit -n; pwd; true'

@test "startContainer hooks have what the process will have and nothing more" {
    mkdir "$dir/bundle/rootfs/work"
    printf '#!/bin/sh\n{ %s; } > /work/hook\nmkdir /outside 2>>/work/errors\nmount -t tmpfs none /work 2>>/work/errors\ntrue\n' "$report" > "$dir/bundle/rootfs/bin/hook"
    chmod +x "$dir/bundle/rootfs/bin/hook"
    ln -s busybox "$dir/bundle/rootfs/bin/mkdir"
    configure '.root.readonly = false | .process.cwd = "/work" | .process.rlimits = [{"type":"RLIMIT_NOFILE","soft":100,"hard":100}]
        | .hooks = {startContainer: [{path: "/bin/hook", env: ["PATH=/bin"]}]}'
    # With everything, so that the attack is seen to be one.
    program sh -c "$report"
    configure '.process.capabilities = ([("bounding","effective","permitted") | {(.): ["CAP_SYS_ADMIN","CAP_DAC_OVERRIDE"]}] | add) | .process.user = {uid: 0, gid: 0}'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 0 ]
    [ -d "$dir/bundle/rootfs/outside" ]
    [ ! -s "$dir/bundle/rootfs/work/errors" ]
    rm -r "$dir/bundle/rootfs/outside" "$dir/bundle/rootfs/work"/*
    chmod 777 "$dir/bundle/rootfs/work"
    configure '.process.user = {uid: 1000, gid: 1001, additionalGids: [1002], umask: 7} | .process.noNewPrivileges = true
        | .process.capabilities = ([("bounding","effective","permitted","inheritable","ambient") | {(.): ["CAP_KILL"]}] | add)
        | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdirat","mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}'
    for init in false true; do
        configure ".annotations = {\"io.davit.init\": \"$init\"}"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -eq 0 ]
        echo "process: $output"; echo "hook: $(cat "$dir/bundle/rootfs/work/hook")"
        [ "$(cat "$dir/bundle/rootfs/work/hook")" = "$output" ]
        contains "$output" "1000"
        contains "$output" "Seccomp:	2"
        contains "$output" "0007"
        [ ! -e "$dir/bundle/rootfs/outside" ]
        contains "$(cat "$dir/bundle/rootfs/work/errors")" "mkdir"
        rm "$dir/bundle/rootfs/work"/*
    done
}

@test "createContainer hooks have the runtime's umask" {
    printf '#!/bin/sh\numask > %s/umask\n: > %s/made\n' "$dir" "$dir" > "$dir/hook"
    chmod +x "$dir/hook"
    configure ".hooks = {createContainer: [{path: \"$dir/hook\"}]}"
    program true
    for mask in 0022 0077; do
        (umask $mask; runtime run --bundle "$dir/bundle" "$id")
        [ "$(cat "$dir/umask")" = "$mask" ]
        [ "$(stat -c %a "$dir/made")" = "$(printf %o $((0666 & ~mask)))" ]
        rm "$dir/made"
    done
}

@test "hooks run where the specification says, with the pid of that place" {
    cat > "$dir/where" <<HOOK
#!/bin/sh
echo "\$1 \$(readlink /proc/self/ns/uts) \$(sed 's/.*"pid":\([0-9]*\).*/\1/')" >> $dir/trace
HOOK
    chmod +x "$dir/where"
    configure "def h(k): [{\"path\":\"$dir/where\",\"args\":[\"where\",k],\"env\":[\"PATH=/bin:/usr/bin\"]}]; .hooks = {createRuntime: h(\"createRuntime\"), createContainer: h(\"createContainer\"), poststart: h(\"poststart\")}"
    start_sleeping
    inside=$(readlink /proc/$pid/ns/uts)
    cat "$dir/trace"
    grep -qxF "createRuntime $(readlink /proc/self/ns/uts) $pid" "$dir/trace"
    grep -qxF "createContainer $inside 1" "$dir/trace"
    grep -qxF "poststart $(readlink /proc/self/ns/uts) $pid" "$dir/trace"
}

@test "the state has what the specification asks for" {
    configure '.annotations = {"com.example.key":"value","empty":""}'
    start_sleeping
    runtime state "$id" | jq -e --arg id "$id" --arg bundle "$dir/bundle" '.ociVersion == "1.3.0" and .id == $id and .status == "running"
        and (.pid | type) == "number" and .bundle == $bundle and .annotations == {"com.example.key":"value","empty":""}'
    run runtime state none
    [ "$status" -ne 0 ]
    contains "$output" "container none does not exist"
}

@test "a change of config.json after the creation has no effect" {
    program echo before
    runtime create --bundle "$dir/bundle" "$id" </dev/null > "$dir/output" 2>&1
    program echo after
    runtime start "$id"
    wait_until grep -q . "$dir/output"
    [ "$(cat "$dir/output")" = before ]
}

@test "a process is needed to create, a root and its directory too" {
    configure 'del(.process)'
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" "process: required"
    configure '.process = {"cwd":"/","args":["true"]} | .root.path = "nowhere"'
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" "root.path nowhere: No such file or directory"
    configure 'del(.root)'
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" "root: required"
}
