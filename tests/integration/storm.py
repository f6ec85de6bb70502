"""storm.py DAVITD DAVIT IMAGE-ARCHIVE DIRECTORY ROUNDS [SEED]: kills davitd with SIGKILL at random moments while
containers are made, started, run, and removed, and then looks whether everything that was acknowledged is true: no
container lost, no log line lost or doubled, every exit status right, nothing left over. Prints what it has counted."""
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

from api import Connection

davitd, davit, image = sys.argv[1:4]
directory, rounds = pathlib.Path(sys.argv[4]), int(sys.argv[5])
seed = int(sys.argv[6]) if len(sys.argv) > 6 else random.randrange(1 << 30)
chance = random.Random(seed)
sock = str(directory / "run/davit.sock")
parent = f"/davit-storm-{os.getpid()}"
THREADS, LINES = 4, 40
counts = {"rounds": 0, "created": 0, "started": 0, "removed": 0, "in flight": 0, "checked": 0}


class Lost(Exception):
    """davitd went away in the middle."""


def call(method, path, body=None, expected=(200, 201, 204, 304)):
    connection = Connection(sock, 60)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in expected:
            raise AssertionError(f"{method} {path}: {answer.status} {data!r}")
        return answer.status, data
    except (OSError, http.client.HTTPException) as error:
        raise Lost(str(error)) from error
    finally:
        connection.close()


class Container:
    def __init__(self, name):
        self.name = name
        self.code = chance.randrange(1, 100)
        self.acknowledged = set()  # of "created", "started", "removed"
        self.in_flight = None


def live(container):
    """One container's life, as far as it comes."""
    script = f"i=0; while [ $i -lt {LINES} ]; do echo {container.name} $i; echo err $i >&2; i=$((i+1)); done; exit {container.code}"
    steps = [("created", "POST", f"/containers/create?name={container.name}", {"Image": "busybox", "Cmd": ["sh", "-c", script],
                                                                              "Volumes": {"/v": {}} if container.code % 3 == 0 else {}}),
             ("started", "POST", f"/containers/{container.name}/start", None)]
    if container.code % 4 == 0:
        steps += [("waited", "POST", f"/containers/{container.name}/wait", None),
                  ("removed", "DELETE", f"/containers/{container.name}?v=1", None)]
    for step, method, path, body in steps:
        container.in_flight = step
        call(method, path, body)
        container.acknowledged.add(step)
        container.in_flight = None


def work(containers, number, stop):
    serial = 0
    while not stop.is_set():
        container = Container(f"s{counts['rounds']}-{number}-{serial}")
        serial += 1
        containers.append(container)
        try:
            live(container)
        except Lost:
            return


def start_daemon():
    log = open(directory / "log", "a")
    process = subprocess.Popen([davitd, "--root", str(directory / "root"), "--run", str(directory / "run"),
                                "--config", str(directory / "davitd.json")], stdout=log, stderr=log)
    while True:
        try:
            call("GET", "/_ping")
            return process
        except Lost:
            assert process.poll() is None, "davitd does not start"
            time.sleep(0.005)


def read_log(name):
    _, data = call("GET", f"/containers/{name}/logs?stdout=1&stderr=1")
    streams = {1: b"", 2: b""}
    while data:
        length = int.from_bytes(data[4:8], "big")
        streams[data[0]] += data[8:8 + length]
        data = data[8 + length:]
    return streams[1].decode(), streams[2].decode()


def check(container):
    status, data = call("GET", f"/containers/{container.name}/json", expected=(200, 404))
    exists = status == 200
    assert "removed" not in container.acknowledged or not exists, f"{container.name} was removed, and is there"
    if container.in_flight == "removed" or "removed" in container.acknowledged:
        if not exists:
            return
    elif "created" in container.acknowledged:
        assert exists, f"{container.name} was created, and is lost"
    elif not exists:
        return
    if "started" in container.acknowledged:
        call("POST", f"/containers/{container.name}/wait")
    elif json.loads(data)["State"]["Status"] == "running":
        call("POST", f"/containers/{container.name}/wait")
    state = json.loads(call("GET", f"/containers/{container.name}/json")[1])["State"]
    if "started" in container.acknowledged:
        assert state["Status"] == "exited", (container.name, state)
    if state["Status"] == "exited":
        assert state["ExitCode"] == container.code, (container.name, container.code, state)
        out, err = read_log(container.name)
        assert out == "".join(f"{container.name} {i}\n" for i in range(LINES)), (container.name, out)
        assert err == "".join(f"err {i}\n" for i in range(LINES)), (container.name, err)
    counts["checked"] += 1
    call("DELETE", f"/containers/{container.name}?v=1&force=1")


def check_leftovers():
    left = [str(path) for part in ("root/containers", "root/volumes", "run/containers") for path in (directory / part).iterdir()]
    assert not left, left
    with open("/proc/self/mountinfo") as mounts:
        assert str(directory / "root") not in mounts.read().replace(f" {directory} ", " ")
    own = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if "davit-monitor" in (process / "cmdline").read_text() and str(directory) in os.readlink(process / "fd/64"):
                own.append(process.name)
        except OSError:
            continue
    assert not own, own


def check_cgroups():
    with open("/proc/self/mountinfo") as mounts:
        points = [line.split()[4] for line in mounts if " - cgroup2 " in line]
    left = [point + parent for point in points if os.path.exists(point + parent)]
    assert not left, left


def main():
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "davitd.json").write_text(json.dumps({"cgroup_parent": parent}))
    daemon = start_daemon()
    subprocess.run([davit, "--host", f"unix://{sock}", "load", "--input", image], check=True, stdout=subprocess.DEVNULL)
    for counts["rounds"] in range(1, rounds + 1):
        containers, stop = [], threading.Event()
        workers = [threading.Thread(target=work, args=(containers, number, stop)) for number in range(THREADS)]
        for worker in workers:
            worker.start()
        time.sleep(chance.random() * 0.25)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        stop.set()
        for worker in workers:
            worker.join()
        daemon = start_daemon()
        for container in containers:
            counts["in flight"] += container.in_flight is not None
            for step in container.acknowledged & {"created", "started", "removed"}:
                counts[step] += 1
            check(container)
    # Volumes of a create that was not acknowledged belong to nobody.
    call("POST", "/volumes/prune", None)
    check_leftovers()
    daemon.terminate()
    daemon.wait()
    check_cgroups()
    print(f"seed {seed}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))


try:
    main()
except BaseException:
    print(f"seed {seed}, {counts}", file=sys.stderr)
    raise
