# bash completion for davit-oci(8)

_davit_oci_containers() {
    local root=() word
    for ((word = 1; word < COMP_CWORD; word++)); do
        [[ ${COMP_WORDS[word]} == --root ]] && root=(--root "${COMP_WORDS[word + 1]}")
    done
    "${COMP_WORDS[0]}" "${root[@]}" list --quiet 2>/dev/null
}

_davit_oci() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= word
    local commands="checkpoint create delete events exec features kill list pause ps restore resume run spec start state update"
    local global="--root --log --log-format --debug --rootless --systemd-cgroup --cgroup-manager --help --version"
    local make="--bundle --config --console-socket --pid-file --preserve-fds --no-new-keyring --no-pivot"
    local criu="--image-path --work-path --auto-dedup --empty-ns --ext-unix-sk --file-locks --link-remap --lsm-mount-context --lsm-profile --manage-cgroups-mode --shell-job --tcp-close --tcp-established --tcp-skip-in-flight"
    local options=

    for ((word = 1; word < COMP_CWORD; word++)); do
        if [[ " $commands " == *" ${COMP_WORDS[word]} "* ]]; then
            command=${COMP_WORDS[word]}
            break
        fi
    done
    case $previous in
    --root | --bundle | -b | --image-path | --work-path | --parent-path) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --log | --config | --pid-file | --console-socket | --process | -p | --resources | -r) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --log-format) COMPREPLY=($(compgen -W "text json" -- "$current")); return ;;
    --format | -f) COMPREPLY=($(compgen -W "table json" -- "$current")); return ;;
    --cgroup-manager) COMPREPLY=($(compgen -W "cgroupfs systemd disabled" -- "$current")); return ;;
    --rootless) COMPREPLY=($(compgen -W "false auto" -- "$current")); return ;;
    esac
    case $command in
    "") COMPREPLY=($(compgen -W "$commands $global" -- "$current")); return ;;
    create) options=$make ;;
    run) options="$make --detach --keep --no-subreaper" ;;
    exec) options="--process --tty --detach --env --user --additional-gids --cap --cwd --no-new-privs --apparmor --process-label --cgroup --ignore-paused --pid-file --console-socket --preserve-fds --no-subreaper" ;;
    kill) options="--all" ;;
    delete) options="--force" ;;
    list) options="--format --quiet" ;;
    ps) options="--format" ;;
    spec) options="--bundle" ;;
    events) options="--stats --interval" ;;
    checkpoint) options="$criu --parent-path --leave-running --pre-dump" ;;
    restore) options="$criu --bundle --detach --pid-file" ;;
    update) options="--resources --blkio-weight --cpu-burst --cpu-idle --cpu-period --cpu-quota --cpu-share --cpuset-cpus --cpuset-mems --l3-cache-schema --mem-bw-schema --memory --memory-reservation --memory-swap --pids-limit" ;;
    esac
    if [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$options --help" -- "$current"))
    else
        case $command in
        create | run | restore | list | features | spec) ;;
        *) COMPREPLY=($(compgen -W "$(_davit_oci_containers)" -- "$current")) ;;
        esac
    fi
}
complete -F _davit_oci davit-oci
