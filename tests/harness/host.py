"""A davitd with everything of its own, for harnesses: a private --root and --run, a cgroup parent, and whatever
processes it starts, found as descendants of who runs this (prctl(2) PR_SET_CHILD_SUBREAPER)."""
import ctypes
import hashlib
import http.client
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from api import Connection

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DAVIT_BUILD", TOP / "build"))
IMAGE = TOP / "build/integration/busybox.tar"
WAIT_S = 60  # what takes longer than that does not come

PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Lost(Exception):
    """davitd went away, or did not answer."""


class Refused(Exception):
    """davitd has answered something else than was expected."""

    def __init__(self, what, status, data):
        super().__init__(f"{what}: {status} {data!r}")
        self.status = status
        self.data = data


def until(what, condition, seconds=WAIT_S):
    """Waits until the condition is true, and returns what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"still not: {what}")
        time.sleep(0.01)


def stat_of(pid):
    """Name, state and parent of a process; None if it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return name, fields[0], int(fields[1])


def descendants(root=None):
    """{pid: (name, state, parent)} of all processes below one."""
    everybody = {int(entry): stat_of(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    found, last = {}, {root or os.getpid()}
    while last:
        last = {pid for pid, stat in everybody.items() if stat and stat[2] in last and pid not in found}
        found.update({pid: everybody[pid] for pid in last})
    return found


def reap():
    """Orphans come to us."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


class Host:
    def __init__(self, directory, environment=None, settings=None):
        self.directory = pathlib.Path(directory)
        self.root, self.run = self.directory / "root", self.directory / "run"
        self.socket = str(self.run / "davit.sock")
        self.log = self.directory / "log"
        self.parent = f"/davit-harness-{os.getpid()}"
        self.environment = {**os.environ, "DAVIT_DEFAULT_NETWORK": "none", **(environment or {})}
        self.pid = 0
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "davitd.json").write_text(json.dumps({"cgroup_parent": self.parent, **(settings or {})}))

    def launch(self):
        """Starts davitd; not through subprocess, whose bookkeeping and reap() would disturb each other."""
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        arguments = [str(BUILD / "davitd"), "--root", str(self.root), "--run", str(self.run), "--config", str(self.directory / "davitd.json")]
        self.pid = os.posix_spawn(arguments[0], arguments, self.environment, file_actions=[(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)])
        os.close(log)

    def start(self):
        """Starts davitd and waits until it answers. Lost if it ends instead: then log_text() says why."""
        self.launch()
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                if self.call("GET", "/_ping")[0] == 200:
                    return
            except Lost:
                pass
            if not self.is_alive():
                raise Lost("davitd does not start: " + self.log_text()[-400:])
            assert time.monotonic() < deadline, "davitd does not answer"
            time.sleep(0.005)

    def is_alive(self):
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0] == self.pid:
            self.pid = 0
        return self.pid != 0

    def end(self, number):
        if self.pid:
            os.kill(self.pid, number)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def call(self, method, path, body=None, timeout=WAIT_S, data=None, end=None):
        """The status, and what was answered; of an answer that goes on and on, until `end` seconds."""
        connection = Connection(self.socket, timeout)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(method, path, data if data is not None else json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read() if end is None else read_for(answer, end)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content

    def do(self, method, path, body=None, expected=(200, 201, 204, 304), **more):
        status, answer = self.call(method, path, body, **more)
        if status not in expected:
            raise Refused(f"{method} {path}", status, answer)
        return answer

    # What harnesses do again and again.

    def load(self, archive=IMAGE):
        return self.do("POST", "/images/load", data=open(archive, "rb"))

    def create(self, name, command, image="busybox", **more):
        return self.do("POST", f"/containers/create?name={name}", {"Image": image, "Cmd": command, **more})["Id"]

    def begin(self, name):
        self.do("POST", f"/containers/{name}/start")

    def wait(self, name):
        return self.do("POST", f"/containers/{name}/wait")["StatusCode"]

    def inspect(self, name):
        return self.do("GET", f"/containers/{name}/json")

    def exec(self, name, *command):
        """What the command has said."""
        id = self.do("POST", f"/containers/{name}/exec", {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True})["Id"]
        return demultiplex(self.do("POST", f"/exec/{id}/start", {"Detach": False}))

    def logs(self, name):
        return demultiplex(self.do("GET", f"/containers/{name}/logs?stdout=1&stderr=1"))

    def read_file(self, name, path):
        archive = self.do("GET", f"/containers/{name}/archive?path={path}")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return tar.extractfile(tar.next()).read()

    def cgroup_points(self):
        with open("/proc/self/mountinfo") as mounts:
            return [line.split()[4] for line in mounts if " - cgroup2 " in line]

    def reap_orphans(self):
        """What a killed monitor leaves comes to us, and a zombie has its user's keys, of which there are 200."""
        for pid, (_, state, parent) in descendants().items():
            if state == "Z" and parent == os.getpid() and pid != self.pid:
                os.waitpid(pid, os.WNOHANG)

    def clean(self):
        """Ends all that is left, whatever state it is in, and removes it."""
        self.kill()

        def is_empty():
            for pid in descendants():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            reap()
            return not descendants()

        until("no process is left", is_empty)
        for point in self.cgroup_points():
            for path, directories, _ in os.walk(point + self.parent, topdown=False):
                for one in directories:
                    os.rmdir(os.path.join(path, one))
            if os.path.isdir(point + self.parent):
                os.rmdir(point + self.parent)
        remove_tree(self.directory)


def read_for(answer, seconds):
    content, deadline = b"", time.monotonic() + seconds
    while (chunk := answer.read1(65536)) and time.monotonic() < deadline:
        content += chunk
    return content


def demultiplex(data):
    """A stream of both outputs (Docker's frames) as one text."""
    if not isinstance(data, bytes):  # it may have looked like JSON
        return str(data)
    text = b""
    while len(data) >= 8:
        length = int.from_bytes(data[4:8], "big")
        text += data[8 : 8 + length]
        data = data[8 + length :]
    return text.decode(errors="replace")


def digest(path):
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest()


def files_below(directory):
    """Paths of all regular files below, relative to it."""
    return sorted(str(path.relative_to(directory)) for path in pathlib.Path(directory).rglob("*") if path.is_file() and not path.is_symlink())


def remove_tree(path):
    """Trees that containers make are deeper than Python can go."""
    subprocess.run(["rm", "-rf", str(path)], check=True)


def end_cleanly(number, _):
    """Once: timeout(1) sends its signal twice, and what cleans up is not to be interrupted."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def in_own_namespaces():
    """Runs the harness again in a network and mount namespace of its own."""
    if os.environ.get("DAVIT_HARNESS_INSIDE"):
        signal.signal(signal.SIGTERM, end_cleanly)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["mount", "--bind", "/dev/null", "/etc/resolv.conf"], check=True)  # names fail at once, not after seconds
        return
    os.environ["DAVIT_HARNESS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, *sys.argv])
