#!/usr/bin/env bats
# davit-oci: runc's command line on real bundles.
load common

setup() { setup_bundle; }
teardown() {
    ! mountpoint -q "$dir/net" || umount "$dir/net"
    teardown_bundle
}
# The parent of all containers without a cgroupsPath; it stays while others have containers in it.
teardown_file() { rmdir "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/davit" 2>/dev/null || true; }

@test "run passes the program's exit status and output on" {
    program sh -c 'echo out; echo err >&2; exit 7'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 7 ]
    contains "$output" out
    contains "$output" err
    [ ! -e "$dir/state/$id" ]
}

@test "no signal is ignored or blocked, whatever the caller does with it" {
    program grep -E 'Sig(Blk|Ign)' /proc/self/status
    run python3 - "$oci" "$dir" "$id" <<'END'
import os, signal, sys
for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGRTMIN + 3):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMAX])
# glibc's posix_spawn has two signals of its own ignored as well.
os.waitpid(os.posix_spawn(sys.argv[1], [sys.argv[1], "--root", sys.argv[2] + "/state", "run", "--bundle", sys.argv[2] + "/bundle", sys.argv[3]],
                          os.environ), 0)
END
    [ "$output" = "SigBlk:	0000000000000000
SigIgn:	0000000000000000" ]
}

@test "create, start, state, kill and delete live a container's life" {
    program sleep 1000
    runtime create --bundle "$dir/bundle" --pid-file "$dir/pid" "$id" >/dev/null 2>&1
    [ "$(runtime state "$id" | jq -r .status)" = created ]
    [ "$(runtime state "$id" | jq -r .pid)" = "$(cat "$dir/pid")" ]
    runtime start "$id"
    [ "$(runtime state "$id" | jq -r .status)" = running ]
    run runtime start "$id"
    [ "$status" -eq 1 ]
    contains "$output" "cannot start a container in the running state"
    run runtime delete "$id"
    [ "$status" -eq 1 ]
    [ "$(runtime list --format json | jq -r '.[0].id')" = "$id" ]
    [ "$(runtime list --quiet)" = "$id" ]
    runtime kill "$id" KILL
    wait_until sh -c "'$oci' --root '$dir/state' state '$id' | grep -q stopped"
    runtime delete "$id"
    run runtime state "$id"
    [ "$status" -eq 1 ]
    contains "$output" "does not exist"
}

@test "exec runs another process and passes its status" {
    program sleep 1000
    runtime run --detach --bundle "$dir/bundle" "$id" >/dev/null 2>&1
    run runtime exec --env A=b --cwd /tmp "$id" sh -c 'echo $A $PWD; exit 4'
    [ "$status" -eq 4 ]
    [ "$output" = "b /tmp" ]
    # Half a number is none, and 2^32 is not root.
    for user in 4294967296 12:4294967296 12x 12: +12 -1; do
        run runtime exec --user "$user" "$id" id
        [ "$status" -ne 0 ]
        contains "$output" "is not UID[:GID]"
    done
    run runtime exec --user 12:34 "$id" id
    [ "$output" = "uid=12 gid=34" ]
    run runtime exec "$id" nonexistent
    [ "$status" -eq 255 ]
    contains "$output" "executable file not found"
}

@test "exec --process takes a process document" {
    program sleep 1000
    runtime run --detach --bundle "$dir/bundle" "$id" >/dev/null 2>&1
    echo '{"cwd":"/etc","args":["sh","-c","echo $X; pwd; umask"],"env":["PATH=/bin","X=doc"],"user":{"uid":5,"gid":6,"umask":63}}' > "$dir/process.json"
    run runtime exec --process "$dir/process.json" "$id"
    [ "$output" = $'doc\n/etc\n0077' ]
}

@test "a program that is not there fails the run and leaves nothing" {
    program nonexistent
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "executable file not found"
    [ ! -e "$dir/state/$id" ]
    says_nothing find /sys/fs/cgroup -maxdepth 4 -type d -name "$id"
}

@test "a broken config.json is refused with its path and leaves nothing" {
    configure '.process.capabilities.bounding[1] = 7'
    run runtime create --bundle "$dir/bundle" "$id"
    [ "$status" -eq 1 ]
    contains "$output" "process.capabilities.bounding[1]: expected a string"
    echo '{"ociVersion": "1.2.0", ' > "$dir/bundle/config.json"
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" "invalid JSON at line"
    [ ! -e "$dir/state/$id" ]
}

@test "every namespace is the container's own" {
    configure '.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"boottime":{"secs":5000000}}'
    program sh -c 'for n in pid mnt net ipc uts cgroup time; do /bin/busybox readlink /proc/self/ns/$n; done; cat /proc/uptime'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 0 ]
    for n in pid mnt net ipc uts cgroup time; do
        [[ $output != *"$(readlink /proc/self/ns/$n)"* ]]
    done
    [ "$(echo "$output" | tail -n 1 | cut -d. -f1)" -gt 5000000 ]
}

@test "namespaces are joined by path" {
    unshare --uts --net sleep 1000 3>&- &
    helper=$!
    wait_until sh -c "[ \"\$(readlink /proc/$helper/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]"
    configure ".linux.namespaces |= map(if .type == \"network\" or .type == \"uts\" then .path = \"/proc/$helper/ns/\" + (if .type == \"uts\" then \"uts\" else \"net\" end) else . end) | del(.hostname)"
    program sh -c '/bin/busybox readlink /proc/self/ns/net; /bin/busybox readlink /proc/self/ns/uts'
    expected=$(readlink /proc/$helper/ns/net /proc/$helper/ns/uts)
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "$expected" ]
}

@test "a pid namespace is joined by path" {
    program sleep 1000
    runtime run --detach --bundle "$dir/bundle" "$id" >/dev/null 2>&1
    pid=$(runtime state "$id" | jq .pid)
    configure ".linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$pid/ns/pid\" else . end)"
    program sh -c '/bin/busybox readlink /proc/self/ns/pid; echo $$'
    run runtime run --bundle "$dir/bundle" "$id-2"
    [ "${lines[0]}" = "$(readlink /proc/$pid/ns/pid)" ]
    [ "${lines[1]}" -gt 1 ]
}

userns='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":300000,"size":65536}] | .linux.gidMappings = .linux.uidMappings | .root.readonly = false'

@test "a user namespace maps root to an ordinary user" {
    unshare --user true 2>/dev/null || skip "this host allows no user namespaces (a chroot, or a sysctl)"
    configure "$userns"
    chown -R 300000:300000 "$dir/bundle/rootfs"
    chmod 755 "$dir" "$dir/bundle"
    program sh -c 'id; cat /proc/self/uid_map; touch /tmp/made; echo x > /dev/null && echo null'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = "uid=0 gid=0" ]
    contains "${lines[1]}" 300000
    [ "${lines[2]}" = null ]
    [ "$(stat -c %u "$dir/bundle/rootfs/tmp/made")" = 300000 ]
}

@test "a user namespace is joined by path" {
    unshare --user true 2>/dev/null || skip "this host allows no user namespaces (a chroot, or a sysctl)"
    unshare --user --map-root-user sleep 1000 3>&- &
    helper=$!
    wait_until sh -c "[ \"\$(readlink /proc/$helper/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]"
    wait_until grep -q . /proc/$helper/uid_map
    # Group 5, which terminals usually have, is not mapped there.
    configure ".linux.namespaces += [{\"type\":\"user\",\"path\":\"/proc/$helper/ns/user\"}] | (.mounts[] | select(.type == \"devpts\").options) -= [\"gid=5\"]"
    program sh -c '/bin/busybox readlink /proc/self/ns/user; id'
    expected=$(readlink /proc/$helper/ns/user)
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "$expected"
    contains "$output" "uid=0 gid=0"
}

@test "a bind mount is idmapped with the container's mapping" {
    unshare --user true 2>/dev/null || skip "this host allows no user namespaces (a chroot, or a sysctl)"
    configure "$userns | .mounts += [{\"destination\":\"/src\",\"type\":\"bind\",\"source\":\"$dir/src\",\"options\":[\"rbind\",\"idmap\"]}]"
    mkdir -p "$dir/src" "$dir/bundle/rootfs/src"
    touch "$dir/src/mine"
    chown -R 300000:300000 "$dir/bundle/rootfs"
    chmod 755 "$dir" "$dir/bundle"
    program sh -c 'stat -c %u /src/mine; touch /src/new'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = 0 ]
    [ "$(stat -c %u "$dir/src/new")" = 0 ]
}

@test "mount options do what they say" {
    mkdir -p "$dir/src/sub"
    configure ".mounts += [
        {\"destination\":\"/ro\",\"type\":\"bind\",\"source\":\"$dir/src\",\"options\":[\"rbind\",\"ro\",\"nosuid\",\"nodev\"]},
        {\"destination\":\"/rec\",\"type\":\"bind\",\"source\":\"$dir/src\",\"options\":[\"rbind\",\"rro\"]},
        {\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"t\",\"options\":[\"noexec\",\"noatime\",\"size=64k\",\"mode=700\"]},
        {\"destination\":\"/etc\",\"type\":\"tmpfs\",\"source\":\"t\",\"options\":[\"tmpcopyup\"]}] | .root.readonly = false"
    echo kept > "$dir/bundle/rootfs/etc/file"
    mount -t tmpfs none "$dir/src/sub"
    program sh -c 'grep -E " /(ro|rec|rec/sub|tmp|etc) " /proc/mounts; cat /etc/file; echo more > /etc/file; stat -c %a /tmp'
    run runtime run --bundle "$dir/bundle" "$id"
    umount "$dir/src/sub"
    [ "$status" -eq 0 ]
    echo "$output" | grep ' /ro ' | grep -q 'ro,nosuid,nodev'
    echo "$output" | grep ' /rec/sub ' | grep -q ' ro,'
    echo "$output" | grep ' /tmp ' | grep -q 'noexec,noatime'
    contains "$output" kept
    contains "$output" 700
    [ "$(cat "$dir/bundle/rootfs/etc/file")" = kept ]
}

@test "mounts of a container do not reach the host" {
    mkdir "$dir/shared"
    mount -t tmpfs none "$dir/shared"
    mount --make-shared "$dir/shared"
    mkdir "$dir/shared/inner"
    configure ".mounts += [{\"destination\":\"/s\",\"type\":\"bind\",\"source\":\"$dir/shared\",\"options\":[\"rbind\"]},
        {\"destination\":\"/s/inner\",\"type\":\"tmpfs\",\"source\":\"t\"}] | .root.readonly = false"
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    before=$(grep -c "$dir/shared/inner" /proc/self/mounts || true)
    umount "$dir/shared"
    [ "$status" -eq 0 ]
    [ "$before" -eq 0 ]
}

@test "a symlink in the image does not lead a mount outside" {
    mkdir "$dir/outside"
    mkdir -p "$dir/bundle/rootfs$dir/outside"
    ln -s "$dir/outside" "$dir/bundle/rootfs/data"
    configure ".mounts += [{\"destination\":\"/data/x\",\"type\":\"tmpfs\",\"source\":\"t\"}] | .root.readonly = false"
    program sh -c "grep -c $dir/outside/x /proc/mounts"
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = 1 ]
    is_empty "$dir/outside"
}

@test "procfs is not mounted over a symlink" {
    ln -s etc "$dir/bundle/rootfs/proc"
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "symbolic link"
}

# The mounts of a run with this change to the configuration: each with its parent, type and options.
mounts_of() { # JQ-FILTER
    cp "$dir/plain.json" "$dir/bundle/config.json"
    configure "$1"
    program cat /proc/self/mountinfo
    runtime run --bundle "$dir/bundle" "$id" | awk '{
        at[$1] = $5; kind = $0; sub(/.* - /, "", kind); sub(/ .*/, "", kind)
        print $5, "on", ($2 in at) ? at[$2] : "-", kind, $6 }' | sort
}

@test "what goes ahead of sysfs while the network is made leaves no trace of it" {
    touch "$dir/net"
    unshare --net="$dir/net" true
    cp "$dir/bundle/config.json" "$dir/plain.json"
    mkdir -p "$dir/bundle/rootfs/a/b"
    ln -s sys "$dir/bundle/rootfs/link"
    tmpfs='"type":"tmpfs","source":"t"'
    for change in '.' \
        ".mounts += [{\"destination\":\"/link/module\",$tmpfs}]" \
        ".mounts += [{\"destination\":\"/dev/../sys/module\",$tmpfs}]" \
        ".mounts += [{\"destination\":\"/sys/module\",$tmpfs},{\"destination\":\"/dev/x\",$tmpfs}]" \
        ".mounts += [{\"destination\":\"/a/b\",\"type\":\"sysfs\",\"source\":\"s\"},{\"destination\":\"/a\",$tmpfs}]" \
        '.linux.maskedPaths = ["/link/module", "/proc/keys"] | .linux.readonlyPaths = ["/link/kernel"]' \
        '.linux.maskedPaths = ["/sys/module"] | .linux.readonlyPaths = ["/sys", "/proc/bus"]'; do
        mounts_of "$change | .root.readonly = false" > "$dir/made"
        mounts_of "$change | .root.readonly = false |
            (.linux.namespaces[] | select(.type == \"network\")).path = \"$dir/net\"" > "$dir/joined"
        echo "$change"
        [ -s "$dir/made" ]
        diff "$dir/joined" "$dir/made"
    done
}

@test "masked and read-only paths are" {
    configure '.process.user.uid = 0 | .process.capabilities.bounding += ["CAP_SYS_ADMIN"]'
    program sh -c 'for f in timer_list kcore keys; do cat /proc/$f 2>/dev/null | head -c 1; done; echo x > /proc/sys/kernel/domainname; ls /sys/firmware'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "Read-only file system"
    [ "${#lines[@]}" -eq 1 ]
}

@test "capabilities are exactly those asked for, and none inheritable" {
    configure '.process.capabilities = {"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_KILL"],"permitted":["CAP_KILL","CAP_CHOWN"]}'
    program grep Cap /proc/self/status
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" $'CapInh:\t0000000000000000'
    contains "$output" $'CapPrm:\t0000000000000021'
    contains "$output" $'CapBnd:\t0000000000000021'
    contains "$output" $'CapAmb:\t0000000000000000'
}

@test "ambient capabilities reach an ordinary user's program" {
    configure '.process.user.uid = 1000 | .process.capabilities = {"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]}'
    program grep CapEff /proc/self/status
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" 0000000000000020
}

@test "seccomp denies, and no_new_privs is set" {
    configure '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]} | .root.readonly = false'
    program sh -c '/bin/busybox mkdir /x; grep -E "Seccomp:|NoNewPrivs" /proc/self/status'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "not supported"
    contains "$output" $'Seccomp:\t2'
    contains "$output" $'NoNewPrivs:\t1'
}

@test "limits, ids, groups, umask, oom score, host name and sysctls are set" {
    configure '.process.rlimits = [{"type":"RLIMIT_NOFILE","soft":100,"hard":200}] | .process.user = {"uid":7,"gid":8,"additionalGids":[9,10],"umask":23} | .process.oomScoreAdj = 500 | .hostname = "h1" | .domainname = "d1" | .linux.sysctl = {"net.ipv4.ip_forward":"1","kernel.shmmax":"123456"}'
    program sh -c 'ulimit -n; ulimit -Hn; id; umask; cat /proc/self/oom_score_adj; hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = $'100\n200\nuid=7 gid=8 groups=9,10\n0027\n500\nh1\nd1\n1\n123456' ]
}

@test "a sysctl of the host is refused" {
    configure '.linux.sysctl = {"kernel.core_pattern":"|/bin/evil"}'
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "not a namespaced sysctl"
}

@test "raising a limit without CAP_SYS_RESOURCE says so, keeping one needs nothing" {
    hard=$(ulimit -Hn)
    configure ".process.rlimits = [{\"type\":\"RLIMIT_NOFILE\",\"soft\":$hard,\"hard\":$hard}]"
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -eq 0 ]
    (( 0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) & 1 << 24 )) && skip "this host has CAP_SYS_RESOURCE"
    configure ".process.rlimits = [{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":0},{\"type\":\"RLIMIT_NOFILE\",\"soft\":$((hard + 1)),\"hard\":$((hard + 1))}]"
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "needs CAP_SYS_RESOURCE"
}

@test "devices are made as configured" {
    configure '.linux.devices = [{"path":"/dev/mine","type":"c","major":1,"minor":3,"fileMode":384,"uid":5,"gid":6}]'
    program sh -c 'stat -c "%a %u %g %t:%T" /dev/mine; stat -c "%t:%T" /dev/full; ls /dev/pts'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "${lines[0]}" = "600 5 6 1:3" ]
    [ "${lines[1]}" = "1:7" ]
}

@test "hooks of all kinds run in order with the state on their input" {
    cat > "$dir/hook" <<HOOK
#!/bin/sh
printf '%s %s\n' "\$1" "\$(sed 's/.*"status":"\([a-z]*\)".*/\1/')" >> $dir/trace
HOOK
    chmod +x "$dir/hook"
    configure "def h(k): [{\"path\":\"$dir/hook\",\"args\":[\"hook\",k],\"timeout\":20}];
        .hooks = {prestart: h(\"prestart\"), createRuntime: h(\"createRuntime\"), createContainer: h(\"createContainer\"), poststart: h(\"poststart\"), poststop: h(\"poststop\")}"
    program true
    runtime run --bundle "$dir/bundle" "$id"
    [ "$(cut -d' ' -f1 "$dir/trace" | tr '\n' ' ')" = "prestart createRuntime createContainer poststart poststop " ]
    [ "$(cut -d' ' -f2 "$dir/trace" | tr '\n' ' ')" = "creating creating creating running stopped " ]
}

@test "startContainer hooks run inside, before the program" {
    configure '.hooks = {"startContainer":[{"path":"/bin/touch","args":["touch","/tmp/hooked"]}]} | .root.readonly = false'
    program ls /tmp
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = hooked ]
}

@test "a failing or hanging hook stops the creation and leaves nothing" {
    configure '.hooks = {"createRuntime":[{"path":"/bin/false"}]}'
    program true
    run runtime create --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "hook /bin/false: exit status 1"
    configure '.hooks = {"createRuntime":[{"path":"/bin/sleep","args":["sleep","100"],"timeout":1}]}'
    run runtime create --bundle "$dir/bundle" "$id"
    contains "$output" "no end after 1 s"
    [ ! -e "$dir/state/$id" ]
}

@test "a terminal goes to the console socket" {
    configure '.process.terminal = true | .process.consoleSize = {"height":33,"width":77}'
    program sh -c 'tty; /bin/busybox stty size; ls -l /dev/console'
    python3 - "$dir/console" "$dir/output" 3>&- <<'PYTHON' &
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
connection, _ = server.accept()
data, ancillary, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
master = array.array("i", ancillary[0][2])[0]
text = b""
try:
    while True:
        chunk = os.read(master, 4096)
        if not chunk:
            break
        text += chunk
except OSError:
    pass
open(sys.argv[2], "wb").write(data + b"\n" + text)
PYTHON
    wait_until [ -S "$dir/console" ]
    runtime run --detach --console-socket "$dir/console" --bundle "$dir/bundle" "$id"
    wait %1
    contains "$(cat "$dir/output")" "/dev/ptmx"
    contains "$(cat "$dir/output")" "/dev/pts/0"
    contains "$(cat "$dir/output")" "33 77"
    contains "$(cat "$dir/output")" "crw"
}

@test "preserved descriptors arrive and no other does" {
    program sh -c 'cat <&3; ls /proc/self/fd'
    echo preserved > "$dir/file"
    run timeout 60 bash -c "exec 3<'$dir/file' 4<'$dir/file' 9</etc/passwd; '$oci' --root '$dir/state' run --preserve-fds 1 --bundle '$dir/bundle' '$id'"
    [ "$status" -eq 0 ]
    contains "$output" preserved
    [ "$(echo "$output" | tail -n +2 | tr '\n' ' ')" = "0 1 2 3 4 " ]
}

@test "the runtime's own file cannot be written from a container" {
    not_sanitized "need libraries that are not there"
    configure '.root.readonly = false'
    # The kernel runs the runtime itself here, from the file that /proc/self/exe is; opening the pipe
    # keeps it there. A container's root could reopen that file for writing later.
    printf '#!/proc/self/exe --log=/tmp/pipe\n' > "$dir/bundle/rootfs/bin/evil"
    chmod +x "$dir/bundle/rootfs/bin/evil"
    mkfifo "$dir/bundle/rootfs/tmp/pipe"
    program sleep 1000
    runtime run --detach --bundle "$dir/bundle" "$id" >/dev/null 2>&1
    runtime exec "$id" /bin/evil >/dev/null 2>&1 &
    wait_until pgrep -f -- "^/proc/self/exe --log=/tmp/pipe"
    pid=$(pgrep -f -- "^/proc/self/exe --log=/tmp/pipe" | head -n 1)
    [ "$(head -c 4 "/proc/$pid/exe" | tail -c 3)" = ELF ]
    [ ! -w "/proc/$pid/exe" ]
}

@test "started in a chroot, the host's root is still out of the container's namespace" {
    not_sanitized "need libraries that are not there"
    mkdir "$dir/jail"
    program sleep 1000
    cp -a "$dir/bundle" "$dir/jail/bundle"
    cp "$oci" "$dir/jail/davit-oci"
    # The host's devices and processes are mounted where nobody else sees it, and are gone with whoever did it: nothing that
    # removes "$dir" may find them there.
    unshare --mount --propagation slave bash -e -s "$dir" "$id" 3>&- <<'END'
        mount --bind "$1/jail" "$1/jail"
        mkdir -p "$1/jail/proc" "$1/jail/sys" "$1/jail/dev" "$1/jail/run"
        for d in proc sys dev; do mount --rbind "/$d" "$1/jail/$d"; done
        jailed() { timeout 60 chroot "$1" /davit-oci --root /run "${@:2}"; }
        jailed "$1/jail" run --detach --bundle /bundle "$2" </dev/null >/dev/null 2>&1
        jailed "$1/jail" exec "$2" ls / > "$1/in_container" || true
        # What setns(2) to the namespace shows, as a container's root could use it.
        nsenter --mount="/proc/$(jailed "$1/jail" state "$2" | jq .pid)/ns/mnt" /bin/busybox ls / > "$1/in_namespace" || true
        jailed "$1/jail" delete --force "$2"
END
    in_container=$(cat "$dir/in_container")
    in_namespace=$(cat "$dir/in_namespace")
    echo "$in_container"
    [ "$in_container" = "$in_namespace" ]
    contains "$in_container" bin
    [[ $in_namespace != *root* ]]
}

@test "a working directory outside of the container is refused" {
    program true
    for fd in 3 4 5 6 7 8 9 10; do
        configure ".process.cwd = \"/proc/self/fd/$fd\""
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
    done
}

@test "a limit that this host's cgroup2 cannot enforce is refused by name" {
    mount_point=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
    grep -qw memory "$mount_point/cgroup.controllers" && skip "this host's cgroup2 has the memory controller"
    configure '.linux.resources.memory = {"limit":67108864}'
    program true
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "no memory controller"
    [ ! -e "$dir/state/$id" ]
}

@test "unsupported properties and options are refused by name" {
    program true
    run runtime run --bogus "$id"
    contains "$output" "unknown option"
    run runtime run --bundle "$dir/bundle" "../$id"
    contains "$output" "container id"
    configure '.linux.resources.memory.swappiness = 10'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "memory.swappiness: cgroup2 has no such setting"
    [ ! -e "$dir/state/$id" ]
}

@test "an id in use is refused and the container unharmed" {
    program sleep 1000
    runtime run --detach --bundle "$dir/bundle" "$id" >/dev/null 2>&1
    run runtime create --bundle "$dir/bundle" "$id"
    [ "$status" -ne 0 ]
    contains "$output" "already exists"
    [ "$(runtime state "$id" | jq -r .status)" = running ]
}

@test "--log writes what failed as JSON" {
    program nonexistent
    run runtime --log "$dir/log.json" --log-format json run --bundle "$dir/bundle" "$id"
    [ "$(jq -r .level "$dir/log.json")" = error ]
    contains "$(jq -r .msg "$dir/log.json")" "executable file not found"
}

@test "a parent cgroup that another removes meanwhile is made again" {
    parent=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/$id-parent
    configure ".linux.cgroupsPath = \"/$id-parent/child\""
    program true
    sh -c "exec 3>&-; while [ -d '$dir' ]; do rmdir '$parent' 2>&-; done" >/dev/null 2>&1 &
    helper=$!
    for attempt in $(seq 40); do
        runtime run --bundle "$dir/bundle" "$id"
    done
    kill "$helper"
    wait_until ! rmdir "$parent"
}

@test "delete --force ends a container whose state or configuration was lost, or is no file" {
    [ -n "$(findmnt -n -o TARGET -t cgroup2)" ]
    configure '.process.args = ["sleep", "1000"]'
    for lost in state.json config.json; do
        for how in gone empty pipe directory; do
            runtime run --detach --pid-file "$dir/pid" --bundle "$dir/bundle" "$id" </dev/null >/dev/null 2>&1 3>&-
            pid=$(cat "$dir/pid")
            rm "$dir/state/$id/$lost"
            case $how in
            empty) : > "$dir/state/$id/$lost" ;;
            pipe) mkfifo "$dir/state/$id/$lost" ;;
            directory) mkdir "$dir/state/$id/$lost" ;;
            esac
            echo "$lost $how"
            run timeout 60 "$oci" --root "$dir/state" state "$id"
            [ "$status" -eq 1 ]
            timeout 60 "$oci" --root "$dir/state" list
            timeout 60 "$oci" --root "$dir/state" delete --force "$id"
            wait_until ! kill -0 "$pid" 2>/dev/null
            [ ! -e "$dir/state/$id" ]
        done
    done
}
