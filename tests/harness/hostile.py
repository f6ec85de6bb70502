#!/usr/bin/env python3
"""hostile.py DIRECTORY [all | random SECONDS [SEED] | only TIMES SEED ACT...]: a container whose root does what it can against its host (hostile.c), while
requests of all kinds are made about it, and a watcher looks whether davitd answers, neighbours live on, and the host is untouched.

Without more words: each act alone. "all": each pair of them as well. "random": two to four at once."""
import io
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tarfile
import threading
import time

import host
from host import Host, Lost, Refused, until

# Acts, and what they need of the administrator's goodwill to be an attack. With CAP_SYS_ADMIN a container may change the host: that is
# what it means; only its mounts are tried then.
ACTS = {"stop": [], "kill": [], "trace": ["SYS_PTRACE"], "flood": [], "fill": [], "inodes": [], "deep": [], "swap": [], "replace": [],
        "mount": ["SYS_ADMIN"], "pids": [], "descriptors": [], "poke": ["DAC_OVERRIDE"], "shout": [], "end": []}
NOT_TOGETHER = {("mount", "poke"), ("mount", "trace")}
LATE_S = 60  # an answer that takes longer is none
PING_S = 10


def may_be(acts):
    return not any(set(pair) <= set(acts) for pair in NOT_TOGETHER)


def archive(name, content, mode=0o755):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), mode
        tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def attributes(path):
    status = os.lstat(path)
    return status.st_mode, status.st_uid, status.st_gid, status.st_rdev


class Watched:
    """What must be as it was: files of the host, a process of the host's, mounts, a few of the kernel's settings."""

    def __init__(self, witness):
        self.witness = witness
        self.canary = os.posix_spawn("/bin/sleep", ["sleep", "100000"], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)])
        self.before = self.look()

    def look(self):
        found = {str(path): attributes(path) + ((path.read_bytes(),) if path.is_file() else ()) for path in [self.witness, *sorted(self.witness.rglob("*"))]}
        found.update({f"/dev/{name}": attributes(f"/dev/{name}") for name in sorted(os.listdir("/dev")) if name not in ("pts", "shm")})
        for setting in ("kernel/core_pattern", "kernel/hostname", "kernel/panic", "vm/swappiness", "kernel/printk"):
            found[setting] = pathlib.Path("/proc/sys", setting).read_text()
        # Network namespaces of other tests come and go.
        found["mounts"] = [point for point in (line.split()[4] for line in open("/proc/self/mountinfo")) if not point.startswith("/run/netns/")]
        found["canary"] = (host.stat_of(self.canary) or ("gone", "", 0))[1] in "SR"
        return found

    def differences(self):
        now = self.look()
        return [f"the host's {key} was {self.before.get(key)} and is {now.get(key)}" for key in self.before.keys() | now.keys() if self.before.get(key) != now.get(key)]


class Pinger(threading.Thread):
    def __init__(self, one):
        super().__init__(daemon=True)
        self.one, self.longest, self.lost, self.ends = one, 0.0, [], False

    def run(self):
        while not self.ends:
            begin = time.monotonic()
            try:
                self.one.call("GET", "/_ping", timeout=PING_S)
            except Lost as error:
                self.lost.append(str(error))
            self.longest = max(self.longest, time.monotonic() - begin)
            time.sleep(0.02)


class Round:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        # A disk of its own, that can be filled.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,nr_inodes=60000,mode=700", "none", str(self.directory)], check=True)
        self.witness = self.directory / "witness"
        self.witness.mkdir()
        (self.witness / "file").write_text("untouched\n")
        self.host = Host(self.directory / "davit")
        self.problems = []
        self.watched = Watched(self.witness)
        self.program = (host.TOP / "build/integration/hostile").read_bytes()
        one = self.host
        one.start()
        one.load()
        one.create("neighbour", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /run/new; mv /run/new /run/count; sleep 0.02; done"],
                   HostConfig={"Tmpfs": {"/run": "size=1m"}, **self.pids_limit(50), "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 64}]})
        one.begin("neighbour")
        until("the neighbour counts", lambda: one.exec("neighbour", "cat", "/run/count"))
        self.neighbour = one.inspect("neighbour")["State"]["Pid"]
        self.limits = pathlib.Path(f"/proc/{self.neighbour}/limits").read_text()
        self.used = self.disk()

    def pids_limit(self, number):
        """Where this host has that controller."""
        return {"PidsLimit": number} if any("pids" in pathlib.Path(point, "cgroup.controllers").read_text().split() for point in self.host.cgroup_points()) else {}

    def disk(self):
        status = os.statvfs(self.directory)
        return (status.f_blocks - status.f_bfree) * status.f_bsize, status.f_files - status.f_ffree

    def clean(self):
        self.host.clean()
        subprocess.run(["umount", str(self.directory)], check=True)
        self.directory.rmdir()

    def count(self):
        return int(self.host.exec("neighbour", "cat", "/run/count"))

    # What is asked of davitd about the hostile container; refusals are fine, silence is not.

    def requests(self, chance):
        path = chance.choice(["/", "/copy", "/copy/real", "/copy/link", "/etc/passwd", "/deep", "/opened", "/proc/1/fd/0", "/dev"])
        exec_body = {"Cmd": ["true"], "User": chance.choice(["", "root", "1000", "nobody"]), "AttachStdout": True, "AttachStderr": True, "Tty": chance.random() < 0.2}
        return chance.choice([
            lambda: self.run_exec(exec_body),
            lambda: self.run_exec(exec_body),
            lambda: self.host.call("GET", f"/containers/hostile/archive?path={path}", timeout=LATE_S, end=5),
            lambda: self.host.call("HEAD", f"/containers/hostile/archive?path={path}", timeout=LATE_S),
            lambda: self.host.call("PUT", f"/containers/hostile/archive?path={path}", data=archive(chance.choice(["real/file", "file", "link/file", "pipe", "etc/passwd"]), b"copied\n"), timeout=LATE_S),
            lambda: self.host.call("GET", "/containers/hostile/changes", timeout=LATE_S),
            lambda: self.host.call("GET", "/containers/hostile/export", timeout=LATE_S, end=5),
            lambda: self.host.call("GET", "/containers/hostile/top", timeout=LATE_S),
            lambda: self.host.call("GET", "/containers/hostile/stats?stream=0", timeout=LATE_S),
            lambda: self.host.call("GET", "/containers/hostile/logs?stdout=1&stderr=1&tail=10", timeout=LATE_S, end=5),
            lambda: self.listen("GET", "/containers/hostile/logs?stdout=1&follow=1"),
            lambda: self.host.call("GET", "/containers/json?size=1&all=1", timeout=LATE_S),
            lambda: self.host.call("GET", "/system/df", timeout=LATE_S),
            lambda: self.host.call("POST", "/commit?container=hostile&repo=taken&tag=1", {}, timeout=LATE_S),
            lambda: self.host.call("POST", "/containers/hostile/kill?signal=TERM", timeout=LATE_S),
            lambda: self.host.call("POST", "/containers/hostile/resize?h=20&w=20", timeout=LATE_S),
            lambda: self.host.call("POST", "/containers/hostile/update", {"RestartPolicy": {"Name": "no"}}, timeout=LATE_S),
            lambda: self.host.call("POST", "/containers/hostile/pause", timeout=LATE_S),
            lambda: self.host.call("POST", "/containers/hostile/unpause", timeout=LATE_S),
            lambda: self.host.call("POST", "/containers/hostile/restart?t=0", timeout=LATE_S),
        ])

    def run_exec(self, body):
        status, answer = self.host.call("POST", "/containers/hostile/exec", body, timeout=LATE_S)
        if status == 201:
            self.listen("POST", f"/exec/{answer['Id']}/start", {"Detach": False, "Tty": body["Tty"]})

    def listen(self, method, path, body=None):
        """What may go on for as long as the container likes."""
        try:
            self.host.call(method, path, body, timeout=1, end=1)
        except Lost as error:
            if "timed out" not in str(error):
                raise

    def ask(self, chance, deadline):
        while time.monotonic() < deadline and not self.problems:
            try:
                self.requests(chance)()
            except Lost as error:
                # A time-out in the middle of an answer is one that goes on.
                self.problems.append(f"no answer: {error}")

    def make(self, acts, chance):
        capabilities = sorted({capability for act in acts for capability in ACTS[act]})
        self.host.create("hostile", ["/hostile", *acts], Env=[f"WITNESS={self.witness}"], OpenStdin=chance.random() < 0.5,
                         Healthcheck={"Test": ["CMD", "true"], "Interval": 100000000, "Timeout": 1000000000},
                         HostConfig={"CapAdd": capabilities, **self.pids_limit(400), "Ulimits": [{"Name": "nofile", "Soft": 1000, "Hard": 1000}],
                                     "Init": chance.random() < 0.3, "RestartPolicy": {"Name": "always" if "end" in acts else "no"}})
        self.host.do("PUT", "/containers/hostile/archive?path=/", data=archive("hostile", self.program))
        self.host.begin("hostile")

    def end(self):
        """It dies at once, whatever state it is in, and can be removed."""
        one, begin = self.host, time.monotonic()
        one.call("POST", "/containers/hostile/update", {"RestartPolicy": {"Name": "no"}})
        for request in ("kill?signal=KILL", "wait"):
            try:
                one.call("POST", f"/containers/hostile/{request}", timeout=10)
            except Lost as error:
                self.problems.append(f"kill: {error}")
        took = time.monotonic() - begin
        state = one.inspect("hostile")["State"]["Status"]
        if state not in ("exited", "created"):
            self.problems.append(f"after kill it is {state}")
        upper = list((one.root / "containers").glob("*/upper/opened"))
        if upper:
            self.problems.append("it has opened a device that is not its own")
        one.do("DELETE", "/containers/hostile?force=1&v=1", expected=(204,), timeout=LATE_S)
        return took

    def run(self, acts, seconds, chance, with_death):
        one = self.host
        counted = self.count()
        self.make(acts, chance)
        pinger = Pinger(one)
        pinger.start()
        deadline = time.monotonic() + seconds
        threads = [threading.Thread(target=self.ask, args=(random.Random(chance.randrange(1 << 30)), deadline)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pinger.ends = True
        pinger.join()
        if with_death:
            one.kill()
            one.start()
        took = self.end()
        self.check(counted, pinger)
        return pinger.longest, took

    def check(self, counted, pinger):
        one = self.host
        if pinger.lost:
            self.problems.append(f"davitd did not answer {len(pinger.lost)} times: {pinger.lost[0]}")
        if one.inspect("neighbour")["State"]["Pid"] != self.neighbour:
            self.problems.append("the neighbour is another")
        until("the neighbour counts on", lambda: self.count() > counted)
        if pathlib.Path(f"/proc/{self.neighbour}/limits").read_text() != self.limits:
            self.problems.append("the neighbour's limits have changed")
        self.problems.extend(self.watched.differences())
        until("its processes are gone", lambda: self.reaped() and not [name for name, _, _ in host.descendants().values() if name == "hostile"])

        def is_given_back():
            # Refused as long as the disk is full: what was removed is given back by and by.
            one.call("DELETE", "/images/taken:1?force=1", timeout=LATE_S)
            one.call("POST", "/images/prune", timeout=LATE_S)
            size, inodes = self.disk()
            return size < self.used[0] + (2 << 20) and inodes < self.used[1] + 50

        # A busy machine takes its time; as long as there is less and less, it goes on.
        while True:
            before = self.disk()
            try:
                return until("disk is given back", is_given_back, 30)
            except AssertionError:
                if self.disk() >= before:
                    self.problems.append(f"disk: {self.disk()} in use, {self.used} at first; {self.what_is_left()}")
                    return

    def what_is_left(self):
        """The names that have most below them."""
        counts = {}
        find = subprocess.run(["find", ".", "-mindepth", "1", "-maxdepth", "5", "-printf", "%P\n"], cwd=self.directory, capture_output=True, errors="replace")
        for line in find.stdout.splitlines():
            top = "/".join(line.split("/")[:5])
            counts[top] = counts.get(top, 0) + 1
        return sorted(((count, top) for top, count in counts.items()), reverse=True)[:12], self.host.call("GET", "/davit/v1/system/check")[1]

    @staticmethod
    def reaped():
        host.reap()
        return True


def own_devices():
    """In the place of the machine's, which a hole would change for good."""
    subprocess.run(["sh", "-c", "mkdir -p /tmp/davit-dev.$$ && d=/tmp/davit-dev.$$ && mount -t tmpfs -o mode=755 dev $d && cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty $d/"
                    " && for n in fd stdin stdout stderr; do ln -s /proc/self/fd/$(case $n in fd) ;; stdin) echo 0;; stdout) echo 1;; *) echo 2;; esac) $d/$n; done"
                    " && mkdir $d/pts $d/shm && mount --bind /dev/pts $d/pts && mount -t tmpfs shm $d/shm && ln -s pts/ptmx $d/ptmx"
                    " && if [ -e /dev/fuse ]; then cp -a /dev/fuse $d/; fi && mount --move $d /dev; rmdir /tmp/davit-dev.$$"], check=True)


def main():
    directory = pathlib.Path(sys.argv[1])
    mode = sys.argv[2] if len(sys.argv) > 2 else "each"
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
    chance = random.Random(seed)
    own_devices()
    one, failed, played, longest, slowest = None, 0, 0, 0.0, 0.0
    print(f"# seed {seed}", flush=True)

    def play(acts, seconds):
        nonlocal one, failed, played, longest, slowest
        ping = took = 0.0
        one = one or Round(directory / "hostile")
        try:
            ping, took = one.run(list(acts), seconds, chance, chance.random() < 0.2)
        except (Refused, Lost, AssertionError, ValueError) as error:
            one.problems.append(f"{type(error).__name__}: {error}")
            if not one.host.is_alive():
                one.problems.append("davitd has ended")
        played += 1
        failed += bool(one.problems)
        longest, slowest = max(longest, ping), max(slowest, took)
        print(f"{'not ok' if one.problems else 'ok'} {played} - {' '.join(acts)}: /_ping within {ping * 1000:.0f} ms, killed in {took * 1000:.0f} ms", flush=True)
        if one.problems:
            for problem in one.problems + ["log: " + one.host.log_text()[-1500:]]:
                print("# " + str(problem)[:2000].replace("\n", "\n#   "), flush=True)
            one.clean()
            one = None

    try:
        if mode == "random":
            end = time.monotonic() + float(sys.argv[3])
            while time.monotonic() < end:
                acts = chance.sample(list(ACTS), chance.choice([1, 2, 2, 3, 4]))
                if may_be(acts):
                    play(sorted(acts), chance.choice([1, 2, 4]))
        elif mode == "only":
            for _ in range(int(sys.argv[3])):
                play(sys.argv[5:], 3)
        else:
            for number in (1, 2) if mode == "all" else (1,):
                for acts in itertools.combinations(ACTS, number):
                    if may_be(acts):
                        play(acts, 3)
    finally:
        if one:
            one.clean()
    print(f"{played - failed} passed, {failed} failed, seed {seed}, /_ping within {longest * 1000:.0f} ms, killed within {slowest * 1000:.0f} ms")
    sys.exit(failed != 0)


host.in_own_namespaces()
main()
