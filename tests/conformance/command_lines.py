"""Command lines of runc, for compare_runtimes.py: the state that a container is in before, and the words. ID stands for its
name, BUNDLE for its bundle, WORK for a directory that the runtime may write to. What is compared is the exit status, with
one for all failures but exec's, and the state of the container afterwards."""

NONE, CREATED, RUNNING, PAUSED, STOPPED = "none", "created", "running", "paused", "stopped"


def lines():
    """[(state, words)]"""
    table = []
    for words in ("kill ID", "kill ID 9", "kill ID KILL", "kill ID SIGKILL", "kill ID kill", "kill ID sigkill", "kill ID 0", "kill ID IO", "kill ID POLL", "kill ID RTMIN",
                  "kill ID RTMIN+3", "kill ID SIGRTMIN+3", "kill ID SIGRTMAX-1", "kill ID 34", "kill ID 64", "kill ID 65", "kill ID FOO", "kill ID -1", "kill --all ID KILL",
                  "kill -a ID KILL", "kill ID KILL --all", "kill ID KILL extra", "kill", "kill missing KILL", "kill ID CLD", "kill ID WINCH", "kill ID 15x", "kill ID TERM"):
        table.append((RUNNING, words))
    table += [(CREATED, "kill ID KILL"), (STOPPED, "kill ID KILL"), (PAUSED, "kill ID KILL"), (STOPPED, "kill --all ID KILL")]
    for state in (NONE, CREATED, RUNNING, PAUSED, STOPPED):
        for words in ("delete ID", "delete --force ID", "delete -f ID", "state ID", "start ID", "pause ID", "resume ID", "ps ID", "ps -f json ID", "exec ID /bin/busybox true",
                      "list", "list -q", "list -f json", "delete ID --force", "state ID extra", "start ID extra"):
            table.append((state, words))
    for words in ("list --format=json", "list --format table", "list --format yaml", "list extra", "delete", "delete ID ID", "delete -f missing ID", "state", "start", "pause", "resume",
                  "ps", "ps ID -o pid", "ps --format table ID", "ps --format yaml ID", "delete --unknown ID", "state --unknown ID"):
        table.append((RUNNING, words))
    for words in ("exec ID", "exec", "exec ID /bin/busybox false", "exec -d ID /bin/busybox true", "exec --detach ID /bin/busybox true", "exec --cwd /tmp ID /bin/busybox true",
                  "exec --cwd /not/there ID /bin/busybox true", "exec --cwd tmp ID /bin/busybox true", "exec --user 1000:1000 ID /bin/busybox true", "exec --user 1000 ID /bin/busybox true",
                  "exec --user nobody-knows ID /bin/busybox true", "exec --user 1000: ID /bin/busybox true", "exec -u 0 ID /bin/busybox true", "exec -e A=1 ID /bin/busybox true",
                  "exec --env A ID /bin/busybox true", "exec --env =A ID /bin/busybox true", "exec --cap CAP_OF_TOMORROW ID /bin/busybox true", "exec --cap CAP_KILL ID /bin/busybox true",
                  "exec --cap kill ID /bin/busybox true", "exec -g 5 ID /bin/busybox true", "exec --additional-gids 5 ID /bin/busybox true", "exec --additional-gids x ID /bin/busybox true",
                  "exec --no-new-privs ID /bin/busybox true", "exec --preserve-fds 0 ID /bin/busybox true", "exec --preserve-fds x ID /bin/busybox true",
                  "exec --pid-file WORK/pid ID /bin/busybox true", "exec --pid-file /not/there/pid ID /bin/busybox true", "exec --apparmor unconfined ID /bin/busybox true",
                  "exec ID -- /bin/busybox true", "exec ID not-there", "exec ID /etc", "exec ID /bin/busybox sh -c 'exit 7'", "exec missing true", "exec --process WORK/process.json ID",
                  "exec -p WORK/process.json ID", "exec --process /not/there ID", "exec --process WORK/process.json ID /bin/busybox false", "exec --unknown ID true",
                  "exec --console-socket /not/there ID /bin/busybox true", "exec --ignore-paused ID /bin/busybox true", "exec --process-label x ID /bin/busybox true", "exec -t ID /bin/busybox true",
                  "exec ID /bin/busybox sh -c 'kill -9 $$'"):
        table.append((RUNNING, words))
    for words in ("spec -b WORK", "spec --bundle WORK", "spec --rootless -b WORK", "spec --rootless=true -b WORK", "spec --rootless=false -b WORK", "spec -b /not/there", "spec --unknown", "spec -b BUNDLE",
                  "spec extra -b WORK"):
        table.append((NONE, words))
    for words in ("--version", "-v", "--help", "-h", "help", "no-such-command", "--no-such-option list", "--log WORK/log list", "--log /not/there/log list", "--log-format json list",
                  "--log-format text list", "--log-format yaml list", "--debug list", "--rootless auto list", "--rootless true list", "--rootless false list", "--rootless=true list", "--rootless=x list",
                  "--systemd-cgroup list", "list --help", "help list", "features", "features extra", "--root WORK/other list", "version"):
        table.append((NONE, words))
    for words in ("create --bundle BUNDLE ID", "create -b BUNDLE ID", "create ID", "create --bundle /not/there ID", "create --bundle BUNDLE", "create --bundle BUNDLE ID extra",
                  "create --bundle BUNDLE --pid-file WORK/pid ID", "create --bundle BUNDLE --pid-file /not/there/pid ID", "create --bundle BUNDLE --no-pivot ID", "create --bundle BUNDLE --no-new-keyring ID",
                  "create --bundle BUNDLE --preserve-fds 0 ID", "create --bundle BUNDLE --preserve-fds -1 ID", "create --bundle BUNDLE --console-socket /not/there ID", "create --unknown ID",
                  "run --bundle BUNDLE --detach ID", "run -d -b BUNDLE ID", "run --bundle BUNDLE --keep -d ID", "run --bundle BUNDLE --no-subreaper -d ID", "run", "run -d --bundle BUNDLE ID --pid-file WORK/pid",
                  "restore ID", "checkpoint ID", "update ID", "events --stats ID", "update --pids-limit 5 ID"):
        table.append((NONE, words))
    for name in ("../up", "a/b", ".", "..", "''", "a b", "ä", "a" * 300, "a" * 1030, "under_score", "with.dot", "with+plus", "0", "-dash", "UPPER", "a:b", "a,b", "a@b", "a%b"):
        table.append((NONE, f"create --bundle BUNDLE -- {name}" if name.startswith("-") else f"create --bundle BUNDLE {name}"))
        table.append((NONE, f"state -- {name}" if name.startswith("-") else f"state {name}"))
    for words in ("update --pids-limit x ID", "update ID", "update", "update --unknown 1 ID", "update --resources /not/there ID", "update -r WORK/empty.json ID", "update --cpu-share x ID", "events --stats ID", "events --stats",
                  "events --interval x ID", "events --stats missing", "create --bundle BUNDLE ID", "run --bundle BUNDLE -d ID", "checkpoint --unknown ID"):
        table.append((RUNNING, words))
    return table
