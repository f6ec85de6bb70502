#!/usr/bin/env bats
# --help of every command, and what shells complete.
load common

setup_file() {
    setup_daemon_file
    davit create --name first busybox
    davit volume create data
}
teardown_file() {
    davit rm first
    davit volume rm data
    teardown_daemon_file
}

scripts=$BATS_TEST_DIRNAME/../../dist/completion

of_bash() { # LINE
    PATH=$build:$PATH bash -c 'source "$0"; COMP_LINE="davit $1"; COMP_POINT=${#COMP_LINE}
        _davit; printf "%s\n" "${COMPREPLY[@]}"' "$scripts/davit.bash" "$1"
}

of_zsh() {
    PATH=$build:$PATH zsh -fc 'compadd() { print -rl -- "${(@P)2}"; }; _files() { print files; }
        script=$1; shift; words=(davit "$@"); CURRENT=${#words}; source "$script"' zsh "$scripts/davit.zsh" "$@"
}

of_fish() { # LINE
    PATH=$build:$PATH HOME=$dir fish --no-config -c 'source $argv[1]; complete -C "davit $argv[2]"' "$scripts/davit.fish" "$1"
}

@test "every command has help, which does nothing else" {
    help() {
        run "$build/davit" --host unix:///nowhere "$@" --help
        [ "$status" -eq 0 ]
        contains "$output" "usage: davit $*"
    }
    for command in $(davit __complete ""); do
        help "$command"
        case $command in
        container | image | network | system | volume) for sub in $(davit __complete "$command" ""); do help "$command" "$sub"; done ;;
        esac
    done
    run davit run --help
    contains "$output" "--health-start-interval TIME"
    [ "$(davit run --rm busybox echo --help)" = --help ]
}

@test "words are completed by commands, options, values and what there is" {
    complete_is() { local expected=$1; shift; [ "$(davit __complete "$@" | xargs)" = "$expected" ]; }
    complete_is "attach commit container context cp create diff egress events exec export help history image images import info inspect kill load login logout logs manifest network pause port probe ps pull push rename restart rm rmi run save sbom scan search start stats stop system tag top unpause update version volume wait" at
    complete_is "check df dial-stdio events info prune repair" system ""
    complete_is "--force --volumes --help" rm --
    complete_is "--force --help" volume rm -
    complete_is first stop ""
    complete_is data volume rm ""
    complete_is "busybox busybox:latest" run --rm ""
    complete_is "auto host" run --userns ""
    contains "$(davit __complete network connect "" | xargs)" bridge
    complete_is first network connect bridge ""
    complete_is first network connect --ip 10.0.0.1 bridge ""
    complete_is "" network connect bridge first ""
    complete_is first stop --time 3 first ""
    complete_is "" rename first ""
    complete_is "" exec first ""
    complete_is "" run busybox ""
    complete_is default context use ""
    complete_is "" load --input ""
    complete_is "" nonsense ""
    DAVIT_HOST=unix:///nowhere complete_is "" stop ""
}

@test "bash, zsh and fish take them" {
    [ "$(of_bash sto)" = stop ]
    [ "$(of_bash 'rm --f')" = --force ]
    [ "$(of_bash 'image rm busybox:la')" = latest ]
    [ "$(of_bash 'stop fi')" = first ]
    contains "$(of_bash 'stop ')" first
    [ "$(of_zsh stop '')" = first ]
    contains "$(of_zsh rm --)" --volumes
    [ "$(of_zsh load --input '')" = files ]
    [ "$(of_fish 'sto')" = stop ]
    [ "$(of_fish "stop ")" = first ]
    contains "$(of_fish 'rm --')" --volumes
}
