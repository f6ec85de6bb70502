#!/usr/bin/env python3
"""Runs the same configurations with davit-oci, runc and crun and compares what came of them: whether the program ran,
its exit status, and what it found around it (report.c).

usage: compare_runtimes.py [--build DIR] [--count N | --all] [--seed N] [--only WORDS] [--keep FILE] [--verbose]

By default the 100 variants that CI runs: those whose names have the smallest digests. --all runs every variant that
stands in variants.py by hand, --count N those and pairs of them (--seed) until there are N. A difference is a defect or
has a row in differences.md, which names the variants and the subjects that it explains. Ends with 1 if one has none.

Everything happens in mount and pid namespaces of its own, where all files of the host are read-only, with a /dev and a
cgroup2 mount of its own: what a runtime does to the host's files, devices and processes does not reach them."""
import argparse
import concurrent.futures
import ctypes
import fnmatch
import hashlib
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time

import command_lines
import variants

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_S = 20
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "OF_THE_RUNTIME": "yes"}
CI_VARIANTS = 100
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0), "fuse": (10, 229)}
MOUNT_NAMES = {"fresh": 0, "bind": 0x1000, "recursive": 0x4000, "private": 1 << 18}
SYS_MOUNT_SETATTR = 442
AT_RECURSIVE = 0x8000
READONLY = 1  # MOUNT_ATTR_RDONLY
NEW_NAMESPACES = 0x20000000 | 0x00020000  # CLONE_NEWPID, CLONE_NEWNS
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, type=None, flags=0, data=None):
    encode = lambda text: text.encode() if text is not None else None
    if libc.mount(encode(source), encode(str(target)), encode(type), flags, encode(data)) != 0:
        raise OSError(ctypes.get_errno(), f"mount {type or source} on {target}: {os.strerror(ctypes.get_errno())}")


def wait_and_exit(child):
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def enter_namespaces(work):
    """Goes on in a process that is number 1 of a pid namespace, in a mount namespace of its own. The directory `work` is
    removed when that ends: it is empty but for what is mounted there."""
    child = os.fork()
    if child != 0:
        try:
            wait_and_exit(child)
        finally:
            os.rmdir(work)
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if libc.unshare(NEW_NAMESPACES) != 0:
        raise OSError(ctypes.get_errno(), "unshare: this needs root")
    child = os.fork()
    if child != 0:
        wait_and_exit(child)
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)
    mount(None, "/", flags=MOUNT_NAMES["recursive"] | MOUNT_NAMES["private"])
    make_readonly()
    mount("proc", "/proc", "proc")


def make_readonly():
    """All that is mounted, for everybody in our mount namespace. What a runtime takes for its own it may remove: crun's
    "delete --force /etc" removes /etc of the host."""
    # Whether sysfs is read-only shows in containers that bind it.
    for path, flags, *change in ((b"/", AT_RECURSIVE, READONLY, 0), (b"/sys", 0, 0, READONLY)):
        attributes = struct.pack("=QQQQ", *change, 0, 0)  # struct mount_attr
        if libc.syscall(SYS_MOUNT_SETATTR, -100, path, flags, attributes, len(attributes)) != 0:
            raise OSError(ctypes.get_errno(), "mount_setattr: the host's files could not be protected")
    try:
        pathlib.Path("/.davit-compare").touch()
    except OSError:
        return
    raise RuntimeError("the host's files are not protected")


def isolate(work):
    """Its own /dev, cgroup2 at /sys/fs/cgroup, and memory for what the runs leave."""
    mount("work", work, "tmpfs")
    devices = work / "dev"
    devices.mkdir()
    mount("dev", devices, "tmpfs", data="mode=755")
    for name, (major, minor) in NODES.items():
        os.mknod(devices / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (devices / name).chmod(0o666)
    for name in ("pts", "shm", "mqueue"):
        (devices / name).mkdir()
    mount("devpts", devices / "pts", "devpts", data="newinstance,ptmxmode=0666,mode=620,gid=5")
    (devices / "ptmx").symlink_to("pts/ptmx")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (devices / name).symlink_to(target)
    mount(str(devices), "/dev", flags=MOUNT_NAMES["bind"] | MOUNT_NAMES["recursive"])
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    mount("run", "/run", "tmpfs", data="mode=755")


def make_root(build, root):
    """The root filesystem that every case begins with."""
    for name in ("bin", "tmp", "etc", "usr/bin", "proc", "sys", "dev", "root"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    shutil.copy2(build / "conformance/report", root / "report")
    return root


def host_namespaces():
    kinds = ("pid", "net", "ipc", "uts", "mnt", "cgroup", "user", "time")
    return [f"{kind}={re.search(r'[0-9]+', os.readlink(f'/proc/self/ns/{kind}'))[0]}" for kind in kinds]


class Outcome:
    """What came of a run: "ran" with the report, "refused" or "late"."""

    def __init__(self, kind, status=0, report=None, message=""):
        self.kind, self.status, self.report, self.message = kind, status, report or {}, message

    def __str__(self):
        return f"ran, {self.status}" if self.kind == "ran" else f"{self.kind}, {self.status}: {self.message}"


def parse_report(text):
    """{subject: value}; a subject that comes twice has its values in order."""
    report = {}
    for line in text.splitlines():
        subject, found, value = line.partition(": ")
        if found:
            report.setdefault(subject, []).append(value)
    return {subject: " | ".join(values) for subject, values in report.items()}


def error_of(text):
    """The first line that says what was wrong, without time and level."""
    lines = [line for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else "")[:300]


class Runtime:
    def __init__(self, name, command, work, template):
        self.name, self.command, self.template = name, command, template
        self.work = work / name
        self.work.mkdir()

    def call(self, *arguments, **options):
        if "stdout" not in options:
            options["capture_output"] = True
        return subprocess.run([*self.command, "--root", str(self.work / "state"), *arguments], stdin=subprocess.DEVNULL,
                              timeout=LIMIT_S, env=ENVIRONMENT, **options)

    def cgroup(self, number):
        """What stands for "compare-runtimes" in cgroupsPath: nobody else's, also if several of us run."""
        return f"{self.work.parent.name}/{self.name}-{number}"

    def run(self, number, changes):
        # All three see the same path, so that it is nothing they differ in.
        bundle = self.work / f"bundle-{number}"
        bundle.mkdir()
        shutil.copytree(self.template, bundle / "rootfs", symlinks=True)
        case = variants.Case(bundle, host_namespaces())
        for change in changes:
            change(case)
        for change in case.late:
            change()
        text = json.dumps(case.config).replace("compare-runtimes", self.cgroup(number))
        (bundle / "config.json").write_text(text)
        name = f"compare-{number}"
        try:
            done = self.call("run", "--bundle", str(bundle), name)
            text = done.stdout.decode(errors="replace").replace(str(self.work), "WORK")
            text = text.replace(self.cgroup(number), "NAME").replace(f"-{number}", "-N")
            report = parse_report(text)
            message = error_of(done.stderr.decode(errors="replace")).replace(str(self.work), "WORK")
            outcome = Outcome("ran" if "argv0" in report else "refused", done.returncode, report, message)
        except subprocess.TimeoutExpired:
            outcome = Outcome("late", message="no end")
        try:
            self.call("delete", "--force", name)
        except subprocess.TimeoutExpired:
            pass
        shutil.rmtree(bundle, ignore_errors=True)
        return outcome


    def prepare(self, state, bundle, name):
        """A container in that state, whose program sleeps."""
        case = variants.Case(bundle, [])
        case.config["process"]["args"] = ["/bin/busybox", "sleep", "1000"]
        text = json.dumps(case.config).replace("compare-runtimes", self.cgroup(name))
        (bundle / "config.json").write_text(text)
        process = {**case.config["process"], "args": ["/bin/busybox", "true"]}
        (self.work / "process.json").write_text(json.dumps(process))
        (self.work / "empty.json").write_text("{}")
        steps = {command_lines.NONE: [], command_lines.CREATED: ["create"], command_lines.RUNNING: ["create", "start"],
                 command_lines.PAUSED: ["create", "start", "pause"], command_lines.STOPPED: ["create", "start", "kill"]}
        for step in steps[state]:
            words = {"create": ["--bundle", str(bundle), name], "kill": [name, "KILL"]}.get(step, [name])
            # What goes on to run keeps a pipe open, for whose end call() would wait.
            self.call(step, *words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if state == command_lines.STOPPED:
            self.await_end(name)

    def status(self, name):
        try:
            return json.loads(self.call("state", name).stdout).get("status", "none")
        except json.JSONDecodeError:
            return "none"

    def await_end(self, name):
        deadline = time.monotonic() + LIMIT_S
        while self.status(name) == "running" and time.monotonic() < deadline:
            time.sleep(0.01)

    def run_line(self, number, state, words):
        """Exit status of a command line and the container's state afterwards, "0, running"."""
        bundle = self.work / f"bundle-{number}"
        name = f"line-{number}"
        bundle.mkdir()
        shutil.copytree(self.template, bundle / "rootfs", symlinks=True)
        self.prepare(state, bundle, name)
        for path in ("config.json", "pid"):
            (self.work / path).unlink(missing_ok=True)
        words = [word.replace("ID", name).replace("BUNDLE", str(bundle)).replace("WORK", str(self.work)) for word in shlex.split(words)]
        with tempfile.TemporaryFile(dir=self.work) as output:
            try:
                status = self.call(*words, stdout=output, stderr=output, cwd=bundle).returncode
            except subprocess.TimeoutExpired:
                status = "no end"
            output.seek(0)
            message = error_of(output.read().decode(errors="replace"))
        if "kill" in words:
            self.settle(name)
        after = self.status(name)
        # crun removes what a path for a name leads to.
        for one in {name, words[-1]}:
            if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.,+-]*", one):
                self.call("delete", "--force", "--", one)
        shutil.rmtree(bundle, ignore_errors=True)
        if words[0] != "exec" and status not in (0, "no end"):
            status = "failed"
        return f"{status}, {after}", message

    def settle(self, name):
        """After a signal: until the state has stayed the same for a moment."""
        before, since = self.status(name), time.monotonic()
        while time.monotonic() - since < 0.05:
            if self.status(name) != before:
                before, since = self.status(name), time.monotonic()


def compare(outcomes):
    """[(subject, what davit-oci has, what runc has, what crun has)] where davit-oci is alone."""
    davit, runc, crun = (outcomes[name] for name in ("davit-oci", "runc", "crun"))
    if davit.kind != runc.kind and davit.kind != crun.kind:
        return [("outcome", str(davit), str(runc), str(crun))]
    others = [one for one in (runc, crun) if one.kind == davit.kind == "ran"]
    rows = []
    if len(others) == 2 and davit.status not in (runc.status, crun.status):
        rows.append(("status", str(davit), str(runc), str(crun)))
    if len(others) < 2:
        return rows
    for subject in sorted(set(davit.report) | set(runc.report) | set(crun.report)):
        values = [one.report.get(subject, "(none)") for one in (davit, runc, crun)]
        if values[0] not in values[1:]:
            rows.append((subject, *values))
    return rows


class Table:
    """differences.md: rows "| variants | subjects | davit-oci | because |", patterns as of a shell."""

    def __init__(self, path):
        self.rows = []
        for line in path.read_text().splitlines() if path.exists() else []:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 4 and cells[0] not in ("variants", "---") and not set(cells[0]) <= {"-"}:
                unescape = lambda cell: [one.strip(" `").replace("\\|", "|") for one in cell.split("` `")]
                self.rows.append((unescape(cells[0]), unescape(cells[1])))
        self.used = set()

    def explains(self, variant, subject):
        parts = variant[len("pair: "):].split(" + ") if variant.startswith("pair: ") else [variant]
        found = False
        for number, (names, subjects) in enumerate(self.rows):
            if any(self.matches(part, name) for part in parts for name in names) and any(
                    self.matches(subject, one) for one in subjects):
                self.used.add(number)
                found = True
        return found

    @staticmethod
    def matches(text, pattern):
        # Brackets stand for themselves: values of variants have them.
        return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def choose(arguments):
    table = variants.variants()
    if arguments.only:
        if arguments.count:
            table.update(variants.pairs(max(0, arguments.count - len(table)), arguments.seed))
        return {name: changes for name, changes in table.items() if arguments.only in name}
    if arguments.count:
        table.update(variants.pairs(max(0, arguments.count - len(table)), arguments.seed))
        return dict(itertools.islice(table.items(), arguments.count))
    if arguments.all:
        return table
    chosen = sorted(table, key=lambda name: hashlib.sha256(name.encode()).digest())[:CI_VARIANTS]
    return {name: table[name] for name in chosen}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--count", type=int)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="variants whose names have these words")
    parser.add_argument("--commands", action="store_true", help="the command lines of command_lines.py instead")
    parser.add_argument("--keep", type=pathlib.Path, help="write every outcome there, as JSON lines")
    parser.add_argument("--verbose", action="store_true", help="say each outcome")
    arguments = parser.parse_args()
    chosen = choose(arguments)
    differences = Table(HERE / "differences.md")
    build = arguments.build.resolve()
    work = pathlib.Path(tempfile.mkdtemp(prefix="davit-compare."))
    enter_namespaces(work)
    keep = arguments.keep.open("w") if arguments.keep else None
    try:
        isolate(work)
        template = make_root(build, work / "template")
        runtimes = [Runtime("davit-oci", [str(build / "davit-oci")], work, template), Runtime("runc", ["runc"], work, template),
                    Runtime("crun", ["crun"], work, template)]
        if arguments.commands:
            counts = run_lines(runtimes, differences, arguments.only or "")
        else:
            counts = run_all(runtimes, chosen, differences, keep, arguments.verbose)
    finally:
        remove_cgroups(work.name)
    print(f"{sum(counts.values())} {'command lines' if arguments.commands else 'variants'}: {counts['same']} as another runtime, {counts['explained']} with differences that the "
          f"table explains, {counts['defects']} with others")
    return 1 if counts["defects"] else 0


def remove_cgroups(name):
    """With what still runs there."""
    top = pathlib.Path("/sys/fs/cgroup") / name
    deadline = time.monotonic() + LIMIT_S
    while top.exists() and time.monotonic() < deadline:
        (top / "cgroup.kill").write_text("1")
        for group in sorted(top.glob("**/"), reverse=True):
            try:
                group.rmdir()
            except OSError:
                time.sleep(0.01)


def run_lines(runtimes, differences, words):
    """All of command_lines.py, or those with these words."""
    counts = {"same": 0, "explained": 0, "defects": 0}
    with concurrent.futures.ThreadPoolExecutor(len(runtimes)) as pool:
        for number, (state, line) in enumerate(command_lines.lines()):
            if words not in line:
                continue
            found = list(pool.map(lambda runtime: runtime.run_line(number, state, line), runtimes))
            name = f"command: {line} ({state})"
            if found[0][0] in (found[1][0], found[2][0]):
                counts["same"] += 1
            elif differences.explains(name, "outcome"):
                counts["explained"] += 1
            else:
                counts["defects"] += 1
                print(f"not ok {name}")
                for runtime, (outcome, message) in zip(runtimes, found):
                    print(f"    {runtime.name:9} {outcome}: {message}", flush=True)
    return counts


def run_all(runtimes, chosen, differences, keep, is_verbose):
    counts = {"same": 0, "explained": 0, "defects": 0}
    with concurrent.futures.ThreadPoolExecutor(len(runtimes)) as pool:
        for number, (name, changes) in enumerate(chosen.items()):
            found = pool.map(lambda runtime: runtime.run(number, changes), runtimes)
            outcomes = dict(zip([runtime.name for runtime in runtimes], found))
            if keep:
                keep.write(json.dumps({"variant": name, **{key: vars(one) for key, one in outcomes.items()}}) + "\n")
                keep.flush()
            if is_verbose:
                for key, one in outcomes.items():
                    print(f"{name}: {key}: {one}")
            rows = compare(outcomes)
            defects = [row for row in rows if not differences.explains(name, row[0])]
            counts["defects" if defects else "explained" if rows else "same"] += 1
            for subject, davit, runc, crun in defects:
                print(f"not ok {name}\n    {subject}\n        davit-oci {davit}\n        runc      {runc}\n        crun      {crun}", flush=True)
    return counts


if __name__ == "__main__":
    sys.exit(main())
