#!/usr/bin/env python3
"""full.py DIRECTORY [all | every N | random SECONDS [SEED]]: the Nth call that changes something on the disk fails, or all from
the Nth on, through the life of containers, volumes, networks and names of images. What was acknowledged must be true afterwards,
also for the next davitd, and what was refused must not have happened.

Without more words: every seventh N. "all": every N, in each of the ways."""
import errno
import mmap
import os
import pathlib
import random
import shutil
import struct
import sys
import time

import host
from host import Host, Lost, Refused, until

OFF, ONCE, FROM = 0, 1, 2
WAYS = {"full": (FROM, errno.ENOSPC), "quota": (FROM, errno.EDQUOT), "failing": (FROM, errno.EIO), "one error": (ONCE, errno.EIO)}


class Control:
    """What tests/integration/fault.c reads."""

    def __init__(self, path):
        path.write_bytes(b"\0" * 4096)
        self.file = open(path, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), 4096)

    def set(self, mode, number=0, error=0):
        self.memory[0:4] = struct.pack("i", OFF)
        self.memory[4:20] = struct.pack("iiii", number, error, 0, 0)
        self.memory[0:4] = struct.pack("i", mode)

    def hits(self):
        return struct.unpack("i", self.memory[16:20])[0]

    def count(self):
        return struct.unpack("i", self.memory[12:16])[0]


class Round:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.control = Control(self.directory / "control")
        self.host = Host(directory, {"LD_PRELOAD": str(host.TOP / "build/integration/fault.so"), "FAULT_CONTROL": str(self.directory / "control"),
                                     "FAULT_BELOW": str(self.directory / "root")})
        self.containers, self.volumes, self.networks, self.images = {}, set(), set(), set()
        self.problems = []
        self.refused = []

    def problem(self, text):
        self.problems.append(text)

    def fill(self):
        one = self.host
        one.start()
        one.load()
        one.create("runs", ["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.05; done"])
        one.create("ends", ["sh", "-c", "echo said; exit 3"])
        one.create("policy", ["sleep", "1000"], HostConfig={"RestartPolicy": {"Name": "unless-stopped"}})
        one.create("ended", ["sh", "-c", "exit 7"])
        one.create("goes", ["true"])
        one.create("renamed", ["true"])
        one.create("updated", ["true"])
        for name in ("runs", "policy", "ended"):
            one.begin(name)
        one.wait("ended")
        one.do("POST", "/volumes/create", {"Name": "old"})
        one.do("POST", "/networks/create", {"Name": "oldnet"})
        one.do("POST", "/images/busybox/tag?repo=old&tag=1")
        self.containers = {"runs": "running", "ends": "created", "policy": "running", "ended": 7, "goes": "created", "renamed": "created", "updated": "created"}
        self.volumes, self.networks, self.images = {"old"}, {"oldnet"}, {"busybox:latest", "old:1"}
        self.policies = {"policy": "unless-stopped", "updated": ""}

    def step(self, what, method, path, then, body=None, must=False):
        """A request; what it makes true if it is acknowledged. `must`: a full disk is no reason to refuse it."""
        try:
            self.host.do(method, path, body)
        except Refused as refused:
            self.refused.append(what)
            if must:
                self.problem(f"{what} was refused: {refused}")
            elif refused.status < 500 and refused.status != 404:
                self.problem(f"{what}: {refused}")
            return False
        except Lost as lost:
            self.problem(f"{what}: davitd was lost: {lost}")
            return False
        then()
        return True

    def play(self):
        containers, volumes, networks, images = self.containers, self.volumes, self.networks, self.images
        step = self.step
        step("create", "POST", "/containers/create?name=new", lambda: containers.update(new="created"), {"Image": "busybox", "Cmd": ["true"], "Volumes": {"/v": {}}})
        if step("start", "POST", "/containers/ends/start", lambda: containers.update(ends="started")):
            step("wait", "POST", "/containers/ends/wait", lambda: containers.update(ends=3), must=True)
        step("exec", "POST", "/containers/runs/exec", lambda: None, {"Cmd": ["true"]}, must=True)
        step("rename", "POST", "/containers/renamed/rename?name=other", lambda: containers.update(other=containers.pop("renamed")))
        step("stop a policy", "POST", "/containers/policy/stop?t=0", lambda: containers.update(policy=137), must=True)
        step("update", "POST", "/containers/updated/update", lambda: self.policies.update(updated="always"), {"RestartPolicy": {"Name": "always"}})
        step("stop", "POST", "/containers/runs/stop?t=20", lambda: containers.update(runs=4), must=True)
        step("remove", "DELETE", "/containers/goes", lambda: containers.pop("goes"))
        step("create a volume", "POST", "/volumes/create", lambda: volumes.add("fresh"), {"Name": "fresh"})
        step("remove a volume", "DELETE", "/volumes/old", lambda: volumes.remove("old"))
        step("create a network", "POST", "/networks/create", lambda: networks.add("freshnet"), {"Name": "freshnet"})
        step("remove a network", "DELETE", "/networks/oldnet", lambda: networks.remove("oldnet"))
        step("tag", "POST", "/images/busybox/tag?repo=fresh&tag=1", lambda: images.add("fresh:1"))
        step("untag", "DELETE", "/images/old:1", lambda: images.remove("old:1"))
        if "new" in containers:
            step("remove the new one", "DELETE", "/containers/new?v=1", lambda: containers.pop("new"))

    def excuse(self):
        """What fails for good cannot be undone either: what was refused then may have happened."""
        one = self.host
        if "create" in self.refused and one.call("GET", "/containers/new/json")[0] == 200:
            self.containers["new"] = "created"
        networks = {entry["Name"] for entry in one.do("GET", "/networks")}
        volumes = {entry["Name"] for entry in one.do("GET", "/volumes")["Volumes"]}
        if "create a network" in self.refused:
            self.networks |= networks & {"freshnet"}
        if "create a volume" in self.refused:
            self.volumes |= volumes & {"fresh"}
        if "remove a network" in self.refused:
            self.networks &= networks
        if {"tag", "untag"} & set(self.refused):
            self.images = {tag for entry in one.do("GET", "/images/json") for tag in entry["RepoTags"] or []}
        if "update" in self.refused:
            self.policies["updated"] = one.inspect("updated")["HostConfig"]["RestartPolicy"]["Name"]
        if "rename" in self.refused and one.call("GET", "/containers/other/json")[0] == 200:
            self.containers["other"] = self.containers.pop("renamed")
        if "remove" in self.refused and one.call("GET", "/containers/goes/json")[0] == 404:
            self.containers.pop("goes", None)
        if "remove the new one" in self.refused and one.call("GET", "/containers/new/json")[0] == 404:
            self.containers.pop("new", None)
        if "remove a volume" in self.refused:
            self.volumes &= volumes

    def check(self, when):
        one = self.host
        there = {entry["Names"][0][1:]: entry for entry in one.do("GET", "/containers/json?all=1")}
        if set(there) != set(self.containers):
            self.problem(f"{when}: containers {sorted(there)} instead of {sorted(self.containers)}")
        for name, expected in self.containers.items():
            if name not in there:
                continue
            state = one.inspect(name)["State"]
            if isinstance(expected, int):
                if (state["Status"], state["ExitCode"], state["Error"]) != ("exited", expected, ""):
                    self.problem(f"{when}: {name} is {state['Status']} with {state['ExitCode']} {state['Error']!r} instead of exited with {expected}")
            elif expected != "started" and state["Status"] != expected:
                self.problem(f"{when}: {name} is {state['Status']} instead of {expected} ({state['Error']})")
        for name, policy in self.policies.items():
            found = one.inspect(name)["HostConfig"]["RestartPolicy"]["Name"]
            if found != policy:
                self.problem(f"{when}: the policy of {name} is {found!r} instead of {policy!r}")
        found = {entry["Name"] for entry in one.do("GET", "/volumes")["Volumes"] if len(entry["Name"]) < 64}
        if found != self.volumes:
            self.problem(f"{when}: volumes {found} instead of {self.volumes}")
        found = {entry["Name"] for entry in one.do("GET", "/networks")} - {"bridge", "host", "none", "davit"}
        if found != self.networks:
            self.problem(f"{when}: networks {found} instead of {self.networks}")
        found = {tag for entry in one.do("GET", "/images/json") for tag in entry["RepoTags"] or []}
        if found != self.images:
            self.problem(f"{when}: images {found} instead of {self.images}")

    def run(self, way, number):
        """True if the Nth call was there."""
        self.fill()
        self.control.set(*((WAYS[way][0], number, WAYS[way][1])))
        self.play()
        hits = self.control.hits()
        if not self.host.is_alive():
            self.problem("davitd has ended")
            return True
        self.check("before davitd is killed")
        self.host.kill()
        if WAYS[way][0] == FROM and WAYS[way][1] != errno.EIO:
            self.host.start()
            self.check("on a disk that is still full")
            self.host.kill()
        self.control.set(OFF)
        self.host.start()
        if WAYS[way] == (FROM, errno.EIO):
            self.excuse()
        self.check("afterwards")
        self.last()
        return hits > 0

    def last(self):
        """All works again."""
        one = self.host
        one.create("after", ["sh", "-c", "echo works"])
        one.begin("after")
        if one.wait("after") != 0 or one.logs("after") != "works\n":
            self.problem("afterwards nothing can be run")
        for name in list(self.containers) + ["after"]:
            one.do("DELETE", f"/containers/{name}?force=1&v=1", expected=(204, 404))
        left = os.listdir(one.root / "containers")
        if left:
            self.problem(f"left: {left}")


def play(directory, way, number):
    one = Round(directory)
    reached = True
    try:
        try:
            reached = one.run(way, number)
        except (Refused, Lost, AssertionError, OSError) as error:
            one.problem(f"{type(error).__name__}: {error}")
        if one.problems:
            one.problem("refused: " + ", ".join(one.refused))
            one.problem("log: " + one.host.log_text()[-1500:])
    finally:
        one.host.clean()
    return one.problems, reached


def main():
    directory = pathlib.Path(sys.argv[1]) / "davit"
    mode = sys.argv[2] if len(sys.argv) > 2 else "every"
    step = int(sys.argv[3]) if mode == "every" and len(sys.argv) > 3 else 7
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
    chance = random.Random(seed)
    failed = played = 0

    def one(way, number):
        nonlocal failed, played
        problems, reached = play(directory, way, number)
        played += 1
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {played} - {way}, from call {number} on" if WAYS[way][0] == FROM else f"{'not ok' if problems else 'ok'} {played} - {way}, at call {number}", flush=True)
        for problem in problems:
            print("# " + problem.replace("\n", "\n#   "), flush=True)
        return reached

    if mode == "random":
        end = time.monotonic() + float(sys.argv[3])
        while time.monotonic() < end:
            one(chance.choice(list(WAYS)), chance.randrange(1, 160))
    else:
        for way in os.environ.get("WAYS", "full,quota,failing,one error" if mode == "all" else "full,one error").split(","):
            number = 1
            while one(way, number):
                number += 1 if mode == "all" else step
    print(f"{played - failed} passed, {failed} failed, seed {seed}")
    sys.exit(failed != 0)


host.in_own_namespaces()
main()
