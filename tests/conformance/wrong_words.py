#!/usr/bin/env python3
"""Gives every command of davit each flag that other commands have and it has not, an argument too many and a flag with a
letter too many, and prints what is not refused by name. usage: wrong_words.py DAVIT"""
import re
import subprocess
import sys

davit = sys.argv[1]
wrong = []
tried = 0


def output(*words):
    # Nobody listens there: what gets so far as to ask was not refused.
    done = subprocess.run([davit, "--host", "unix:///nowhere", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def commands():
    """All that can be called, as lists of words."""
    for line in output("--help")[1].splitlines():
        if not (found := re.match(r"^  ([a-z]+) ", line)):
            continue
        _, text, _ = output(found[1], "--help")
        below = re.search(r"^commands: (.*)$", text, re.M)
        for name in below[1].split(", ") if below else [None]:
            yield [found[1]] + ([name] if name else [])


def expect(command, words, message):
    global tried
    tried += 1
    status, _, errors = output(*command, *words)
    if status == 0 or message not in errors or "cannot connect" in errors:
        wrong.append(f"davit {' '.join(command + words)}: {status}, {errors.strip()}")


helps = {tuple(command): output(*command, "--help")[1] for command in commands() if command != ["help"]}
flags = {command: set(re.findall(r"^\s+(?:-\w, )?\s*--([\w-]+)", text, re.M)) for command, text in helps.items()}
everything = set().union(*flags.values()) | {"help-me"}
for command, text in helps.items():
    refused = set()
    for flag in sorted(everything - flags[command]):
        status, _, errors = output(*command, f"--{flag}=x")
        tried += 1
        # Flags that docker has there are refused with the reason.
        if status == 0 or not re.match(rf"davit: (unknown option --{flag}[;:]|--{flag}: .)", errors):
            wrong.append(f"davit {' '.join(command)} --{flag}=x: {status}, {errors.strip()}")
    for flag in sorted(flags[command])[:5]:
        expect(list(command), [f"--{flag}x"], f"unknown option --{flag}x: is --{flag} meant?" if len(flag) > 3 else f"unknown option --{flag}x")
    usage = text.splitlines()[0].split(" ".join(command), 1)[1].replace("[OPTION...]", "").strip()
    if "..." not in usage:
        count = max(len(form.split()) for form in re.split(r" or | \| ", usage)) if usage else 0
        expect(list(command), ["a"] * (count + 1), "and was given")
print("\n".join(wrong) or f"{tried} mistakes are named")
sys.exit(1 if wrong or tried < 5000 else 0)
