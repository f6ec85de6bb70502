#!/usr/bin/env python3
"""docker-cli.md: every command and every flag of Docker's client, and what davit makes of it.

usage: docker_cli.py check DAVIT [DOCKER]   whether the table is true: each flag that works is in davit's --help,
                                            each that does not is refused with the table's words; with a client
                                            of Docker, whether any of its commands and flags is missing
       docker_cli.py write DAVIT DOCKER     the table anew
"""
import pathlib
import re
import subprocess
import sys

TABLE = pathlib.Path(__file__).resolve().parent / "docker-cli.md"
WORKS = "works"
HEAD = """# Docker's client and davit

Every command of Docker's client, and every flag of those that davit has: whether it works, or with which words it
is refused. `docker_cli.py check` compares the table with davit, and with a Docker client where there is one; `docker_cli.py
write` makes it anew. Made with the client of Docker {version}.

| command | flag | |
|---|---|---|
"""


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def docker_help(docker, words):
    """Flags, as (name, takes a value), and commands below."""
    flags, commands, section = [], [], None
    for line in output(docker, *words, "--help")[1].splitlines():
        if re.match(r"^(\w+ )*Commands:$", line):
            section = commands
        elif line in ("Options:", "Flags:"):
            section = flags
        elif re.match(r"^\S", line):
            section = None
        elif section is commands and (found := re.match(r"^  ([a-z][\w-]*)\*?\s", line)):
            commands.append(found[1])
        elif section is flags and (found := re.match(r"^\s+(?:-\w, )?--([\w-]+)( \S+)?(?:\s{2,}|$)", line)):
            flags.append((found[1], bool(found[2])))
    return flags, commands


def docker_tree(docker, words=()):
    flags, commands = docker_help(docker, words)
    if words:
        yield " ".join(words), flags
    for command in commands:
        yield from docker_tree(docker, (*words, command))


def refusal(davit, command, flag=None, takes_value=False):
    """The words with which davit refuses; None: it does not, or for another reason. What has a help is a command."""
    if flag is None and davit_flags(davit, command) is not None:
        return None
    words = [] if flag is None else [f"--{flag}"] + (["x"] if takes_value else [])
    status, _, errors = output(davit, *command.split(), *words, *([] if words else ["x"]))
    start = f"davit: {command if flag is None else '--' + flag}: "
    if status == 0 or not errors.startswith(start):
        return None
    return errors[len(start):].strip()


def davit_flags(davit, command):
    status, text, _ = output(davit, *command.split(), "--help")
    return set(re.findall(r"^\s+(?:-\w, )?\s*--([\w-]+)", text, re.M)) | {"help"} if status == 0 else None


def row_of(davit, command, flag, takes_value):
    known = davit_flags(davit, command)
    if known is None:
        return None
    return WORKS if flag in known else refusal(davit, command, flag, takes_value)


def rows(davit, docker):
    """Of a command that is refused as a whole, neither flags nor commands below are listed."""
    refused = set()
    for command, flags in docker_tree(docker):
        if any(command.startswith(other + " ") for other in refused):
            continue
        why = refusal(davit, command.split()[0]) or refusal(davit, command)
        if why:
            refused.add(command)
            yield command, "", False, why
            continue
        yield command, "", False, WORKS
        for flag, takes_value in flags:
            if flag != "help":
                yield command, flag, takes_value, row_of(davit, command, flag, takes_value) or "MISSING"


def write(davit, docker):
    version = output(docker, "--version")[1].split()[2].rstrip(",")
    with TABLE.open("w") as file:
        file.write(HEAD.format(version=version))
        for command, flag, takes_value, what in rows(davit, docker):
            shown = f"`--{flag}{' VALUE' if takes_value else ''}`" if flag else ""
            file.write(f"| {command} | {shown} | {what} |\n")


def read():
    for line in TABLE.read_text().splitlines():
        if found := re.match(r"^\| ([a-z][\w -]*) \| (?:`--([\w-]+)( VALUE)?`)? \| (.+) \|$", line):
            yield found[1], found[2] or "", bool(found[3]), found[4]


def check(davit, docker):
    table = {(command, flag): (takes_value, what) for command, flag, takes_value, what in read()}
    wrong = []
    for (command, flag), (takes_value, what) in table.items():
        if what == "MISSING":
            wrong.append(f"{command} --{flag}: the row is empty")
        elif not flag and what == WORKS:
            if davit_flags(davit, command) is None:
                wrong.append(f"{command}: davit has no such command")
        elif not flag:
            if (refusal(davit, command.split()[0]) or refusal(davit, command)) != what:
                wrong.append(f"{command}: not refused with: {what}")
        elif row_of(davit, command, flag, takes_value) != what:
            wrong.append(f"{command} --{flag}: davit says {row_of(davit, command, flag, takes_value)}, the table {what}")
    if docker:
        wrong += [f"{command} --{flag}: not in the table" for command, flag, _, _ in rows(davit, docker)
                  if (command, flag) not in table]
    print("\n".join(wrong) or f"{len(table)} rows are true")
    return 1 if wrong or len(table) < 400 else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    if sys.argv[1] == "write":
        write(*sys.argv[2:4])
    else:
        sys.exit(check(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
