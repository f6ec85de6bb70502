#!/usr/bin/env python3
"""stopped.py DIRECTORY [all | random SECONDS [SEED]]: stops (SIGSTOP) or kills each process of davit but davitd itself at each step
of a container's life. Meanwhile davitd answers, a neighbour lives on and takes execs, and kill ends the container. When the process
goes on, all is as it should be.

Without more words: every process at every step, stopped. "all": also killed."""
import os
import pathlib
import random
import signal
import sys
import threading
import time

import host
from host import Host, Lost, Refused, descendants, until

STEPS = ["create", "start", "exec", "copy out", "copy in", "logs", "stop", "kill", "remove", "commit", "import", "changes", "df", "volume", "network"]
TARGETS = ["davit-spawner", "davit-monitor", "davit-image", "davit-resolver", "container"]


class Watcher(threading.Thread):
    """Asks davitd all the time, and remembers the longest that it took."""

    def __init__(self, one):
        super().__init__(daemon=True)
        self.host, self.longest, self.failure, self.ends = one, 0.0, None, False

    def run(self):
        while not self.ends:
            begun = time.monotonic()
            try:
                if self.host.call("GET", "/_ping", timeout=30)[0] != 200:
                    self.failure = "not 200"
            except Lost as lost:
                self.failure = str(lost)
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.01)

    def end(self):
        self.ends = True
        if self.is_alive():
            self.join()
        return self.failure


class Step(threading.Thread):
    """A step that may not come to its end before the process goes on."""

    def __init__(self, one, what):
        super().__init__(daemon=True)
        self.host, self.what, self.problem = one, what, None

    def run(self):
        try:
            self.act()
        except Refused as refused:
            self.problem = str(refused)
        except Lost as lost:
            self.problem = str(lost)

    def act(self):
        call = lambda *arguments, **more: self.host.call(*arguments, timeout=100, **more)
        tar = b"\0" * 10240
        {"create": lambda: call("POST", "/containers/create?name=new", {"Image": "busybox", "Cmd": ["true"]}),
         "start": lambda: call("POST", "/containers/made/start"),
         "exec": lambda: self.host.exec("runs", "true"),
         "copy out": lambda: call("GET", "/containers/runs/archive?path=/bin"),
         "copy in": lambda: call("PUT", "/containers/runs/archive?path=/tmp", data=tar),
         "logs": lambda: call("GET", "/containers/runs/logs?stdout=1"),
         "stop": lambda: call("POST", "/containers/runs/stop?t=1"),
         "kill": lambda: call("POST", "/containers/runs/kill"),
         "remove": lambda: call("DELETE", "/containers/runs?force=1"),
         "commit": lambda: call("POST", "/commit?container=runs&repo=made&tag=1", {}),
         "import": lambda: call("POST", "/images/create?fromSrc=-&repo=other&tag=2", data=tar),
         "changes": lambda: call("GET", "/containers/runs/changes"),
         "df": lambda: call("GET", "/system/df"),
         "volume": lambda: call("POST", "/volumes/create", {"Name": "fresh"}),
         "network": lambda: call("POST", "/networks/wire/connect", {"Container": "runs"})}[self.what]()


class Round:
    def __init__(self, directory):
        self.host = Host(directory, {"DAVIT_DEFAULT_NETWORK": "bridge"})
        self.problems = []

    def fill(self):
        one = self.host
        if not one.pid:
            one.start()
            one.load()
            one.do("POST", "/networks/create", {"Name": "wire"})
            one.create("neighbour", ["sh", "-c", "i=0; while :; do echo $((i=i+1)); sleep 0.05; done"])
            one.begin("neighbour")
        for name in ("runs", "made", "new"):
            one.call("DELETE", f"/containers/{name}?force=1")
        one.create("runs", ["sh", "-c", "trap 'exit 4' TERM; echo started; while :; do sleep 0.05; done"])
        one.create("made", ["sleep", "1000"])
        one.begin("runs")
        until("runs has begun", lambda: "started" in one.logs("runs"))

    def find(self, target, known):
        """A process of that name; of monitors and containers not the neighbour's, of workers a new one."""
        neighbour = self.host.inspect("neighbour")["State"]["Pid"]
        its_monitor = host.stat_of(neighbour)[2]
        for pid, (name, state, parent) in descendants().items():
            if state == "Z" or pid in (neighbour, its_monitor):
                continue
            if target == "container" and pid == self.pid_of_runs:
                return pid
            if name == target and (target not in ("davit-image", "davit-monitor") or pid not in known):
                return pid
        return None

    def run(self, step, target, number):
        self.fill()
        one = self.host
        self.pid_of_runs = one.inspect("runs")["State"]["Pid"]
        # Of a start the monitor is the new one; else that of the container that runs.
        known = set(descendants()) if target == "davit-image" or step == "start" else {one.pid}
        watcher = Watcher(one)
        acting = Step(one, step)
        pid = self.find(target, known) if target not in ("davit-image",) and step != "start" else None
        if pid:
            os.kill(pid, number)
        watcher.start()
        acting.start()
        deadline = time.monotonic() + 1
        while pid is None and acting.is_alive() and time.monotonic() < deadline:
            pid = self.find(target, known)
            if pid:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pid = None
        if pid and target == "davit-spawner" and number == signal.SIGKILL:
            self.start_again(watcher)
        self.look(step, target)
        if pid and number == signal.SIGSTOP:
            self.end_container(target)
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        acting.join(100)
        if acting.is_alive():
            self.problems.append("the step does not come to its end")
        failure = watcher.end()
        if failure:
            self.problems.append(f"while it was stopped: {failure}")
        self.settle()
        return pid is not None, watcher.longest

    def start_again(self, watcher):
        """davitd ends without its spawner, which nobody else can be; whoever runs it starts it again."""
        watcher.end()
        watcher.failure = None
        until("davitd has ended", lambda: not self.host.is_alive())
        self.host.start()

    def look(self, step, target):
        """Others live on."""
        one = self.host
        before = one.logs("neighbour").count("\n")
        until("the neighbour goes on", lambda: one.logs("neighbour").count("\n") > before, 20)
        if one.exec("neighbour", "echo", "works") != "works\n":
            self.problems.append("the neighbour takes no exec")

    def end_container(self, target):
        """Kill means kill, whatever is stopped."""
        one = self.host
        if one.call("GET", "/containers/runs/json")[0] != 200:
            return
        state = one.inspect("runs")["State"]
        one.call("POST", "/containers/runs/kill")
        begun = time.monotonic()
        until("what is killed is dead", lambda: (host.stat_of(self.pid_of_runs) or ("", "Z", 0))[1] in "ZX", 20)
        self.took = time.monotonic() - begun

    def settle(self):
        """It can be started, run and removed again."""
        one = self.host
        for name in ("runs", "made", "new"):
            status, answer = one.call("DELETE", f"/containers/{name}?force=1", timeout=60)
            if status not in (204, 404):
                self.problems.append(f"{name} cannot be removed: {answer}")
        id = one.create("after", ["echo", "works"])
        one.begin("after")
        one.wait("after")
        if one.logs("after") != "works\n":
            self.problems.append("afterwards nothing runs")
        one.do("DELETE", "/containers/after")
        for path in ("/volumes/fresh", "/images/made:1", "/images/other:2"):
            one.call("DELETE", path)
        one.reap_orphans()


def main():
    mode = sys.argv[2] if len(sys.argv) > 2 else "stop"
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
    chance = random.Random(seed)
    one = Round(pathlib.Path(sys.argv[1]) / "davit")
    failed = played = 0
    longest = 0.0

    def play(step, target, number):
        nonlocal failed, played, longest, one
        one.problems = []
        found, took = False, 0.0
        try:
            found, took = one.run(step, target, number)
        except (Refused, Lost, AssertionError, TypeError) as error:
            one.problems.append(f"{type(error).__name__}: {error}")
            if not one.host.is_alive():
                one.problems.append("davitd has ended: " + one.host.log_text()[-800:])
        played += 1
        failed += bool(one.problems)
        longest = max(longest, took)
        print(f"{'not ok' if one.problems else 'ok'} {played} - {target} {'stopped' if number == signal.SIGSTOP else 'killed'} at {step}"
              f"{'' if found else ' (there was none)'}, answers within {took * 1000:.0f} ms", flush=True)
        for problem in one.problems:
            print("# " + problem.replace("\n", "\n#   "), flush=True)
        if one.problems:
            one.host.clean()
            one = Round(pathlib.Path(sys.argv[1]) / "davit")

    try:
        if mode == "random":
            end = time.monotonic() + float(sys.argv[3])
            while time.monotonic() < end:
                play(chance.choice(STEPS), chance.choice(TARGETS), chance.choice([signal.SIGSTOP, signal.SIGKILL]))
        else:
            for number in [signal.SIGSTOP] + ([signal.SIGKILL] if mode == "all" else []):
                for target in TARGETS:
                    for step in STEPS:
                        play(step, target, number)
    finally:
        one.host.clean()
    print(f"{played - failed} passed, {failed} failed, seed {seed}, /_ping within {longest * 1000:.0f} ms")
    sys.exit(failed != 0)


host.in_own_namespaces()
main()
