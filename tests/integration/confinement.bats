# Whatever way a program comes into a container, it has no more than the container's process: user, groups, capabilities,
# no_new_privs, seccomp, umask and limits.

setup_file() {
    . "$BATS_TEST_DIRNAME/common.bash"
    setup_daemon_file
}
teardown_file() { . "$BATS_TEST_DIRNAME/common.bash"; teardown_daemon_file; }
setup() { . "$BATS_TEST_DIRNAME/common.bash"; }
teardown() { remove_containers --volumes; }

# What a process says of itself (proc_pid_status(5)).
say_of() { echo "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp|Umask):' /proc/$1/status; grep 'open files' /proc/$1/limits"; }
show=$(say_of self)

# One with every confinement; each way in is then compared with what is expected of all.
create_confined() { # NAME [OPTION...] COMMAND...
    davit create --name "$1" --user 1000:1000 --group-add 7 --cap-drop ALL --cap-add CHOWN --cap-add NET_RAW --security-opt no-new-privileges \
        --ulimit nofile=100:200 --tmpfs /out:mode=1777 "${@:2}" >/dev/null
}

is_confined() { # TEXT [UID [CAPABILITIES-IN-EFFECT]]
    echo "$1"
    contains "$1" $'Umask:\t0022'
    contains "$1" $'Uid:\t'"${2:-1000}"
    contains "$1" $'CapInh:\t0000000000000000'
    contains "$1" $'CapEff:\t'"${3:-0000000000000000}"
    contains "$1" $'CapBnd:\t0000000000002001'
    contains "$1" $'CapAmb:\t0000000000000000'
    contains "$1" $'NoNewPrivs:\t1'
    contains "$1" $'Seccomp:\t2'
    [[ $1 =~ Max\ open\ files\ +100\ +200\  ]]
}

@test "the process, with and without an init of ours" {
    not_sanitized "end by system calls that process 1 may not make"
    # Without any of it the same words say something else.
    open=$(davit run --rm --privileged --security-opt seccomp=unconfined busybox sh -c "$show")
    echo "$open"
    contains "$open" $'Seccomp:\t0'
    contains "$open" $'NoNewPrivs:\t0'
    [[ $open != *"CapEff:"*0000000000000000* || $open != *$'CapBnd:\t0000000000002001'* ]]
    create_confined plain busybox sh -c "$show; grep Groups /proc/self/status"
    is_confined "$(davit start --attach plain)"
    create_confined inited --init busybox sh -c "$show; echo of 1:; $(say_of 1)"
    said=$(davit start --attach inited)
    is_confined "${said%%of 1:*}"
    # Process 1 is ours, of root, and can do nothing but wait, signal and end.
    one=${said##*of 1:}
    contains "$one" $'CapBnd:\t0000000000000000'
    contains "$one" $'CapEff:\t0000000000000000'
    contains "$one" $'NoNewPrivs:\t1'
    contains "$one" $'Seccomp:\t2'
    contains "$one" $'Umask:\t0022'
}

@test "exec, as the user and as root, with and without a terminal" {
    create_confined runs busybox sleep 1000
    davit start runs
    is_confined "$(davit exec runs sh -c "$show")"
    # Root has what it was left, and no more.
    is_confined "$(davit exec --user 0 runs sh -c "$show")" 0 0000000000002001
    is_confined "$(script -qec "'$build/davit' exec --tty runs sh -c \"$show\"" /dev/null </dev/null | tr -d '\r')"
    # A program that would become somebody else does not.
    run davit exec runs ping -c 1 127.0.0.1
    [ "$status" -ne 0 ]
}

@test "probes of health" {
    create_confined shell --health-cmd "{ $show; } > /out/new; mv /out/new /out/probe" --health-interval 1s busybox sleep 1000
    davit start shell
    wait_until davit exec shell test -e /out/probe
    is_confined "$(davit exec shell cat /out/probe)"
}

# Copying runs nothing of the container. The worker that reads and writes its files has the ids of the container's root, no more
# capabilities than its half of the work needs, few system calls, no network, and no way to another program's rights.
@test "copying, in and out, while a process of the container waits for it" {
    davit run --detach --name copied busybox sh -c 'head -c 20000000 /dev/zero > /large; echo is there; sleep 1000' >/dev/null
    wait_until eval '[ "$(davit logs copied)" = "is there" ]'
    head -c 3000000 /dev/zero > "$dir/large"
    tar -C "$dir" -cf "$dir/large.tar" large
    mkfifo "$dir/in" "$dir/out"
    copies() { worker=$(pgrep -P "$(pgrep -P "$(cat "$dir/pid")")" -f "davit-image $1") && [ "$(awk '/^Seccomp:/ {print $2}' "/proc/$worker/status")" = 2 ]; }
    says_of_worker() { # CAPABILITIES
        said=$(cat "/proc/$worker/status")
        echo "$said"
        contains "$said" $'CapEff:\t'"$1"
        contains "$said" $'CapPrm:\t'"$1"
        contains "$said" $'CapBnd:\t0000000000000000'
        contains "$said" $'CapAmb:\t0000000000000000'
        contains "$said" $'NoNewPrivs:\t1'
        [ "$(awk '/^Uid:/ {print $2}' <<< "$said")" = "$(awk '{print $2}' "/proc/$(davit inspect --format '{{.State.Pid}}' copied)/uid_map")" ]
        [ "$(readlink "/proc/$worker/ns/net")" != "$(readlink /proc/self/ns/net)" ]
        [ "$(readlink "/proc/$worker/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
    }
    davit cp - copied:/ < "$dir/in" 3>&- &
    copying=$!
    exec 5> "$dir/in"
    head -c 500000 "$dir/large.tar" >&5
    wait_until copies copy-in
    says_of_worker 000000008820001b
    tail -c +500001 "$dir/large.tar" >&5
    exec 5>&-
    wait $copying
    davit cp copied:/large - > "$dir/out" 3>&- &
    copying=$!
    exec 6< "$dir/out"
    wait_until copies copy-out
    says_of_worker 000000000000000c
    exec 6>&-
    wait $copying || true # nobody reads it
}

@test "a restart, an unpause, and a davitd that was killed meanwhile change nothing of it" {
    create_confined again busybox sh -c "$show; sleep 1000"
    davit start again
    has_said() { [ "$(davit logs again | grep -c 'open files')" = "$1" ]; }
    wait_until has_said 1
    davit pause again
    kill -9 "$(cat "$dir/pid")"
    start_davitd
    davit unpause again
    is_confined "$(davit exec again sh -c "$show")"
    davit restart --time 0 again
    wait_until has_said 2
    is_confined "$(davit logs again | tail -n 12)"
}
