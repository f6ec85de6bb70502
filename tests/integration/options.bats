#!/usr/bin/env bats
# What a container has of the host and of the kernel, by options.
load common

setup_file() {
    setup_daemon_file
    truncate -s 8M "$dir/disk"
    loop=$(losetup --find --show "$dir/disk")
    export loop
}
teardown_file() {
    teardown_daemon_file
    losetup --detach "$loop"
}

inside() { davit run --rm "${@:1:$#-1}" busybox sh -c "${!#}"; }
of_host() { readlink "/proc/self/ns/$1"; }

@test "namespaces of the host, each by its option" {
    for pair in pid=pid ipc=ipc uts=uts cgroupns=cgroup network=net; do
        [ "$(inside "--${pair%=*}" host "readlink /proc/self/ns/${pair#*=}")" = "$(of_host "${pair#*=}")" ]
        [ "$(inside "readlink /proc/self/ns/${pair#*=}")" != "$(of_host "${pair#*=}")" ]
    done
    [ "$(inside --uts host hostname)" = "$(hostname)" ]
    for option in "--ipc else" "--uts private" "--cgroupns x"; do
        # shellcheck disable=SC2086
        run davit create $option busybox true
        [ "$status" -ne 0 ]
        contains "$output" "not supported"
    done
}

@test "host names as long as the kernel takes them, and no longer" {
    long=$(printf 'h%.0s' $(seq 64))
    [ "$(inside --hostname "$long" hostname)" = "$long" ]
    for option in --hostname --domainname; do
        run davit create "$option" "${long}h" busybox true
        [ "$status" -eq 1 ]
        contains "$output" "longer than 64 characters"
    done
}

@test "in the host's pid namespace too, all of a container ends with its first process" {
    id=$(davit run --detach --name left --pid host busybox sh -c 'sleep 1000 & echo $!')
    [ "$(timeout 20 "$build/davit" wait left)" = 0 ]
    [ "$(sed -n 's/^State:.\(.\).*/\1/p' "/proc/$(davit logs left)/status" 2>/dev/null || echo Z)" = Z ]
    davit rm "$id"
}

@test "shared memory: its size, none, or the host's" {
    [ "$(inside --shm-size 3m 'df -k /dev/shm | tail -1 | xargs | cut -d" " -f2')" = 3072 ]
    [ "$(inside 'df -k /dev/shm | tail -1 | xargs | cut -d" " -f2')" = 65536 ]
    [ "$(inside --ipc none 'grep -c " /dev/shm " /proc/mounts || true')" = 0 ]
    touch "/dev/shm/davit-test.$$"
    inside --ipc host "ls /dev/shm/davit-test.$$"
    rm "/dev/shm/davit-test.$$"
}

@test "devices: one, under another name, with some rights only" {
    run inside "cat $loop"
    [ "$status" -ne 0 ]
    [ "$(inside --device "$loop:/dev/disk" 'head -c 4 /dev/disk | wc -c')" = 4 ]
    run inside --device "$loop:/dev/disk:r" 'echo x > /dev/disk'
    [ "$status" -ne 0 ]
    contains "$output" "not permitted"
    [ "$(inside --device "$loop:/dev/disk:r" 'head -c 4 /dev/disk | wc -c')" = 4 ]
    inside --device-cgroup-rule "b $(stat -c '%Hr:%Lr' "$loop") rwm" --cap-add MKNOD \
        "mknod /tmp/d b $(stat -c '%Hr %Lr' "$loop") && head -c 1 /tmp/d" >/dev/null
    run inside --cap-add MKNOD "mknod /tmp/d b $(stat -c '%Hr %Lr' "$loop") && head -c 1 /tmp/d"
    [ "$status" -ne 0 ]
    run davit create --device /dev/none busybox true
    contains "$output" "HostConfig.Devices[0]: /dev/none: No such file"
    run davit create --device /etc/passwd busybox true
    contains "$output" "/etc/passwd is no device"
    run davit create --device "$loop:/dev/x:q" busybox true
    contains "$output" "CgroupPermissions"
    for rule in "c 1*2:3 rwm" "c 1:+3 rwm" "c 1:3 rwmx" "c 1:99999999999 r" "c 1:3"; do
        run davit create --device-cgroup-rule "$rule" busybox true
        contains "$output" "is not like"
    done
    for limit in nofile=10:20x nofile=10: nofile= nofile=+5 "nofile= 5" nofile=9223372036854775808; do
        run davit create --ulimit "$limit" busybox true
        [ "$status" -ne 0 ]
        contains "$output" "--ulimit"
    done
    run davit create --device-cgroup-rule "x 1:3 rwm" busybox true
    contains "$output" "DeviceCgroupRules"
}

@test "a privileged container has all of it" {
    [ "$(inside --privileged "head -c 4 $loop | wc -c")" = 4 ]
    [ "$(inside --privileged 'grep CapEff /proc/self/status | cut -f2')" = "$(grep CapBnd /proc/self/status | cut -f2)" ]
    [ "$(inside --privileged 'grep Seccomp: /proc/self/status | cut -f2')" = 0 ]
    inside --privileged 'mount -t tmpfs none /tmp && grep " /sys sysfs rw" /proc/mounts'
    inside --privileged '! grep -q " /proc/kcore " /proc/mounts && ls /proc/scsi >/dev/null || true'
    run inside 'mount -t tmpfs none /tmp'
    [ "$status" -ne 0 ]
    run davit create --privileged --userns auto busybox true
    contains "$output" "can be neither privileged"
    docker run --rm --privileged busybox mount -t tmpfs none /tmp
}

@test "groups, by number and by the container's names" {
    [ "$(inside --user 1000:1000 --group-add 33 --group-add 44 'id -G')" = "1000 33 44" ]
    mkdir -p "$dir/named/etc" "$dir/named/bin"
    cp /bin/busybox "$dir/named/bin/"; ln -sf busybox "$dir/named/bin/id"
    echo 'root:x:0:' > "$dir/named/etc/group"; echo 'crew:x:77:' >> "$dir/named/etc/group"
    tar -C "$dir/named" -c . | davit import - named:1
    [ "$(davit run --rm --user 5:5 --group-add crew named:1 id -G)" = "5 77" ]
    run davit run --rm --group-add nobody-knows named:1 id
    [ "$status" -ne 0 ]
    contains "$output" "Unable to find group nobody-knows"
}

@test "sysctls of the container's own; others are refused" {
    [ "$(inside --sysctl kernel.msgmax=65000 'cat /proc/sys/kernel/msgmax')" = 65000 ]
    [ "$(inside --sysctl net.ipv4.ip_forward=1 'cat /proc/sys/net/ipv4/ip_forward')" = 1 ]
    run inside --sysctl vm.swappiness=1 true
    [ "$status" -ne 0 ]
    contains "$output" "not a namespaced sysctl"
}

@test "names, scores and annotations" {
    [ "$(inside --domainname sub.example 'cat /proc/sys/kernel/domainname')" = sub.example ]
    [ "$(inside --oom-score-adj 321 'cat /proc/self/oom_score_adj')" = 321 ]
    run davit create --oom-score-adj 2000 busybox true
    [ "$status" -ne 0 ]
    davit create --name noted --annotation com.example.a=b busybox true
    [ "$(jq -r '.annotations["com.example.a"]' "$dir/root/containers/$(davit inspect noted | jq -r '.[0].Id')/config.json")" = b ]
    davit rm noted
}

@test "what is hidden of the kernel can be shown" {
    [ "$(docker run --rm --security-opt systempaths=unconfined busybox sh -c 'grep -c " /proc/" /proc/mounts || true')" = 0 ]
    [ "$(docker run --rm busybox sh -c 'grep -c " /proc/" /proc/mounts')" -gt 3 ]
}

@test "docker's client has the same options" {
    docker run --rm --pid host --uts host --ipc host --shm-size 1m --group-add 3 --sysctl kernel.msgmax=60000 \
        --ipc private --oom-score-adj 5 --device "$loop:/dev/disk:r" --device-cgroup-rule 'c 1:3 r' busybox sh -c \
        '[ "$(cat /proc/sys/kernel/msgmax)" = 60000 ] && [ "$(cat /proc/self/oom_score_adj)" = 5 ] && head -c 1 /dev/disk >/dev/null'
}

@test "limits of block devices need the controller, or a device" {
    run davit create --device-read-bps /etc/passwd:1m busybox true
    [ "$status" -ne 0 ]
    contains "$output" "no block device"
    run davit create --blkio-weight 5 busybox true
    [ "$status" -ne 0 ]
    contains "$output" "BlkioWeight"
}
