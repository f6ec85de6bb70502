#!/usr/bin/env bats
# Published escapes of container runtimes, by mechanism: each test tries the attack, and would succeed
# against a runtime with the hole. The ids are those of the advisories that made the mechanism known.
load ../common

@test "CVE-2019-5736: the runtime's file cannot be reached for writing through /proc/self/exe" {
    before=$(sha256sum < "$oci")
    configure '.root.readonly = false | .process.capabilities = {"bounding":["CAP_SYS_ADMIN","CAP_DAC_OVERRIDE","CAP_SYS_PTRACE"],"effective":["CAP_SYS_ADMIN","CAP_DAC_OVERRIDE","CAP_SYS_PTRACE"],"permitted":["CAP_SYS_ADMIN","CAP_DAC_OVERRIDE","CAP_SYS_PTRACE"]} | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
    # The program is the runtime itself, by the link that the kernel resolves while it is still us. It
    # opens the pipe as its log and stays there.
    mkfifo "$dir/bundle/rootfs/tmp/pipe"
    program /proc/self/exe --log=/tmp/pipe list
    runtime run --detach --bundle "$dir/bundle" "$id" </dev/null >/dev/null 2>&1
    pid=$(runtime state "$id" | jq .pid)
    run runtime exec "$id" sh -c 'echo overwritten > /proc/1/exe'
    [ "$status" -ne 0 ]
    contains "$output" "Read-only file system"
    # An open descriptor would do as well, once nothing runs the file any more.
    run runtime exec "$id" sh -c 'exec 7< /proc/1/exe; kill -9 1; echo overwritten > /proc/self/fd/7'
    [ "$(sha256sum < "$oci")" = "$before" ]
}

@test "CVE-2019-5736: a script whose interpreter is the runtime runs a read-only copy of it" {
    configure '.root.readonly = false'
    printf '#!/proc/self/exe --log=/tmp/pipe\n' > "$dir/bundle/rootfs/bin/evil"
    chmod +x "$dir/bundle/rootfs/bin/evil"
    mkfifo "$dir/bundle/rootfs/tmp/pipe"
    start_sleeping
    runtime exec "$id" /bin/evil >/dev/null 2>&1 &
    wait_until pgrep -f -- "^/proc/self/exe --log=/tmp/pipe"
    evil=$(pgrep -f -- "^/proc/self/exe --log=/tmp/pipe" | head -n 1)
    run nsenter --mount --root --target "$evil" sh -c "echo overwritten > /proc/$evil/exe"
    [ ! -w "/proc/$evil/exe" ]
}

@test "CVE-2019-16884, CVE-2025-52881: writes meant for procfs do not land in a file of the container" {
    mkdir -p "$dir/volume/sys/net/ipv4" "$dir/volume/self/attr"
    echo untouched > "$dir/volume/sys/net/ipv4/ip_forward"
    echo untouched > "$dir/volume/self/oom_score_adj"
    echo untouched > "$dir/volume/self/attr/exec"
    configure ".mounts = ([.mounts[] | select(.destination != \"/proc\")] + [{\"destination\":\"/proc\",\"type\":\"bind\",\"source\":\"$dir/volume\",\"options\":[\"rbind\"]},
        {\"destination\":\"/mnt\",\"type\":\"proc\",\"source\":\"proc\"}])
        | .root.readonly = false | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .process.oomScoreAdj = 321 | .linux.sysctl = {\"net.ipv4.ip_forward\":\"1\"}"
    program cat /mnt/sys/net/ipv4/ip_forward /mnt/self/oom_score_adj
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = $'1\n321' ]
    [ "$(cat "$dir/volume/sys/net/ipv4/ip_forward" "$dir/volume/self/oom_score_adj" "$dir/volume/self/attr/exec" | sort -u)" = untouched ]
}

@test "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: procfs and sysfs are not mounted through a symlink" {
    for target in proc sys; do
        ln -s etc "$dir/bundle/rootfs/$target"
        program true
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
        contains "$output" "symbolic link"
        rm "$dir/bundle/rootfs/$target"
    done
    # Nor through one higher up.
    ln -s etc "$dir/bundle/rootfs/up"
    configure '(.mounts[] | select(.type == "proc").destination) = "/up/proc"'
    run runtime run --bundle "$dir/bundle" "$id"
    contains "$output" "symbolic link"
}

@test "CVE-2021-30465, CVE-2024-45310: a mount target that is exchanged for a symlink stays inside" {
    mkdir "$dir/outside" "$dir/volume" "$dir/volume/real"
    ln -s "/../../../../../..$dir/outside" "$dir/volume/link"
    cat > "$dir/swap.py" <<PYTHON
import ctypes
libc = ctypes.CDLL(None)
one, other = b"$dir/volume/real", b"$dir/volume/link"
while True:
    libc.renameat2(-100, one, -100, other, 2)
PYTHON
    python3 "$dir/swap.py" 3>&- &
    helpers=$!
    # The container asks for mounts and directories below what is being exchanged.
    configure ".mounts += [{\"destination\":\"/volume\",\"type\":\"bind\",\"source\":\"$dir/volume\",\"options\":[\"rbind\"]},
        {\"destination\":\"/volume/real/made\",\"type\":\"tmpfs\",\"source\":\"t\"},
        {\"destination\":\"/volume/link/made/deep\",\"type\":\"tmpfs\",\"source\":\"t\"}] | .root.readonly = false"
    program sh -c 'grep -c " /volume/" /proc/mounts'
    local mounted=0
    for attempt in $(seq 60); do
        ! runtime run --bundle "$dir/bundle" "$id" > "$dir/mounts" 2>&1 || mounted=$((mounted + $(cat "$dir/mounts")))
        is_empty "$dir/outside"
        refute grep -q "$dir/outside" /proc/self/mountinfo
    done
    [ "$mounted" -gt 0 ] # and some of them had both mounts, inside
}

@test "CVE-2022-29162, CVE-2022-27652: no capability is inheritable unless asked for" {
    start_sleeping
    run runtime exec "$id" grep -E 'CapInh|CapAmb' /proc/self/status
    [ "$output" = $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000' ]
    run runtime exec --cap CAP_NET_RAW "$id" grep -E 'CapInh' /proc/self/status
    [ "$output" = $'CapInh:\t0000000000000000' ]
    echo '{"cwd":"/","args":["grep","-E","CapInh|CapPrm|CapEff|CapBnd","/proc/self/status"],"user":{"uid":0,"gid":0}}' > "$dir/process.json"
    run runtime exec --process "$dir/process.json" "$id"
    # What a document leaves out is as in the container, and not as in the runtime.
    [ "$output" = $'CapInh:\t0000000000000000\nCapPrm:\t0000000020000420\nCapEff:\t0000000020000420\nCapBnd:\t0000000020000420' ]
}

@test "a configuration without capabilities gives none" {
    configure 'del(.process.capabilities)'
    program grep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$(echo "$output" | cut -f2 | sort -u)" = 0000000000000000 ]
}

@test "CVE-2022-0492, CVE-2023-25809: a container without its own cgroup namespace cannot write to the hierarchy" {
    needs_user_namespaces
    configure '.linux.namespaces = [.linux.namespaces[] | select(.type != "cgroup")] + [{"type":"user"}] | .root.readonly = false
        | .linux.uidMappings = [{"containerID":0,"hostID":300000,"size":65536}] | .linux.gidMappings = .linux.uidMappings
        | (.mounts[] | select(.destination == "/sys/fs/cgroup").options) = ["rw"]'
    chown -R 300000:300000 "$dir/bundle/rootfs"
    chmod 755 "$dir" "$dir/bundle"
    program sh -c 'for d in /sys/fs/cgroup /sys/fs/cgroup/unified; do [ -d $d ] || continue; /bin/busybox mkdir $d/escape && echo made || echo refused; done; grep " /sys/fs/cgroup" /proc/mounts'
    run runtime run --bundle "$dir/bundle" "$id"
    echo "$output"
    contains "$output" "refused"
    contains "$output" " /sys/fs/cgroup"
    [[ $output != *made* && $output != *" rw,"* ]]
    says_nothing find /sys/fs/cgroup -maxdepth 2 -name escape
}

@test "CVE-2022-0811: a sysctl's name or value does not smuggle another one in" {
    before=$(cat /proc/sys/kernel/core_pattern)
    program cat /proc/sys/kernel/shm_rmid_forced
    configure '.linux.sysctl = {"kernel.shm_rmid_forced": "1"}'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = 1 ]
    for name in kernel.core_pattern net.ipv4/../../kernel/core_pattern net/../kernel/core_pattern net/ipv4/./../../kernel/core_pattern kernel.shm_rmid_forced+kernel.core_pattern; do
        # The value it has: a runtime with the hole fails the test and does the host no harm.
        configure '.linux.sysctl = {($name): $value}' --arg name "$name" --arg value "$before"
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
        contains "$output" "sysctl"
    done
    configure '.linux.sysctl = {"kernel.shm_rmid_forced": "1+kernel.core_pattern=core"}'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$(cat /proc/sys/kernel/core_pattern)" = "$before" ]
}

@test "CVE-2024-21626: no descriptor of the runtime or its caller reaches a program" {
    program probe descriptors
    run timeout 60 bash -c "exec 5</ 6<'$dir' 9</etc/passwd 20</sys/fs/cgroup; exec '$oci' --root '$dir/state' run --bundle '$dir/bundle' '$id' 3>&-"
    [ "$status" -eq 0 ]
    [ "$(echo "$output" | cut -d' ' -f1 | tr '\n' ' ')" = "0 1 2 " ]
    start_sleeping
    run timeout 60 bash -c "exec 5</ 6<'$dir' 9</etc/passwd; exec '$oci' --root '$dir/state' exec '$id' probe descriptors 3>&-"
    [ "$(echo "$output" | cut -d' ' -f1 | tr '\n' ' ')" = "0 1 2 " ]
}

@test "CVE-2024-21626: closed standard streams do not become descriptors of the runtime" {
    configure '.root.readonly = false'
    program sh -c 'probe descriptors > /tmp/descriptors'
    timeout 60 bash -c "exec '$oci' --root '$dir/state' run --bundle '$dir/bundle' '$id' 3>&- <&- >&- 2>&-"
    cat "$dir/bundle/rootfs/tmp/descriptors"
    [ "$(cat "$dir/bundle/rootfs/tmp/descriptors")" = $'0 /dev/null\n1 /tmp/descriptors\n2 /dev/null' ]
}

@test "CVE-2024-21626: a working directory outside of the container is refused" {
    program true
    for fd in $(seq 3 30); do
        configure ".process.cwd = \"/proc/self/fd/$fd\""
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
    done
    configure '.process.cwd = "/"'
    start_sleeping
    for fd in $(seq 3 30); do
        run runtime exec --cwd "/proc/self/fd/$fd" "$id" ls ..
        [ "$status" -ne 0 ]
        run runtime exec --cwd "/proc/self/fd/$fd/../../.." "$id" ls
        [[ $output != *home* ]]
    done
}

@test "CVE-2025-31133: what masks a path is the null device, whatever the image's /dev/null is" {
    mkdir "$dir/dev"
    ln -s /proc/sysrq-trigger "$dir/dev/null"
    configure ".mounts = ([.mounts[] | select(.destination | startswith(\"/dev\") | not)] + [{\"destination\":\"/dev\",\"type\":\"bind\",\"source\":\"$dir/dev\",\"options\":[\"rbind\"]}])
        | .linux.maskedPaths = [\"/proc/kcore\", \"/proc/keys\", \"/proc/timer_list\"] | .root.readonly = false"
    program sh -c 'for f in kcore keys timer_list; do [ -e /proc/$f ] && stat -c "%F %t:%T" /proc/$f; done'
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$(echo "$output" | sort -u)" = "character special file 1:3" ]
}

@test "CVE-2025-52565: /dev/console is not bound over what a symlink points to" {
    mkdir "$dir/dev" "$dir/dev/pts"
    echo untouched > "$dir/victim"
    ln -s "$dir/victim" "$dir/dev/console"
    ln -s /proc/sysrq-trigger "$dir/dev/ptmx"
    configure ".process.terminal = true | .mounts = ([.mounts[] | select(.destination != \"/dev\")] | [{\"destination\":\"/dev\",\"type\":\"bind\",\"source\":\"$dir/dev\",\"options\":[\"rbind\"]}] + .)"
    mkdir -p "$dir/dev/shm" "$dir/dev/mqueue"
    program true
    run script -qec "'$oci' --root '$dir/state' run --bundle '$dir/bundle' '$id'" /dev/null 3>&- </dev/null
    [ "$status" -ne 0 ]
    contains "$output" "/dev/console"
    [ "$(cat "$dir/victim")" = untouched ]
}

@test "CVE-2022-23648: tmpcopyup copies what is in the image, not what a symlink in it points to" {
    mkdir "$dir/secrets"
    echo taken out > "$dir/secrets/key"
    echo own > "$dir/bundle/rootfs/etc/own"
    mkdir -p "$dir/bundle/rootfs$dir/secrets"
    ln -s "$dir/secrets" "$dir/bundle/rootfs/data"
    ln -s "$dir/secrets/key" "$dir/bundle/rootfs/etc/link"
    configure '.mounts += [{"destination":"/data","type":"tmpfs","source":"t","options":["tmpcopyup"]},{"destination":"/etc","type":"tmpfs","source":"t","options":["tmpcopyup"]}] | .root.readonly = false'
    program sh -c 'cat /etc/own; cat /data/key; cat /etc/link; echo tried'
    run runtime run --bundle "$dir/bundle" "$id"
    echo "$output"
    [ "${lines[0]}" = own ]
    contains "$output" tried
    [[ $output != *"taken out"* ]]
}

@test "CVE-2016-9962: what runs in a container sees nothing of a process that is joining it" {
    configure '.root.readonly = false'
    start_sleeping
    mkdir -p "$dir/bundle/rootfs/tmp"
    touch "$dir/bundle/rootfs/tmp/watching"
    runtime exec "$id" probe watch /tmp/watching > "$dir/seen" 2>&1 &
    two_processes() { [ "$(runtime ps --format json "$id" | jq length)" -ge 2 ]; }
    wait_until two_processes
    for attempt in $(seq 60); do runtime exec "$id" true; done
    # Of a program that runs its own things show; of the runtime, nothing.
    runtime exec "$id" sleep 1000 &
    wait_until grep -q '^exe /bin/busybox$' "$dir/seen"
    rm "$dir/bundle/rootfs/tmp/watching"
    wait %1
    runtime kill "$id" KILL
    wait %2 || true
    grep -v -E '^(exe /bin/busybox|cwd /|root /)$' "$dir/seen" > "$dir/others" || true
    refute grep -E 'davit|/work|/tmp/|socket|anon' "$dir/others"
    refute grep -q "davit-oci" "$dir/seen"
}

@test "CVE-2020-15257: the runtime has no abstract socket" {
    program sleep 1000
    runtime create --bundle "$dir/bundle" "$id" </dev/null >/dev/null 2>&1
    refute grep -q '@.*davit' /proc/net/unix
}

@test "CVE-2021-41103, CVE-2021-41089: nobody but root gets into the state directory" {
    start_sleeping
    [ "$(stat -c %a "$dir/state" "$dir/state/$id" | sort -u)" = 700 ]
    [ "$(stat -c %a "$dir/state/$id"/*.json | sort -u)" = 600 ]
}

@test "CVE-2017-16539 and others: what tells of the host or changes it is hidden by default" {
    "$oci" spec --bundle "$dir" && jq -e '(.linux.maskedPaths | contains(["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/proc/acpi", "/sys/firmware"]))
        and (.linux.readonlyPaths | contains(["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"]))' "$dir/config.json"
}

@test "CVE-2021-43784: names that do not fit a netlink attribute are refused before anything is made" {
    for name in $(printf 'x%.0s' $(seq 16)) $(printf 'x%.0s' $(seq 70000 | head -n 5000)) a/b .. ; do
        configure '.linux.netDevices = {"lo": {"name": $name}}' --arg name "$name"
        program true
        run runtime run --bundle "$dir/bundle" "$id"
        [ "$status" -ne 0 ]
        contains "$output" "not the name of a network device"
        [ ! -e "$dir/state/$id" ]
    done
}

@test "TIOCSTI: a program without a terminal of its own cannot type into its caller's" {
    start_sleeping
    run script -qec "'$oci' --root '$dir/state' exec '$id' probe push-input" /dev/null 3>&-
    contains "$output" "TIOCSTI: "
    [[ $output != *"TIOCSTI: done"* ]]
}

filter='.linux.seccomp = {"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["execve","exit_group","write","brk","arch_prctl","set_tid_address","set_robust_list","rseq","prlimit64","readlink","readlinkat","getrandom","mprotect","newfstatat","fstat","ioctl","mmap","munmap","openat","close","read"],"action":"SCMP_ACT_ALLOW"}]}'

@test "seccomp: a call that is newer than the profile is unknown, not forbidden" {
    configure "$filter"
    program probe unknown-call
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "unknown call: Function not implemented" ]
}

@test "seccomp: the x32 and 32-bit tables are no way around a 64-bit filter" {
    [ "$(uname -m)" = x86_64 ] || skip "this machine has no second table"
    for attempt in x32-call i386-call; do
        configure 'del(.linux.seccomp)'
        program probe $attempt
        run runtime run --bundle "$dir/bundle" "$id"
        # A kernel may be without that table: it says so, or kills who calls (139, SIGSEGV).
        [[ $output == *": done" || $output == *"Function not implemented" || $status -eq 139 ]]
        unfiltered=$status
        configure "$filter"
        run runtime run --bundle "$dir/bundle" "$id"
        echo "without: $unfiltered; with: $output, $status"
        [ "$status" -eq 159 ] || [ "$unfiltered $status" = "139 139" ] # SIGSYS
        [[ $output != *done* ]]
    done
}

@test "devices: a node that a container makes opens nothing that its rules do not allow" {
    configure '.root.readonly = false | .process.capabilities = {"bounding":["CAP_MKNOD","CAP_DAC_OVERRIDE"],"effective":["CAP_MKNOD","CAP_DAC_OVERRIDE"],"permitted":["CAP_MKNOD","CAP_DAC_OVERRIDE"]}'
    for device in c1:1 c1:4 c1:11 c10:234 b8:0 b7:0 b254:0; do
        program probe read-device $device
        run runtime run --bundle "$dir/bundle" "$id"
        contains "$output" "open: Operation not permitted"
    done
    program probe read-device c1:5
    run runtime run --bundle "$dir/bundle" "$id"
    [ "$output" = "open: done" ]
}

@test "user namespaces: root of a namespace that is joined has no groups and no files of the host's" {
    needs_user_namespaces
    unshare --user sleep 1000 3>&- &
    nobody=$!
    helpers=$nobody
    own=$(readlink /proc/self/ns/user)
    wait_until sh -c "[ \"\$(readlink /proc/$nobody/ns/user)\" != '$own' ]"
    # Uid 300000 of the host is the root there; a file of the host's root is not its own.
    echo "0 300000 1" > /proc/$nobody/uid_map
    echo "0 300000 1" > /proc/$nobody/gid_map
    mkdir -p "$dir/bundle/rootfs/proc" "$dir/bundle/rootfs/sys" "$dir/bundle/rootfs/dev"
    echo secret > "$dir/bundle/rootfs/etc/secret"
    chmod 600 "$dir/bundle/rootfs/etc/secret"
    chmod 755 "$dir" "$dir/bundle"
    configure ".linux.namespaces += [{\"type\":\"user\",\"path\":\"/proc/$nobody/ns/user\"}] | (.mounts[] | select(.type == \"devpts\").options) -= [\"gid=5\"]
        | .process.capabilities = {\"bounding\":[\"CAP_DAC_OVERRIDE\"],\"effective\":[\"CAP_DAC_OVERRIDE\"],\"permitted\":[\"CAP_DAC_OVERRIDE\"]}"
    program sh -c 'id; grep Groups /proc/self/status; cat /etc/secret; grep -c . /proc/self/uid_map'
    run runtime run --bundle "$dir/bundle" "$id"
    echo "$output"
    [ "${lines[0]}" = "uid=0 gid=0" ]
    contains "${lines[1]}" "Groups:"
    [[ ${lines[1]} =~ ^Groups:[[:space:]]*$ ]]
    contains "$output" "Permission denied"
    [[ $output != *secret$'\n'* ]]
}

@test "reused pids: a signal or an exec goes to nobody if the process is another one" {
    start_sleeping
    sleep 1000 3>&- &
    helpers=$!
    jq ".pid = $helpers" "$dir/state/$id/state.json" > "$dir/state.json"
    cp "$dir/state.json" "$dir/state/$id/state.json"
    run runtime kill "$id" KILL
    [ "$status" -ne 0 ]
    contains "$output" "container not running"
    run runtime exec "$id" true
    [ "$status" -eq 255 ]
    kill -0 "$helpers"
}

@test "what masks a path is the host's and cannot be changed" {
    # With a null device of the test's own in the host's place.
    mknod -m 666 "$dir/null" c 1 3
    configure '.linux.maskedPaths = ["/proc/keys"] | .process.capabilities = ([("bounding","effective","permitted") | {(.): ["CAP_CHOWN","CAP_FOWNER","CAP_DAC_OVERRIDE"]}] | add)'
    for applet in chmod chown; do ln -s busybox "$dir/bundle/rootfs/bin/$applet"; done
    program sh -c 'wc -c < /proc/keys; echo text > /proc/keys && echo written; for f in /proc/keys; do chmod 600 $f; chown 1:1 $f; touch -d 2001-01-01 $f; done'
    ln -s busybox "$dir/bundle/rootfs/bin/wc"
    before=$(stat -c '%a %u %g %Y' "$dir/null")
    run unshare --mount sh -c 'mount --bind "$1/null" /dev/null && shift && exec "$@"' sh "$dir" "$oci" --root "$dir/state" run --bundle "$dir/bundle" "$id" 3>&-
    echo "$output"
    [ "$(echo "$output" | grep -c "Read-only file system")" -eq 3 ]
    contains "$output" "written"
    [ "${lines[0]}" = 0 ]
    [ "$(stat -c '%a %u %g %Y' "$dir/null")" = "$before" ]
}
