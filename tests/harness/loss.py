#!/usr/bin/env python3
"""loss.py DIRECTORY [all | random SECONDS [SEED]]: takes away, truncates, empties, rolls back or flips bytes in files of
davitd's --root between a kill and a start, and looks whether anything else is lost.

Without more words: one file of each kind, each damage. "all": every file. "random": two or three files at once."""
import os
import pathlib
import random
import re
import shutil
import sys
import time

from host import Host, Lost, Refused, digest, files_below, in_own_namespaces, until

DAMAGES = ["gone", "empty", "truncated", "flipped", "garbage", "rolled-back"]
CONTAINERS = ["live", "ended", "made", "stopped"]


def kind_of(path, ids):
    """What a file below --root is: names of one kind are alike but for ids."""
    for name, id in ids.items():
        path = path.replace(id, name)
    path = re.sub(r"[0-9a-f]{64}", "ID", path)
    path = re.sub(r"layers/ID/.*", "layers/ID/FILE", path)
    path = re.sub(r"seccomp/[0-9a-f]+", "seccomp/N", path)
    return re.sub(r"definition-\d+", "definition-N", path)


def by_kind(files, ids):
    """In an order that does not depend on ids, so that a seed finds the same again."""
    return sorted(files, key=lambda path: (kind_of(path, ids), path))


def is_precious(path):
    """What somebody has made, and nobody can make again."""
    return bool(re.match(r"containers/[0-9a-f]{64}/(upper/|.*\.log)|volumes/[^/]*/_data/|layers/|blobs/", path))


class Round:
    """One root, from the template, with things that happened since."""

    def __init__(self, directory, template):
        self.host = Host(directory)
        shutil.rmtree(self.host.root, ignore_errors=True)
        shutil.copytree(template, self.host.root, symlinks=True)
        self.template = template
        self.said = []

    def fill(self):
        host = self.host
        host.start()
        host.create("live", ["sh", "-c", "echo started; echo y > /file; trap 'exit 5' TERM; while :; do sleep 0.05; done"])
        host.begin("live")
        until("live has begun", lambda: "started" in host.logs("live"))
        host.create("before", ["sh", "-c", "cat /etc/passwd"], Labels={"a": "b"})
        host.do("POST", "/containers/before/rename?name=made")
        self.pid = host.inspect("live")["State"]["Pid"]
        self.ids = {name: host.inspect(name)["Id"] for name in CONTAINERS}
        host.kill()
        self.precious = {path: digest(host.root / path) for path in files_below(host.root) if is_precious(path)}

    def damage(self, path, how, chance):
        """Returns what was lost, for the report; None if it would change nothing."""
        file = self.host.root / path
        content = file.read_bytes()
        if how == "gone":
            file.unlink()
        elif how == "empty":
            new = b""
        elif how == "truncated":
            new = content[: len(content) // 2]
        elif how == "flipped":
            new = bytearray(content)
            for _ in range(max(1, len(content) // 2000) if content else 0):
                new[chance.randrange(len(new))] ^= 1 << chance.randrange(8)
        elif how == "garbage":
            new = chance.randbytes(len(content) or 100)
        elif how == "rolled-back":
            old = self.template / path
            new = old.read_bytes() if old.exists() else content
        if how != "gone":
            if bytes(new) == content:
                return False
            file.write_bytes(bytes(new))
        self.precious.pop(path, None)
        return True

    def start(self):
        """davitd starts, or says what mends it."""
        try:
            self.host.start()
        except Lost as error:
            assert "Move davit.db" in str(error), str(error)
            aside = self.host.root / "aside"
            for part in self.host.root.glob("davit.db*"):
                part.rename(aside / part.name)
            self.host.start()

    def check(self, excused):
        host = self.host
        problems = []

        def expect(what, condition):
            try:
                if condition():
                    return
                problem = "no"
            except (Refused, Lost, AssertionError, KeyError, AttributeError) as error:
                problem = str(error)[:300]
            if what not in excused:
                problems.append(f"{what}: {problem}")

        # Collection must not take what is in use, whatever it can no longer read.
        host.call("POST", "/images/create?fromSrc=-&repo=other&tag=2", data=b"\0" * 10240)
        host.call("POST", "/images/prune")
        host.call("POST", "/volumes/prune")
        names = {one["Id"]: one["Names"][0][1:] for one in host.do("GET", "/containers/json?all=1")}
        for name, id in self.ids.items():
            expect(f"{name} is there", lambda: names.get(id, "").startswith(name))
        for name in CONTAINERS:
            expect(f"{name} is inspected", lambda: host.inspect(self.ids[name]))
        live, ended, made = (self.ids[name] for name in ("live", "ended", "made"))
        expect("live runs", lambda: host.inspect(live)["State"]["Pid"] == self.pid)
        expect("live takes an exec", lambda: host.exec(live, "echo", "works") == "works\n")
        expect("live's log", lambda: host.logs(live) == "started\n")
        expect("ended's status", lambda: host.inspect(ended)["State"]["ExitCode"] == 7 and host.inspect(ended)["State"]["Status"] == "exited")
        expect("ended's log", lambda: host.logs(ended) == "said\n")
        expect("ended's file", lambda: host.read_file(ended, "/file") == b"kept\n")
        expect("made's label", lambda: host.inspect(made)["Config"]["Labels"] == {"a": "b"})
        expect("stopped is not started", lambda: host.inspect(self.ids["stopped"])["State"]["Status"] == "exited")
        expect("the volume is listed", lambda: "kept" in [one["Name"] for one in host.do("GET", "/volumes")["Volumes"]])
        expect("the network is listed", lambda: "wire" in [one["Name"] for one in host.do("GET", "/networks")])
        expect("busybox is there", lambda: host.do("GET", "/images/busybox/json"))
        expect("other:1 is there", lambda: host.do("GET", "/images/other:1/json"))
        expect("a container is made of busybox", lambda: self.run_one("busybox") == "works\n")
        expect("a container is made of other:1", lambda: self.run_one("other:1") == "works\n")
        expect("the volume is mounted", lambda: self.run_one("busybox", ["cat", "/v/file"], ["kept:/v"]) == "kept\n")
        for path, what in self.precious.items():
            expect(f"content {path}", lambda: self.is_kept(path, what))
        return problems

    def run_one(self, image, command=("echo", "works"), binds=()):
        id = self.host.create("new", list(command), image=image, HostConfig={"Binds": list(binds)})
        try:
            self.host.begin(id)
            self.host.wait(id)
            return self.host.logs(id)
        finally:
            self.host.call("DELETE", f"/containers/{id}?force=1")

    def is_kept(self, path, what):
        """At its place, or put aside."""
        places = [self.host.root / path, self.host.root / "aside" / path.split("/", 1)[1], (self.host.root / path).parent / f".damaged-{path.rsplit('/', 1)[1]}"]
        return any(place.is_file() and digest(place) == what for place in places)

    def last(self, excused):
        """What ends and starts again at the end."""
        problems = []
        try:
            if "live runs" not in excused:
                self.host.do("POST", f"/containers/{self.ids['live']}/stop")
                assert self.host.inspect(self.ids["live"])["State"]["ExitCode"] == 5
            if "made starts" not in excused:
                self.host.begin(self.ids["made"])
                self.host.wait(self.ids["made"])
                assert "root:" in self.host.logs(self.ids["made"])
        except (Refused, Lost, AssertionError) as error:
            problems.append(f"at the end: {error}")
        return problems


def make_template(directory):
    one = Host(directory)
    one.start()
    one.load()
    one.do("POST", "/volumes/create", {"Name": "kept"})
    one.do("POST", "/networks/create", {"Name": "wire"})
    one.create("ended", ["sh", "-c", "echo kept > /file; echo kept > /v/file; echo said; exit 7"], HostConfig={"Binds": ["kept:/v"]})
    one.begin("ended")
    assert one.wait("ended") == 7
    one.do("POST", "/commit?container=ended&repo=other&tag=1", {})
    one.create("stopped", ["sleep", "1000"], HostConfig={"RestartPolicy": {"Name": "unless-stopped"}})
    one.begin("stopped")
    one.do("POST", "/containers/stopped/stop?t=0")
    one.stop()
    template = pathlib.Path(directory).parent / "template"
    shutil.rmtree(template, ignore_errors=True)
    os.rename(one.root, template)
    return template


# What a damage may cost: (kind, damages or None for all, what need not hold).
EXCUSES = [
    # The file itself, and what it said.
    (r"containers/live/live-json.log", None, {"live's log"}),
    (r"containers/ended/ended-json.log", None, {"ended's log"}),
    (r"containers/ended/upper/file", None, {"ended's file"}),
    (r"volumes/kept/_data/file", None, {"the volume is mounted"}),
    # An image is its documents; what a commit has made nobody can bring again.
    (r"blobs/sha256/ID", None, {"busybox is there", "other:1 is there", "a container is made of busybox", "a container is made of other:1", "the volume is mounted"}),
    # What containers run is not verified again.
    (r"layers/ID/FILE", None, {"live runs", "live takes an exec", "a container is made of busybox", "a container is made of other:1", "the volume is mounted", "made starts"}),
]


def excuses(kind, how):
    found = set()
    for pattern, damages, what in EXCUSES:
        if re.fullmatch(pattern, kind) and (damages is None or how in damages):
            found.update(what)
    return found


def twice_lost(done):
    """What is kept twice and was damaged twice. A container's content, and what else is of it, is kept nevertheless."""
    kinds = {kind for kind, _ in done}
    found = set()
    if {"index.json", ".index.json.copy"} <= kinds:
        found |= {"busybox is there", "other:1 is there", "a container is made of busybox", "a container is made of other:1", "the volume is mounted"}
    if {"networks/ID.json", "networks/.ID.json.copy"} <= kinds:
        found.add("the network is listed")
    if "containers/stopped/exit.json" in kinds and kinds & {"davit.db", "davit.db-wal"}:
        found.add("stopped is not started")
    if "containers/ended/exit.json" in kinds and kinds & {"davit.db", "davit.db-wal"}:
        found.add("ended's status")
    for name in CONTAINERS:
        if f"containers/{name}/definition-N.json" in kinds and kinds & {"davit.db", "davit.db-wal"}:
            found |= {f"{name} {what}" for what in ("is there", "is inspected", "runs", "takes an exec")}
            found |= {f"{name}'s {what}" for what in ("status", "log", "file", "label")} | {"stopped is not started", f"{name} starts"}
    return found


def play(directory, template, choose, chance):
    """One round: `choose` gets the files, and says which are damaged how. Returns problems."""
    one = Round(directory, template)
    try:
        one.fill()
        damages = choose(files_below(one.host.root), one.ids)
        done = [(path, how) for path, how in damages if one.damage(path, how, chance)]
        if not done:
            return [], []
        done = [(kind_of(path, one.ids), how) for path, how in done]
        excused = set().union(*(excuses(kind, how) for kind, how in done), twice_lost(done))
        problems = []
        for again in ("", "second start: "):
            one.start()
            problems += [again + problem for problem in one.check(excused)]
            if again == "":
                one.host.kill()
        problems += one.last(excused)
        if problems:
            problems.append("log: " + one.host.log_text()[-1500:])
        return problems, done
    finally:
        one.host.clean()


def report(number, done, problems):
    what = ", ".join(f"{how} {kind}" for kind, how in done) or "nothing changed"
    print(f"{'not ok' if problems else 'ok'} {number} - {what}", flush=True)
    for problem in problems:
        print("# " + problem.replace("\n", "\n#   "), flush=True)


def main():
    directory = pathlib.Path(sys.argv[1]) / "davit"
    directory.mkdir(parents=True)
    mode = sys.argv[2] if len(sys.argv) > 2 else "kinds"
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30) if mode == "random" else 1
    chance = random.Random(seed)
    template = make_template(directory)
    failed = number = 0
    print(f"# seed {seed}", flush=True)

    def run(choose):
        nonlocal failed, number
        number += 1
        problems, done = play(directory, template, choose, chance)
        report(number, done, problems)
        failed += bool(problems)

    if mode == "random":
        end = time.monotonic() + float(sys.argv[3])
        while time.monotonic() < end:
            run(lambda files, ids: [(path, chance.choice(DAMAGES)) for path in chance.sample(by_kind(files, ids), chance.choice([2, 2, 3]))])
    else:
        wanted = {}  # files of layers are many and alike: one stands for all

        def look(files, ids):
            for path in files:
                wanted.setdefault(kind_of(path, ids), path)
            return []

        run(look)
        only = os.environ.get("ONLY", "")
        for kind in list(wanted):
            for how in DAMAGES:
                if only and not re.search(only, f"{how} {kind}"):
                    continue
                run(lambda files, ids: [(path, how) for path in files if kind_of(path, ids) == kind][:1])
    print(f"{number - failed} passed, {failed} failed, seed {seed}")
    sys.exit(failed != 0)


in_own_namespaces()
main()
