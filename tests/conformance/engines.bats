#!/usr/bin/env bats
# What engines write and images have, and what they expect to come of it. compare_runtimes.py found most of it.
load common
bats_require_minimum_version 1.5.0

# A user namespace with ids from 100000 on, and a root filesystem that belongs to it.
use_user_namespace() {
    configure '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
    chown -hR 100000:100000 "$dir/bundle/rootfs"
    chmod 755 "$dir"
}

@test "a bind goes to where a dangling symlink of the image leads inside" {
    ln -s ../run/systemd/stub.conf "$dir/bundle/rootfs/etc/resolv.conf"
    ln -s /../../nowhere/deep "$dir/bundle/rootfs/data"
    echo "nameserver 1.2.3.4" > "$dir/resolv"
    mkdir "$dir/source"; echo content > "$dir/source/file"
    configure ".root.readonly = false | .mounts += [{\"destination\":\"/etc/resolv.conf\",\"type\":\"bind\",\"source\":\"$dir/resolv\",\"options\":[\"rbind\",\"ro\"]},
        {\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"$dir/source\",\"options\":[\"rbind\"]}]"
    program cat /etc/resolv.conf /run/systemd/stub.conf /nowhere/deep/file
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "nameserver 1.2.3.4
nameserver 1.2.3.4
content" ]
    [ ! -e /nowhere ]
    ln -sfn resolv.conf "$dir/bundle/rootfs/etc/resolv.conf"
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "mount /etc/resolv.conf"
}

@test "a read-only tmpfs takes the mounts and devices below it first" {
    configure '(.mounts[] | select(.destination == "/dev") | .options) += ["ro"] | .mounts += [{"destination":"/data","type":"tmpfs","source":"tmpfs","options":["ro"]},{"destination":"/data/below","type":"tmpfs","source":"tmpfs"}]'
    program sh -c 'for d in /dev /data /data/below /dev/shm; do touch $d/x 2>/dev/null && echo $d; done; echo still > /dev/null && ls /dev/pts/ptmx'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "/data/below
/dev/shm
/dev/pts/ptmx" ]
}

@test "a tmpfs without a mode has that of the directory which it covers" {
    mkdir -m 0710 "$dir/bundle/rootfs/data"
    configure '.mounts += [{"destination":"/data","type":"tmpfs","source":"tmpfs"},{"destination":"/new","type":"tmpfs","source":"tmpfs"}] | .root.readonly = false'
    program stat -c %a /data /new
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "710
1777" ]
}

@test "HOME is the container's passwd's, also for exec, and a passwd that is a pipe holds nobody up" {
    printf 'root:x:0:0:root:/of/root:/bin/sh\nuser:x:1000:1000::/of/user:/bin/sh\n' > "$dir/bundle/rootfs/etc/passwd"
    configure '.process.env = ["PATH=/bin"] | .process.user = {"uid":1000,"gid":1000}'
    program sh -c 'echo $HOME'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = /of/user ]
    start_sleeping
    run runtime exec --user 0 "$id" sh -c 'echo $HOME'
    [ "$output" = /of/root ]
    run runtime exec --user 7 "$id" sh -c 'echo $HOME'
    [ "$output" = / ]
    rm "$dir/bundle/rootfs/etc/passwd"
    mkfifo "$dir/bundle/rootfs/etc/passwd"
    run runtime exec --user 0 "$id" sh -c 'echo $HOME'
    [ "$output" = / ]
    program sh -c 'echo $HOME'
    run runtime run --bundle "$dir/bundle" "$id-2"
    [ "$output" = / ]
}

@test "of two values of a variable the last one holds" {
    configure '.process.env = ["PATH=/bin","A=1","HOME=/x","B=2","A=3","HOME=/y"]'
    program /bin/busybox env
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$(grep -c ^A= <<<"$output")" = 1 ]
    contains "$output" "A=3"
    contains "$output" "HOME=/y"
    [ "$(grep -c ^HOME= <<<"$output")" = 1 ]
}

@test "options for mount(8) and unknown ones on a bind have no effect, and several may stand in one string" {
    mkdir "$dir/source"
    configure ".mounts += [{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"$dir/source\",\"options\":[\"rbind\",\"nofail\",\"x-systemd.automount\",\"z\",\"U\",\"size=1m\",\"consistency=cached\",\"ro,nosuid\"]},
        {\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"_netdev\",\"size=1m,mode=711\"]}]"
    program grep -E ' (/data|/tmp) ' /proc/self/mounts
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" == *" /data "*" ro,nosuid,"* ]]
    [[ "${lines[1]}" == *"size=1024k,mode=711"* ]]
}

@test "remount changes a filesystem's options, and is refused where nothing is mounted" {
    configure '.mounts += [{"destination":"/tmp","type":"tmpfs","source":"tmpfs"},{"destination":"/tmp","type":"tmpfs","source":"tmpfs","options":["remount","size=1m","nosuid"]}]'
    program grep ' /tmp ' /proc/self/mounts
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" nosuid
    contains "$output" size=1024k
    configure '.mounts = [.mounts[] | select(.destination != "/tmp")] + [{"destination":"/tmp","type":"tmpfs","source":"tmpfs","options":["remount","ro"]}]'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "mount /tmp: remount: nothing is mounted there"
}

@test "a working directory that only root may enter is entered as root" {
    mkdir -m 0700 "$dir/bundle/rootfs/secret"
    configure '.process.cwd = "/secret" | .process.user = {"uid":1000,"gid":1000} | .process.capabilities = {}'
    program sh -c '/bin/busybox readlink /proc/self/cwd; ls . 2>&1'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = /secret ]
    contains "${lines[1]}" "Permission denied"
}

# hook SCRIPT: a createContainer hook.
container_hook() {
    printf '#!/bin/sh\n%s\n' "$1" > "$dir/hook"
    chmod +x "$dir/hook"
    configure ".root.readonly = false | .hooks = {createContainer: [{path: \"$dir/hook\"}]}"
}

@test "createContainer hooks see the mounts at the bundle's root and change what the container gets" {
    container_hook "pwd > $dir/seen; echo \$OF_THE_CALLER >> $dir/seen; ls rootfs/proc/self/status >> $dir/seen
        mount -t tmpfs of-the-hook rootfs/tmp; echo content > rootfs/tmp/file; ln -s /bin/busybox rootfs/bin/linked"
    program cat /tmp/file
    OF_THE_CALLER=yes run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = content ]
    [ "$(cat "$dir/seen")" = "$dir/bundle
yes
rootfs/proc/self/status" ]
    [ -L "$dir/bundle/rootfs/bin/linked" ]
    [ ! -e "$dir/bundle/rootfs/tmp/file" ]
    refute mountpoint -q "$dir/bundle/rootfs"
}

@test "hooks do not write to the container's streams; what they say stands in the error or goes to a file" {
    container_hook 'echo to-output; echo to-error >&2'
    program echo program
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = program ]
    configure ".annotations = {\"run.oci.hooks.stdout\":\"$dir/out\",\"run.oci.hooks.stderr\":\"$dir/err\"}"
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = program ]
    [ "$(cat "$dir/out")" = to-output ]
    [ "$(cat "$dir/err")" = to-error ]
    configure 'del(.annotations)'
    container_hook 'head -c 1000000 /dev/zero | tr "\0" x; echo; printf "the device \033is gone\n" >&2; exit 3'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "hook $dir/hook: exit status 3: the device ?is gone"
}

@test "a hook with an empty environment has none, one without has the runtime's" {
    for env in '[]' null; do
        container_hook "env > $dir/env-of"
        configure ".hooks.createContainer[0].env = $env"
        program true
        OF_THE_CALLER=yes runtime run --bundle "$dir/bundle" "$id"
        grep -q OF_THE_CALLER "$dir/env-of" && echo "$env: the caller's" || echo "$env: its own"
    done > "$dir/found"
    [ "$(cat "$dir/found")" = "[]: its own
null: the caller's" ]
}

@test "a failing poststop hook after start and delete has the same surroundings" {
    printf '#!/bin/sh\npwd > %s/pwd\nenv > %s/env-of\n' "$dir" "$dir" > "$dir/hook"
    chmod +x "$dir/hook"
    configure ".hooks = {poststop: [{path: \"$dir/hook\", env: []}]}"
    start_sleeping
    OF_THE_CALLER=yes runtime delete --force "$id"
    [ "$(cat "$dir/pwd")" = "$dir/bundle" ]
    refute grep -q OF_THE_CALLER "$dir/env-of"
}

@test "in a user namespace a device is what its numbers, mode and owner say, whatever the host has there" {
    needs_user_namespaces
    use_user_namespace
    configure '.linux.devices = [{"path":"/dev/foo","type":"c","major":1,"minor":5,"fileMode":420,"uid":7,"gid":8},{"path":"/dev/none","type":"c","major":250,"minor":77}]'
    program sh -c 'stat -c "%n %t:%T %a %u:%g" /dev/foo /dev/none; head -c 3 /dev/foo | /bin/busybox od -An -c'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = "/dev/foo 1:5 644 7:8" ]
    [ "${lines[1]}" = "/dev/none fa:4d 666 0:0" ]
    contains "${lines[2]}" '\0  \0  \0'
    [ ! -e /dev/foo ]
}

@test "a program that is not there is said when the container is created" {
    program nonexistent
    run -1 runtime create --bundle "$dir/bundle" "$id"
    contains "$output" 'exec: "nonexistent": executable file not found in $PATH'
    program /no/such
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" 'exec: "/no/such": no such file or directory'
    echo text > "$dir/bundle/rootfs/etc/plain"
    program /etc/plain
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" "permission denied"
    # A startContainer hook may bring it.
    program /tmp/brought
    configure '.root.readonly = false | .hooks = {"startContainer":[{"path":"/bin/busybox","args":["cp","/bin/busybox","/tmp/brought"]}]} | .process.args = ["/tmp/brought"]'
    runtime create --bundle "$dir/bundle" "$id" > "$dir/out" 2>&1 </dev/null
    runtime delete --force "$id"
}

@test "a comma behind a backslash is part of an option, and so are quotes but those of a label" {
    mkdir "$dir/l,1" "$dir/l\"2"
    echo one > "$dir/l,1/one"; echo two > "$dir/l\"2/two"
    configure ".mounts += [{\"destination\":\"/data\",\"type\":\"overlay\",\"source\":\"overlay\",\"options\":[\"lowerdir=$dir/l\\\\,1:$dir/l\\\"2\"]}]"
    program sh -c 'cat /data/*'
    run runtime run --bundle "$dir/bundle" "$id"
    echo "$output"
    [ "$output" = "one
two" ]
}

@test "a user namespace goes with namespaces of the host, and its mqueue belongs to its root" {
    needs_user_namespaces
    use_user_namespace
    program stat -c %u /dev/mqueue
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = 0 ]
    configure 'del(.hostname) | .linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" elif .type == "uts" then .path = "/proc/self/ns/uts" elif .type == "ipc" then .path = "/proc/self/ns/ipc" else . end)
        | .mounts = [.mounts[] | select(.type != "sysfs" and .type != "cgroup" and .type != "mqueue")]'
    program sh -c 'for n in net uts ipc; do /bin/busybox readlink /proc/self/ns/$n; done; cat /proc/self/uid_map'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = "$(readlink /proc/self/ns/net)" ]
    [ "${lines[1]}" = "$(readlink /proc/self/ns/uts)" ]
    [ "${lines[2]}" = "$(readlink /proc/self/ns/ipc)" ]
    contains "${lines[3]}" 100000
}

@test "a cgroup path cannot leave the hierarchy, be its root, or be anybody else's" {
    configure '.linux.cgroupsPath = "/a/../../../"'
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "linux.cgroupsPath: the root of the hierarchy is the host's"
    configure ".linux.cgroupsPath = \"../davit/../davit/$id\""
    start_sleeping
    configure '.process.args = ["true"]'
    run runtime run --bundle "$dir/bundle" "$id-2"
    contains "$output" "cgroup /davit/$id exists already"
    runtime delete --force "$id-2"
    [ "$(runtime state "$id" | jq -r .status)" = running ]
}

@test "a program opens its output again, whatever that is; the caller's files and the host's devices stay whose they were" {
    configure '.process.user = {"uid":1000,"gid":1000}'
    program sh -c 'echo first; echo again >> /proc/self/fd/1; echo badly >> /proc/self/fd/2; stat -L -c %u /proc/self/fd/1'
    runtime run --bundle "$dir/bundle" "$id" >> "$dir/out" 2>&1 </dev/null
    [ "$(paste -sd' ' "$dir/out")" = "first again badly 1000" ]
    [ "$(runtime run --bundle "$dir/bundle" "$id" 2>/dev/null </dev/null | paste -sd' ')" = "first again 1000" ]
    runtime run --bundle "$dir/bundle" "$id" > "$dir/out1" 2> "$dir/out2" </dev/null
    [ "$(cat "$dir/out2")" = badly ]
    program sh -c 'i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done'
    runtime run --bundle "$dir/bundle" "$id" > "$dir/out1"
    [ "$(wc -l < "$dir/out1")" = 100000 ]
    [ "$(tail -n 1 "$dir/out1")" = "line 99999" ]
    # A file that takes no more is the program's to hear of, as without anybody between.
    program sh -c 'trap "" PIPE; head -c 1000000 /dev/zero; echo "said $?" >&2'
    run -0 timeout 60 bash -c "trap '' XFSZ; ulimit -f 64; '$oci' --root '$dir/state' run --bundle '$dir/bundle' '$id' 2>&1 > '$dir/out3'"
    contains "$output" "said 1"
    # Root opens its own output again as well, and gets no hold of the file.
    configure '.process.user = {"uid":0,"gid":0}'
    program sh -c 'echo a > /dev/stdout; echo b > /proc/self/fd/1; echo c; cat; echo d > /proc/self/fd/0'
    echo precious > "$dir/log"
    echo input > "$dir/input"
    runtime run --bundle "$dir/bundle" "$id" >> "$dir/log" 2>/dev/null < "$dir/input" || true
    [ "$(paste -sd' ' "$dir/log")" = "precious a b c input" ]
    [ "$(cat "$dir/input")" = input ]
    head -c 3000000 /dev/zero > "$dir/input"
    program cat
    [ "$(runtime run --bundle "$dir/bundle" "$id" < "$dir/input" | wc -c)" = 3000000 ]
    program true
    runtime run --bundle "$dir/bundle" "$id" < "$dir/input"
    configure '.process.user = {"uid":1000,"gid":1000}'
    program sleep 1000
    # Nobody waits for what is detached: the file is its output for good.
    runtime run --detach --bundle "$dir/bundle" "$id" > "$dir/detached" 2>&1 </dev/null
    runtime exec --user 7 "$id" sh -c 'echo again > /proc/self/fd/1' > "$dir/exec" 2>&1
    [ "$(cat "$dir/exec")" = again ]
    runtime exec --detach --user 7 "$id" true > "$dir/exec-detached" 2>&1
    [ "$(cd "$dir" && stat -c %u out out1 out2 detached exec exec-detached | paste -sd' ')" = "0 0 0 1000 0 7" ]
    [ "$(stat -c %u /dev/null)" = 0 ]
}

@test "100 configurations come out as with runc or crun, or a clause or an attack says why not" {
    needs_user_namespaces
    timeout 500 python3 "$BATS_TEST_DIRNAME/compare_runtimes.py" --build "$build" 3>&-
}

@test "280 command lines end as with runc or crun, or the table says why not" {
    needs_user_namespaces
    timeout 500 python3 "$BATS_TEST_DIRNAME/compare_runtimes.py" --commands --build "$build" 3>&-
}
