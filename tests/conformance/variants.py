"""Configurations that engines write, and their neighbours: what compare_runtimes.py gives to each runtime.

A variant is a name and a list of changes to one base configuration. A change is a function of a Case, which has the
configuration and the root filesystem. variants() lists all that stand here by hand; pairs() combines them at random."""
import copy
import os
import random
import stat

CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
                "CAP_NET_BIND_SERVICE", "CAP_KILL", "CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_SYS_CHROOT"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
     "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
     "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
]
BASE = {
    "ociVersion": "1.0.2",
    "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": [],
                "env": ["PATH=/usr/local/bin:/usr/bin:/bin", "TERM=xterm", "HOME=/root"], "cwd": "/",
                "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
                "noNewPrivileges": True},
    "root": {"path": "rootfs", "readonly": False},
    "hostname": "compared",
    "mounts": MOUNTS,
    "linux": {"cgroupsPath": "/compare-runtimes/one",
              "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
              "maskedPaths": MASKED, "readonlyPaths": READONLY},
}


class Case:
    """One run's configuration and root filesystem, before the run."""

    def __init__(self, bundle, namespaces):
        self.config = copy.deepcopy(BASE)
        self.config["process"]["args"] = ["/report"] + namespaces
        self.bundle = bundle
        self.root = bundle / "rootfs"
        self.late = []  # what has to be done when all else has been

    def path(self, name):
        return self.root / name.lstrip("/")


def at(config, path, make=True):
    """The object that holds the last name of a dotted path, and that name."""
    *above, last = path.split(".")
    for name in above:
        if isinstance(config, list):
            config = config[int(name)]
        else:
            config = config.setdefault(name, {}) if make else config[name]
    return config, last


# Changes
def put(path, value):
    def change(case):
        holder, name = at(case.config, path)
        holder[name] = copy.deepcopy(value)
    return change


def add(path, *values):
    def change(case):
        holder, name = at(case.config, path)
        holder.setdefault(name, []).extend(copy.deepcopy(list(values)))
    return change


def drop(path):
    def change(case):
        holder, name = at(case.config, path)
        holder.pop(name, None)
    return change


def mount(destination, type, source, *options, **more):
    return add("mounts", {"destination": destination, "type": type, "source": source, "options": list(options), **more})


def bind(source, destination, *options):
    """A bind mount of a path below the bundle."""
    def change(case):
        case.config["mounts"].append({"destination": destination, "type": "bind", "source": str(case.bundle / source),
                                      "options": list(options)})
    return change


def remount(destination, **fields):
    """Changes the mount of the base that has this destination."""
    def change(case):
        for one in case.config["mounts"]:
            if one["destination"] == destination:
                one.update(copy.deepcopy(fields))
    return change


def unmount(*destinations):
    def change(case):
        case.config["mounts"] = [one for one in case.config["mounts"] if one["destination"] not in destinations]
    return change


def namespace(kind, path=None):
    """A namespace that is joined, or made if there is no path."""
    def change(case):
        spaces = case.config["linux"]["namespaces"]
        spaces[:] = [one for one in spaces if one["type"] != kind]
        spaces.append({"type": kind, **({"path": path} if path else {})})
    return change


def no_namespace(*kinds):
    def change(case):
        spaces = case.config["linux"]["namespaces"]
        spaces[:] = [one for one in spaces if one["type"] not in kinds]
    return change


def directory(name, mode=0o755, uid=0, gid=0):
    def change(case):
        path = case.path(name)
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        path.chmod(mode)
    return change


def file(name, text="", mode=0o644, uid=0, gid=0):
    def change(case):
        path = case.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.chown(path, uid, gid)
        path.chmod(mode)
    return change


def link(name, target):
    def change(case):
        path = case.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    return change


def node(name, kind, major, minor, mode=0o666):
    def change(case):
        path = case.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(path, {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[kind] | mode, os.makedev(major, minor))
    return change


def user_namespace(start=100000, size=65536):
    """A new user namespace, with a root filesystem that belongs to it."""
    def change(case):
        namespace("user")(case)
        for kind in ("uidMappings", "gidMappings"):
            case.config["linux"][kind] = [{"containerID": 0, "hostID": start, "size": size}]

        def give():
            for path in [case.root, *case.root.rglob("*")]:
                os.chown(path, start, start, follow_symlinks=False)
        case.late.append(give)
    return change


HOOK = """#!/bin/sh
state=$(cat)
{ echo "cwd $(pwd | sed "s,$B,BUNDLE,")"; echo "umask $(umask)"; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= -e LISTEN_ | sed "s,$B,BUNDLE,g" | sort
  echo "arguments $*"
  grep -c . "$B/rootfs/proc/self/status" 2>/dev/null | sed 's/^[1-9].*/mounts can be seen/'
  echo "$state" | grep -o '"status": *"[a-z]*"' | tr -d '":'
} > "$B/rootfs/hook-was-here" 2>&1
: > "$B/rootfs/hook-is-done"
echo to-output; echo to-error >&2
exit ${EXIT:-0}
"""


def hook(kind, text=HOOK, name="hook", **fields):
    """A hook that leaves in the root what it finds around it."""
    def change(case):
        path = case.bundle / name
        path.write_text(text.replace("#!/bin/sh\n", f"#!/bin/sh\nB={case.bundle}\n", 1))
        path.chmod(0o755)
        holder = case.config.setdefault("hooks", {}).setdefault(kind, [])
        holder.append({"path": str(path), **fields})
    return change


def after_the_hook(case):
    """A poststart hook runs beside the program, which waits for it here."""
    case.config["process"]["args"] = ["/bin/sh", "-c", 'i=0; while [ ! -e /hook-is-done ] && [ $i -lt 100 ]; do '
                                      '/bin/busybox sleep 0.02; i=$((i + 1)); done; exec "$@"', "sh", *case.config["process"]["args"]]


SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
           "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"


def of_values(group, path, values, *more):
    return {f"{group} {value!r}": [put(path, value), *more] for value in values}


def process():
    table = {}
    table.update(of_values("uid", "process.user.uid", [0, 1, 1000, 65534, 2**31, 2**32 - 2, 2**32 - 1, -1, "0"]))
    table.update(of_values("gid", "process.user.gid", [0, 1, 1000, 65534, 2**32 - 2, 2**32 - 1]))
    table.update(of_values("groups", "process.user.additionalGids",
                           [[], [0], [5, 5], [1, 2, 3], list(range(1, 65)), [2**32 - 1], None]))
    table.update(of_values("umask", "process.user.umask", [0, 0o22, 0o27, 0o777, 0o1777, 4095, 0o10022, -1, None]))
    table.update(of_values("username", "process.user.username", ["", "user", "nobody-knows"]))
    table.update(of_values("cwd", "process.cwd", ["/", "/tmp", "/not/there", "tmp", "", "/root", "/bin/../tmp", "/report"]))
    table["cwd of root alone, as a user"] = [directory("/root", 0o700), put("process.cwd", "/root"),
                                            put("process.user", {"uid": 1000, "gid": 1000})]
    table["cwd by a link"] = [link("/here", "/tmp"), put("process.cwd", "/here")]
    table["cwd by a link that dangles"] = [link("/here", "/nowhere/at/all"), put("process.cwd", "/here")]
    table["cwd without the property"] = [drop("process.cwd")]
    for home in ("root", "user", "nobody", "no file"):
        user = {"root": 0, "user": 1000}.get(home, 4321)
        table[f"home of {home}"] = [put("process.env", ["PATH=/bin"]), put("process.user", {"uid": user, "gid": user})] + (
            [] if home == "no file" else [file("/etc/passwd", PASSWD)])
    table["home by a passwd with a home that is empty"] = [put("process.env", ["PATH=/bin"]),
                                                           file("/etc/passwd", "root:x:0:0:root::/bin/sh\n")]
    table["home by a passwd with rubbish before"] = [put("process.env", ["PATH=/bin"]),
                                                     file("/etc/passwd", "\n#x\nfoo\nroot:x:0:0::/home/of/root:/bin/sh\n")]
    table["home by a passwd that is a link"] = [put("process.env", ["PATH=/bin"]), link("/etc/passwd", "/other"),
                                                file("/other", "root:x:0:0::/linked:/bin/sh\n")]
    for env in ([], ["A=1", "A=2"], ["A"], ["A="], ["=A"], ["A=b=c"], ["HOME="], ["HOME=/x", "HOME=/y"], [""], ["PATH="],
                ["A=1", "B=2", "A=3"], ["LISTEN_FDS=0"], ["A=line\nline"], None, ["A B=1"]):
        table[f"env {env!r}"] = [put("process.env", env)]
    table["env without PATH, a name"] = [put("process.env", ["A=1"]), link("/bin/called", "/report"),
                                         lambda case: case.config["process"]["args"].__setitem__(0, "called")]
    table["a name in PATH"] = [link("/usr/bin/called", "/report"), lambda case: case.config["process"]["args"].__setitem__(0, "called")]
    table["a relative program"] = [put("process.cwd", "/bin"), link("/bin/called", "/report"),
                                   lambda case: case.config["process"]["args"].__setitem__(0, "./called")]
    for args in ([], None, [""], ["/not/there"], ["/etc"], ["not-there"], ["/tmp/plain"]):
        table[f"args {args!r}"] = [file("/tmp/plain", "text"), put("process.args", args)]
    table["args absent"] = [drop("process.args")]
    for kind in ("bounding", "effective", "permitted", "inheritable", "ambient"):
        table[f"no {kind} capabilities"] = [put(f"process.capabilities.{kind}", [])]
        table[f"capabilities: all {kind}, three others"] = [
            put("process.capabilities", {k: ["CAP_CHOWN", "CAP_KILL"] for k in
                                         ("bounding", "effective", "permitted", "inheritable", "ambient")}),
            put(f"process.capabilities.{kind}", CAPABILITIES)]
    table["no capabilities property"] = [drop("process.capabilities")]
    table["capabilities of a user"] = [put("process.user", {"uid": 1000, "gid": 1000})]
    table["capabilities of a user, ambient"] = [put("process.user", {"uid": 1000, "gid": 1000})] + [
        put(f"process.capabilities.{kind}", ["CAP_KILL"]) for kind in ("effective", "permitted", "inheritable", "ambient")]
    for name in ("CAP_OF_TOMORROW", "chown", "CAP_CHOWN ", "cap_chown", "CHOWN", "CAP_SYS_RESOURCE", ""):
        table[f"bounding capability {name!r}"] = [add("process.capabilities.bounding", name)]
    table.update(of_values("no_new_privs", "process.noNewPrivileges", [True, False, None, 1]))
    table.update(of_values("oom", "process.oomScoreAdj", [0, 100, 1000, 1001, None, "1"]))
    table.update(of_values("terminal", "process.terminal", [None, 0]))
    for limits in ([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}], [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
                   [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": 200}], [{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}],
                   [{"type": "nofile", "soft": 10, "hard": 10}], [{"type": "RLIMIT_CPU", "soft": 2**64 - 1, "hard": 2**64 - 1}],
                   [{"type": "RLIMIT_CPU", "soft": 10, "hard": 20}] * 2, [{"type": "RLIMIT_STACK", "soft": 2**20, "hard": 2**23}],
                   [{"type": "RLIMIT_NPROC", "soft": 100, "hard": 100}], [{"type": "RLIMIT_NOFILE", "hard": 100}], [], None,
                   [{"type": "RLIMIT_NOFILE", "soft": -1, "hard": -1}]):
        table[f"rlimits {limits!r}"] = [put("process.rlimits", limits)]
    for scheduler in ({"policy": "SCHED_OTHER", "nice": 5}, {"policy": "SCHED_BATCH"}, {"policy": "SCHED_IDLE"},
                      {"policy": "SCHED_NONE"}, {"policy": "SCHED_OTHER", "nice": 40}):
        table[f"scheduler {scheduler!r}"] = [put("process.scheduler", scheduler)]
    for priority in ({"class": "IOPRIO_CLASS_BE", "priority": 4}, {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
                     {"class": "IOPRIO_CLASS_NONE", "priority": 0}, {"class": "IOPRIO_CLASS_BE", "priority": 9}):
        table[f"ioPriority {priority!r}"] = [put("process.ioPriority", priority)]
    table.update(of_values("apparmor", "process.apparmorProfile", ["", "unconfined", "docker-default"]))
    table.update(of_values("selinux", "process.selinuxLabel", ["", "system_u:system_r:container_t:s0"]))
    table.update(of_values("consoleSize", "process.consoleSize", [{"height": 10, "width": 20}, {"height": 0, "width": 0}]))
    table.update(of_values("commandLine", "process.commandLine", ["report"]))
    return table


def root_and_names():
    table = {}
    table.update(of_values("root readonly", "root.readonly", [True, False, None]))
    table.update(of_values("root path", "root.path", ["rootfs", "./rootfs", "rootfs/", "not-there", "", "config.json", "/"]))
    table["root path absolute"] = [lambda case: case.config["root"].__setitem__("path", str(case.root))]
    table["root path by a link"] = [lambda case: (case.bundle / "alias").symlink_to("rootfs"), put("root.path", "alias")]
    table["root absent"] = [drop("root")]
    table.update(of_values("hostname", "hostname", ["", "a", "a.b.c", "x" * 64, "x" * 65, None, 5]))
    table["hostname absent"] = [drop("hostname")]
    table.update(of_values("domainname", "domainname", ["", "example.org", "x" * 65]))
    table["domainname and its sysctl, the same"] = [put("domainname", "a.b"), put("linux.sysctl", {"kernel.domainname": "a.b"})]
    table["domainname and its sysctl, different"] = [put("domainname", "a.b"), put("linux.sysctl", {"kernel.domainname": "c.d"})]
    table["hostname without a uts namespace"] = [no_namespace("uts")]
    table["no hostname, no uts namespace"] = [no_namespace("uts"), drop("hostname")]
    table.update(of_values("ociVersion", "ociVersion", ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.0", "1.3.0", "2.0.0", "1.0", "", "x", None]))
    table.update(of_values("annotations", "annotations", [{"a": "b"}, {}, {"": "x"}, {"a": 1}, {"a": ""}, None]))
    for name, value in (("run.oci.keep_original_groups", "1"), ("run.oci.hooks.stdout", "BUNDLE/out"),
                        ("run.oci.seccomp.receiver", ""), ("org.systemd.property.TimeoutStopUSec", "uint64 1"),
                        ("run.oci.systemd.subgroup", "x"), ("run.oci.mount_context_type", "context"),
                        ("run.oci.pidfd_receiver", ""), ("run.oci.handler", "")):
        table[f"annotation {name}"] = [lambda case, name=name, value=value: case.config.setdefault("annotations", {}).__setitem__(
            name, value.replace("BUNDLE", str(case.bundle)))]
    table["unknown properties"] = [put("tomorrow", {"a": 1}), put("linux.tomorrow", [1]), put("process.tomorrow", "x")]
    table["a solaris part"] = [put("solaris", {"milestone": "x"}), put("windows", {"layerFolders": ["x"]})]
    return table


def mounts():
    table = {}
    data = [directory("/data"), lambda case: [(case.bundle / "source" / "sub").mkdir(parents=True),
                                             (case.bundle / "source" / "file").write_text("x")]]
    names = ["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "relatime", "norelatime",
             "strictatime", "nostrictatime", "nodiratime", "diratime", "sync", "async", "dirsync", "mand", "nomand", "lazytime",
             "nolazytime", "iversion", "noiversion", "silent", "loud", "defaults", "nosymfollow", "symfollow", "private",
             "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable", "rro", "rrw", "rnosuid", "rnodev",
             "rnoexec", "rnoatime", "rrelatime", "rstrictatime", "rnosymfollow", "remount", "copy-symlink",
             "x-foo", "x-foo=bar", "X-mount.mkdir", "nofail", "_netdev", "auto", "noauto", "user", "nouser", "users", "owner",
             "group", "comment=x", "size=1m", "mode=700", "uid=1", "gid=1", "context=system_u:object_r:x", "z", "Z", "U", "O",
             "upperdir=/x", "consistency=cached", "delegated", "cached", "bind-nonrecursive", "readonly", "volume-nocopy",
             "idmap", "ridmap", "idmap=uids=0-1-10#2-11-10", "idmap=0-1-10;2-11-10", "tmpcopyup", "notmpcopyup", "", " ", "nope",
             "ro,nosuid", "size=1m,mode=700", "rbind", "bind", "nr_inodes=10", "huge=never", "mpol=default", "noswap"]
    for option in names:
        table[f"bind {option!r}"] = data + [bind("source", "/data", "rbind", *([option] if option else [""]))]
        table[f"plain bind {option!r}"] = data + [bind("source", "/data", "bind", option)]
        table[f"tmpfs {option!r}"] = data + [mount("/data", "tmpfs", "tmpfs", option)]
    for first, second in (("ro", "rw"), ("rw", "ro"), ("nosuid", "suid"), ("noatime", "relatime"), ("private", "rshared"),
                          ("ro", "rro"), ("rro", "rw"), ("noexec", "exec"), ("strictatime", "noatime")):
        table[f"bind {first} and {second}"] = data + [bind("source", "/data", "rbind", first, second)]
        table[f"tmpfs {first} and {second}"] = data + [mount("/data", "tmpfs", "tmpfs", first, second)]
    table["tmpfs on a directory with a mode"] = [directory("/data", 0o750, 7, 8), mount("/data", "tmpfs", "tmpfs")]
    table["tmpfs on a directory with a mode, nosuid"] = [directory("/data", 0o750), mount("/data", "tmpfs", "tmpfs", "nosuid")]
    table["tmpfs on nothing"] = [mount("/data", "tmpfs", "tmpfs")]
    table["tmpfs mode=0700"] = data + [mount("/data", "tmpfs", "tmpfs", "mode=0700")]
    table["tmpfs ro with a mount below"] = [mount("/data", "tmpfs", "tmpfs", "ro"), mount("/data/sub", "tmpfs", "tmpfs")]
    table["tmpfs ro with a bind below"] = data + [mount("/data", "tmpfs", "tmpfs", "ro"), bind("source", "/data/sub", "rbind")]
    table["tmpcopyup of files"] = [file("/data/file", "x"), link("/data/link", "file"), mount("/data", "tmpfs", "tmpfs", "tmpcopyup")]
    table["tmpcopyup ro of files"] = [file("/data/file", "x"), mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "ro")]
    table["dev ro, podman's read-only"] = [remount("/dev", options=["nosuid", "strictatime", "mode=755", "size=65536k", "ro"])]
    table["dev ro and root read-only"] = [remount("/dev", options=["nosuid", "mode=755", "ro"]), put("root.readonly", True)]
    table["dev as a bind"] = [unmount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"), bind("device", "/dev", "bind"),
                              lambda case: (case.bundle / "device").mkdir()]
    table["no dev"] = [unmount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")]
    table["no proc"] = [unmount("/proc"), drop("linux.maskedPaths"), drop("linux.readonlyPaths")]
    table["no mounts"] = [drop("mounts")]
    table["no sys"] = [unmount("/sys", "/sys/fs/cgroup")]
    table["no devpts"] = [unmount("/dev/pts")]
    table["no cgroup"] = [unmount("/sys/fs/cgroup")]
    table["cgroup2 as a type"] = [remount("/sys/fs/cgroup", type="cgroup2")]
    table["cgroup rw"] = [remount("/sys/fs/cgroup", options=["rw", "nosuid"])]
    table["cgroup without a namespace"] = [no_namespace("cgroup")]
    table["sys as a bind"] = [unmount("/sys", "/sys/fs/cgroup"), mount("/sys", "bind", "/sys", "rbind", "ro")]
    table["proc as a bind"] = [unmount("/proc"), mount("/proc", "bind", "/proc", "rbind")]
    table["proc with hidepid"] = [remount("/proc", options=["nosuid", "hidepid=2"])]
    table["proc with subset"] = [remount("/proc", options=["subset=pid"]), drop("linux.maskedPaths"), drop("linux.readonlyPaths")]
    table["sysfs rw"] = [remount("/sys", options=["rw"])]
    table["devpts without options"] = [remount("/dev/pts", options=[])]
    table["devpts gid alone"] = [remount("/dev/pts", options=["newinstance", "gid=7", "mode=600"])]
    for target, name in (("/run/here", "to a path that is there"), ("/run/nowhere", "that dangles"),
                         ("../run/stub/resolv.conf", "that dangles, relative, deep"), ("/proc/self/cwd", "into proc"),
                         ("../../../../../../etc/target", "that climbs"), ("resolv.conf", "to itself")):
        table[f"bind of a file on a link {name}"] = data + [file("/run/here", "y"), link("/etc/resolv.conf", target),
                                                            bind("source/file", "/etc/resolv.conf", "rbind", "ro")]
        table[f"bind of a directory on a link {name}"] = data + [link("/linked", target.replace("here", "")),
                                                                 bind("source", "/linked", "rbind")]
    for destination in ("data", "/data/", "//data", "/data/../data", "/data/./sub", "/new/deep/path", "", "/", ".", "/data/file/x"):
        table[f"bind to {destination!r}"] = data + [file("/data/file"), bind("source", destination, "rbind")]
        table[f"tmpfs to {destination!r}"] = data + [file("/data/file"), mount(destination, "tmpfs", "tmpfs")]
    table["bind of a file to a new path"] = data + [bind("source/file", "/data/new/file", "rbind")]
    table["bind of a file on a directory"] = data + [bind("source/file", "/data", "rbind")]
    table["bind of a directory on a file"] = data + [file("/data/file"), bind("source", "/data/file", "rbind")]
    table["bind of what is not there"] = data + [bind("missing", "/data", "rbind")]
    table["bind relative"] = data + [mount("/data", "bind", "source", "rbind")]
    table["bind without a source"] = data + [add("mounts", {"destination": "/data", "type": "bind", "options": ["bind"]})]
    table["bind by options alone"] = data + [lambda case: case.config["mounts"].append(
        {"destination": "/data", "type": "none", "source": str(case.bundle / "source"), "options": ["rbind", "rprivate"]})]
    table["bind without a type"] = data + [lambda case: case.config["mounts"].append(
        {"destination": "/data", "source": str(case.bundle / "source"), "options": ["rbind"]})]
    table["type bind without the option"] = data + [lambda case: case.config["mounts"].append(
        {"destination": "/data", "type": "bind", "source": str(case.bundle / "source")})]
    table["bind of a device"] = data + [mount("/dev/foo", "bind", "/dev/null", "rbind")]
    table["bind of a socket"] = [lambda case: os.mknod(case.bundle / "socket", stat.S_IFSOCK | 0o600),
                                 bind("socket", "/data/socket", "rbind")]
    table["bind of a fifo"] = [lambda case: os.mkfifo(case.bundle / "fifo"), bind("fifo", "/data/fifo", "rbind")]
    table["bind by a link as the source"] = data + [lambda case: (case.bundle / "alias").symlink_to("source"), bind("alias", "/data", "rbind")]
    table["the same twice"] = data + [bind("source", "/data", "rbind"), bind("source", "/data", "rbind", "ro")]
    table["a tmpfs and a bind below"] = data + [mount("/data", "tmpfs", "tmpfs"), bind("source", "/data/sub", "rbind")]
    table["remount of what is there"] = data + [mount("/data", "tmpfs", "tmpfs"), mount("/data", "tmpfs", "tmpfs", "remount", "ro")]
    table["remount of a bind"] = data + [bind("source", "/data", "rbind"), mount("/data", "none", "none", "remount", "bind", "ro")]
    table["remount of nothing"] = data + [mount("/data", "tmpfs", "tmpfs", "remount", "ro")]
    table["remount with data"] = data + [mount("/data", "tmpfs", "tmpfs"), mount("/data", "tmpfs", "tmpfs", "remount", "size=1m")]
    table["an unknown filesystem"] = data + [mount("/data", "fs-of-tomorrow", "x")]
    table["type empty"] = data + [mount("/data", "", "tmpfs")]
    table["tmpfs without a source"] = data + [add("mounts", {"destination": "/data", "type": "tmpfs"})]
    table["options null"] = data + [add("mounts", {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": None})]
    table["mount without a destination"] = [add("mounts", {"type": "tmpfs", "source": "tmpfs"})]
    table["overlay"] = data + [lambda case: [(case.bundle / name).mkdir() for name in ("lower", "upper", "work")],
                               lambda case: mount("/data", "overlay", "overlay", *(
                                   f"{name}dir={case.bundle / name}" for name in ("lower", "upper", "work")))(case)]
    table["overlay lower alone"] = data + [lambda case: [(case.bundle / name).mkdir() for name in ("one", "two")],
                                           lambda case: mount("/data", "overlay", "overlay",
                                                              f"lowerdir={case.bundle / 'one'}:{case.bundle / 'two'}")(case)]
    table["ramfs"] = data + [mount("/data", "ramfs", "ramfs", "mode=711")]
    table["devtmpfs"] = data + [mount("/data", "devtmpfs", "devtmpfs")]
    table["proc elsewhere"] = data + [mount("/data", "proc", "proc")]
    table["sysfs elsewhere"] = data + [mount("/data", "sysfs", "sysfs", "ro")]
    table["proc on a link"] = [link("/proc", "/etc")]
    table["sys on a link"] = [link("/sys", "/etc")]
    table["dev on a link"] = [link("/dev", "/etc")]
    table["mqueue without an ipc namespace"] = [no_namespace("ipc")]
    table["sysfs without a network namespace"] = [no_namespace("network")]
    return table


def devices_and_paths():
    table = {}
    for mode in (0o666, 0o600, 0o20666, 0o4777, 0o10666, 0o100666, 438, 0, None, -1):
        table[f"device fileMode {mode!r}"] = [add("linux.devices", {"path": "/dev/foo", "type": "c", "major": 1, "minor": 5,
                                                                    "fileMode": mode, "uid": 0, "gid": 0})]
    for kind, major, minor in (("c", 10, 229), ("b", 7, 0), ("u", 1, 3), ("p", 0, 0), ("x", 1, 3), ("", 1, 3), ("c", -1, -1),
                               ("c", 2**20, 5), ("a", 1, 3)):
        table[f"device {kind!r} {major}:{minor}"] = [add("linux.devices", {"path": "/dev/foo", "type": kind, "major": major, "minor": minor})]
    table["device with an owner"] = [add("linux.devices", {"path": "/dev/foo", "type": "c", "major": 1, "minor": 5, "uid": 7, "gid": 8})]
    table["device without numbers"] = [add("linux.devices", {"path": "/dev/foo", "type": "c"})]
    table["fifo without numbers"] = [add("linux.devices", {"path": "/dev/foo", "type": "p", "fileMode": 0o600})]
    for path in ("/foo", "/dev/deep/foo", "/dev/ptmx", "/dev/null", "/dev/console", "/dev/tty", "/dev/pts/foo", "foo", "", "/dev/",
                 "/dev/../foo", "/tmp/foo", "/dev/shm/foo", "/proc/foo"):
        table[f"device at {path!r}"] = [add("linux.devices", {"path": path, "type": "c", "major": 1, "minor": 5, "fileMode": 0o666})]
    table["device /dev/null as it is"] = [add("linux.devices", {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600})]
    table["device twice"] = [add("linux.devices", *[{"path": "/dev/foo", "type": "c", "major": 1, "minor": 5}] * 2)]
    table["device where a file is"] = [unmount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"), file("/dev/foo", "x"),
                                       add("linux.devices", {"path": "/dev/foo", "type": "c", "major": 1, "minor": 5})]
    table["device where the same is"] = [unmount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"), node("/dev/foo", "c", 1, 5, 0o600),
                                         add("linux.devices", {"path": "/dev/foo", "type": "c", "major": 1, "minor": 5})]
    table["device by a link"] = [link("/away", "/tmp"), add("linux.devices", {"path": "/away/foo", "type": "c", "major": 1, "minor": 5})]
    table["a user namespace: device of the host"] = [user_namespace(), add("linux.devices", {"path": "/dev/foo", "type": "c", "major": 1, "minor": 5})]
    table["a user namespace: device by its own path"] = [user_namespace(), add("linux.devices", {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229})]
    table["a user namespace: device that is nowhere"] = [user_namespace(), add("linux.devices", {"path": "/dev/foo", "type": "c", "major": 250, "minor": 77})]
    table["a user namespace: a fifo"] = [user_namespace(), add("linux.devices", {"path": "/dev/foo", "type": "p", "fileMode": 0o644})]
    table["a user namespace: device with a mode and owner"] = [user_namespace(), add(
        "linux.devices", {"path": "/dev/foo", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8})]
    for rules in ([], [{"allow": False, "access": "rwm"}], [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"}],
                  [{"allow": True, "access": "rwm"}], [{"allow": True, "type": "a", "access": "rwm"}],
                  [{"allow": False}, {"allow": True, "type": "c", "major": 1, "access": "rw"}], [{"allow": True, "type": "x", "access": "r"}],
                  [{"allow": False, "type": "c", "major": -1, "minor": -1, "access": "rwm"}], [{"allow": False, "type": "c", "major": 1, "minor": 3, "access": "rwm"}],
                  [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwmx"}], [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": ""}],
                  [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", "access": "m"}], None):
        table[f"device rules {rules!r}"] = [put("linux.resources", {"devices": rules})]
    for kind in ("maskedPaths", "readonlyPaths"):
        for paths in ([], None, ["/not/there"], ["/data/secret"], ["/data"], ["data"], ["/data/linked"], ["/"], [""], ["/proc/self/cwd"], ["/data/../etc"],
                      ["/data/secret", "/data/secret"], ["/proc"], ["/dev/null"], ["/data/secret/below"]):
            table[f"{kind} {paths!r}"] = [file("/data/secret", "s"), link("/data/linked", "/etc"), put(f"linux.{kind}", paths)]
    table["masked below a mount"] = [mount("/data", "tmpfs", "tmpfs"), put("linux.maskedPaths", ["/data/x", "/data"])]
    return table


def linux():
    table = {}
    for word in ("", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable", "none", None):
        table[f"rootfsPropagation {word!r}"] = [put("linux.rootfsPropagation", word)]
        table[f"rootfsPropagation {word!r} and a read-only root"] = [put("linux.rootfsPropagation", word), put("root.readonly", True)]
    for kind in ("pid", "network", "ipc", "uts", "cgroup", "user", "time", "mount"):
        if kind != "mount":  # crun changes the root of its caller then
            table[f"no {kind} namespace"] = [no_namespace(kind)] + ([drop("hostname")] if kind == "uts" else [])
            table[f"{kind} namespace of the host, by path"] = [namespace(kind, f"/proc/1/ns/{'net' if kind == 'network' else kind}")]
        table[f"{kind} namespace twice"] = [add("linux.namespaces", {"type": kind}, {"type": kind})]
        table[f"{kind} namespace of nothing"] = [namespace(kind, "/not/there")]
        table[f"{kind} namespace by an empty path"] = [add("linux.namespaces")] + [
            lambda case, kind=kind: [one.__setitem__("path", "") for one in case.config["linux"]["namespaces"] if one["type"] == kind]]
    table["an unknown namespace"] = [add("linux.namespaces", {"type": "tomorrow"})]
    table["a namespace path that is relative"] = [namespace("network", "proc/1/ns/net")]
    table["a namespace path of another type"] = [namespace("network", "/proc/1/ns/uts")]
    table["a user namespace"] = [user_namespace()]
    table["a user namespace, the host's network by path"] = [user_namespace(), namespace("network", "/proc/self/ns/net"), unmount("/sys", "/sys/fs/cgroup"),
                                                            mount("/sys", "bind", "/sys", "rbind", "ro", "nosuid", "noexec", "nodev")]
    table["a user namespace, the host's network by path, sysfs"] = [user_namespace(), namespace("network", "/proc/self/ns/net")]
    table["a user namespace, no network namespace"] = [user_namespace(), no_namespace("network"), unmount("/sys", "/sys/fs/cgroup"),
                                                       mount("/sys", "bind", "/sys", "rbind", "ro", "nosuid", "noexec", "nodev")]
    for kind in ("ipc", "uts", "cgroup"):
        table[f"a user namespace, the host's {kind} by path"] = [user_namespace(), namespace(kind, f"/proc/self/ns/{kind}")] + (
            [drop("hostname")] if kind == "uts" else [unmount("/dev/mqueue")] if kind == "ipc" else [unmount("/sys/fs/cgroup")])
    table["a user namespace, the host's pid by path"] = [user_namespace(), namespace("pid", "/proc/self/ns/pid")]
    table["a user namespace, one id"] = [user_namespace(size=1)]
    table["a user namespace, two ranges"] = [user_namespace(), *(
        put(f"linux.{kind}", [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 200000, "size": 1000}]) for kind in ("uidMappings", "gidMappings"))]
    table["a user namespace, user 1000"] = [user_namespace(), put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [7]})]
    table["a user namespace, a user that is not mapped"] = [user_namespace(size=10), put("process.user", {"uid": 1000, "gid": 1000})]
    table["a user namespace, root mapped to root"] = [user_namespace(start=0, size=1000)]
    table["a user namespace, no mappings"] = [namespace("user")]
    table["a user namespace, uid mappings alone"] = [user_namespace(), drop("linux.gidMappings")]
    table["a user namespace, a terminal's devpts without gid"] = [user_namespace(), remount("/dev/pts", options=["newinstance", "ptmxmode=0666"])]
    table["a user namespace and a read-only root"] = [user_namespace(), put("root.readonly", True)]
    table["a user namespace and a bind"] = [user_namespace(), lambda case: (case.bundle / "source").mkdir(), bind("source", "/data", "rbind", "ro")]
    table["a user namespace and a tmpfs uid"] = [user_namespace(), mount("/data", "tmpfs", "tmpfs", "uid=5", "gid=6")]
    table["id mappings without a user namespace"] = [put(f"linux.{kind}", [{"containerID": 0, "hostID": 1, "size": 5}]) for kind in ("uidMappings", "gidMappings")]
    table["id mappings that are empty"] = [put(f"linux.{kind}", []) for kind in ("uidMappings", "gidMappings")]
    table["timeOffsets without a time namespace"] = [put("linux.timeOffsets", {"monotonic": {"secs": 10}})]
    table["timeOffsets"] = [namespace("time"), put("linux.timeOffsets", {"monotonic": {"secs": 10, "nanosecs": 5}, "boottime": {"secs": -1}})]
    # Not "/": runc and crun kill all of the host when they delete that container.
    for path in ("", "/compare-runtimes/a/b", "compare-runtimes/c", "/compare-runtimes/x/../d", "../compare-runtimes/e", "a:b:c", "/compare-runtimes/x y",
                 "/compare-runtimes//f/", None):
        table[f"cgroupsPath {path!r}"] = [put("linux.cgroupsPath", path)]
    table["cgroupsPath absent"] = [drop("linux.cgroupsPath")]
    for sysctl in ({"net.ipv4.ip_forward": "1"}, {"net.core.somaxconn": "100"}, {"kernel.shmmax": "1000000"}, {"kernel.msgmax": "4096"}, {"fs.mqueue.msg_max": "5"},
                   {"kernel.domainname": "x.y"}, {"kernel.hostname": "other"}, {"kernel.panic": "0"}, {"net/ipv4/ip_forward": "1"}, {"not.there": "1"}, {"net.not.there": "1"},
                   {"vm.swappiness": "60"}, {"kernel.sem": "32000 1024000000 500 32000"}, {"net.ipv4.ping_group_range": "0 0"}, {"": "1"}, {"kernel.shm_rmid_forced": "1"}, None, {},
                   {"net.ipv4.conf.all.forwarding": "1"}, {"net.ipv4.ip_forward": 1}, {"kernel.shmmni": "5000"}, {"user.max_user_namespaces": "5"}):
        table[f"sysctl {sysctl!r}"] = [put("linux.sysctl", sysctl)]
    table["net sysctl without a network namespace"] = [no_namespace("network"), put("linux.sysctl", {"net.ipv4.ip_forward": "1"})]
    table["net sysctl, the host's namespace by path"] = [namespace("network", "/proc/1/ns/net"), put("linux.sysctl", {"net.ipv4.ip_forward": "1"})]
    table["ipc sysctl without an ipc namespace"] = [no_namespace("ipc"), unmount("/dev/mqueue"), put("linux.sysctl", {"kernel.shmmax": "1000000"})]
    for personality in ({"domain": "LINUX"}, {"domain": "LINUX32"}, {"domain": "linux"}, {"domain": "BSD"}, {"domain": "LINUX", "flags": []}, {"domain": ""}):
        table[f"personality {personality!r}"] = [put("linux.personality", personality)]
    table.update(of_values("mountLabel", "linux.mountLabel", ["", "system_u:object_r:container_file_t:s0"]))
    for rdt in ({"closID": "x"}, {"closID": ""}, {}):
        table[f"intelRdt {rdt!r}"] = [put("linux.intelRdt", rdt)]
    return table


def seccomp():
    table = {"seccomp": [put("linux.seccomp", SECCOMP)], "seccomp null": [put("linux.seccomp", None)], "seccomp empty": [put("linux.seccomp", {})]}
    for action in ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_TRACE",
                   "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_NONE", "", "SCMP_ACT_ERRNO "):
        table[f"seccomp action {action!r}"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.action", action)]
    for action in ("SCMP_ACT_LOG", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY", ""):
        table[f"seccomp default {action!r}"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.defaultAction", action)]
    for names in ([], ["call_of_tomorrow"], ["swapon", "call_of_tomorrow"], [""], ["swapon", "swapon"]):
        table[f"seccomp names {names!r}"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.names", names)]
    for op in ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NONE", ""):
        table[f"seccomp operator {op!r}"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.args", [{"index": 0, "value": 7, "valueTwo": 7, "op": op}])]
    table["seccomp argument 6"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.args", [{"index": 6, "value": 7, "op": "SCMP_CMP_EQ"}])]
    table["seccomp the same argument twice"] = [put("linux.seccomp", SECCOMP), put(
        "linux.seccomp.syscalls.0.args", [{"index": 0, "value": 7, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}])]
    for architectures in ([], ["SCMP_ARCH_X86_64"], ["SCMP_ARCH_AARCH64"], ["SCMP_ARCH_NONE"], ["SCMP_ARCH_S390X", "SCMP_ARCH_X86_64"], None, ["x86_64"], ["SCMP_ARCH_RISCV64"], ["SCMP_ARCH_NATIVE"]):
        table[f"seccomp architectures {architectures!r}"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.architectures", architectures)]
    for flags in ([], ["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_TSYNC"], ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"], ["SECCOMP_FILTER_FLAG_NONE"], [""]):
        table[f"seccomp flags {flags!r}"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.flags", flags)]
    table["seccomp errnoRet"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.errnoRet", 38)]
    table["seccomp errnoRet with allow"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.errnoRet", 38), put("linux.seccomp.syscalls.0.action", "SCMP_ACT_ALLOW")]
    table["seccomp errnoRet too large"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.errnoRet", 2**17)]
    table["seccomp defaultErrnoRet"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.defaultErrnoRet", 38)]
    table["seccomp default denies, defaultErrnoRet"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.syscalls.0.names", ["swapoff"])]
    table["seccomp listenerMetadata alone"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.listenerMetadata", "x")]
    table["seccomp listenerPath alone"] = [put("linux.seccomp", SECCOMP), put("linux.seccomp.listenerPath", "/run/nobody")]
    table["seccomp without new privileges' flag"] = [put("linux.seccomp", SECCOMP), put("process.noNewPrivileges", False)]
    table["seccomp of a user without new privileges' flag"] = [put("linux.seccomp", SECCOMP), put("process.noNewPrivileges", False), put("process.user", {"uid": 1000, "gid": 1000})]
    return table


def hooks():
    table = {}
    for kind in ("prestart", "createRuntime", "createContainer", "poststart", "poststop"):
        table[f"{kind} hook"] = [hook(kind)]
        table[f"{kind} hook with an environment"] = [hook(kind, env=["A=1", "PATH=/bin"], args=["name", "one", "two"])]
        table[f"{kind} hook with an empty environment"] = [hook(kind, env=[], args=[])]
        table[f"{kind} hook that fails"] = [hook(kind, text=HOOK.replace("${EXIT:-0}", "3"))]
        table[f"{kind} hook that is not there"] = [put("hooks", {kind: [{"path": "/not/there"}]})]
        table[f"{kind} hook with a relative path"] = [put("hooks", {kind: [{"path": "not/there"}]})]
        table[f"{kind} hook with timeout 5"] = [hook(kind, timeout=5)]
        table[f"{kind} hook with timeout 0"] = [hook(kind, timeout=0)]
        table[f"{kind} hook with timeout -1"] = [hook(kind, timeout=-1)]
        table[f"{kind} hook that is late"] = [hook(kind, text="#!/bin/sh\nexec sleep 30\n", timeout=1)]
        table[f"{kind} hooks, two"] = [hook(kind), hook(kind, text="#!/bin/sh\nexit 0\n", name="second")]
        table[f"{kind} hook by a script without a first line"] = [hook(kind, text="echo x\n")]
        table[f"{kind} hook that speaks"] = [hook(kind, text="#!/bin/sh\necho 'status hooked: yes'\n")]
    for name, changes in table.items():
        if name.startswith("poststart"):
            changes.append(after_the_hook)
    program = "/bin/busybox"
    table["startContainer hook"] = [add("hooks.startContainer", {"path": program, "args": ["sh", "-c", "id > /hook-was-here; pwd >> /hook-was-here; umask >> /hook-was-here; env | sort >> /hook-was-here"]})]
    table["startContainer hook with an environment"] = [add("hooks.startContainer", {"path": program, "args": ["sh", "-c", "env | grep -v SHLVL | grep -v PWD | sort > /hook-was-here"], "env": ["B=2"]})]
    table["startContainer hook that fails"] = [add("hooks.startContainer", {"path": program, "args": ["false"]})]
    table["startContainer hook, relative"] = [add("hooks.startContainer", {"path": "bin/busybox", "args": ["true"]})]
    table["startContainer hook that speaks"] = [add("hooks.startContainer", {"path": program, "args": ["echo", "status hooked: yes"]})]
    table["hooks empty"] = [put("hooks", {})]
    table["hooks null"] = [put("hooks", None)]
    table["hooks of an unknown kind"] = [put("hooks", {"tomorrow": [{"path": "/bin/true"}]})]
    table["hook annotations for output"] = [hook("createRuntime"), lambda case: case.config.setdefault("annotations", {}).update(
        {"run.oci.hooks.stdout": str(case.root / "hook-output"), "run.oci.hooks.stderr": str(case.root / "hook-errors")})]
    return table


def resources():
    """Values that cgroup v2 takes or has no word for. Limits themselves need controllers, which not every host has."""
    table = {}
    for name, value in (("memory.swappiness", 60), ("memory.swappiness", 0), ("memory.kernel", 0), ("memory.kernelTCP", 0), ("memory.disableOOMKiller", False),
                        ("memory.disableOOMKiller", True), ("memory.useHierarchy", True), ("memory", {}), ("cpu", {}), ("cpu.shares", 0), ("cpu.realtimePeriod", 0),
                        ("network.classID", 1), ("network.classID", 0), ("network.priorities", []), ("network", {}), ("pids", {}), ("pids.limit", 0), ("pids.limit", -1),
                        ("blockIO", {}), ("blockIO.weight", 0), ("blockIO.leafWeight", 0), ("hugepageLimits", []), ("rdma", {}), ("unified", {}), ("cpu.quota", 0), ("cpu.cpus", ""),
                        ("memory.limit", -1), ("memory.swap", -1), ("memory.limit", 0), ("memory.swap", 0), ("memory.reservation", 0), ("unified", {"not.there": "1"}), ("unified", {"../x": "1"}),
                        ("unified", {"cgroup.freeze": "0"}), ("unified", {"cgroup.max.depth": "3"}), ("cpu.idle", 0), ("cpu.burst", 0), ("cpu.shares", "x")):
        table[f"resources {name} {value!r}"] = [put(f"linux.resources.{name}", value)]
    table["resources null"] = [put("linux.resources", None)]
    table["resources empty"] = [put("linux.resources", {})]
    return table


def all_groups():
    return {"process": process(), "root": root_and_names(), "mounts": mounts(), "devices": devices_and_paths(),
            "linux": linux(), "seccomp": seccomp(), "hooks": hooks(), "resources": resources()}


def variants():
    """All that stand here by hand, by name; the base first."""
    table = {"base": []}
    for group, members in all_groups().items():
        for name, changes in members.items():
            table[f"{group}: {name}"] = changes
    return table


def pairs(count, seed):
    """Two variants of different groups together."""
    chance = random.Random(seed)
    groups = {name: sorted(members.items()) for name, members in all_groups().items()}
    table = {}
    while len(table) < count:
        first, second = chance.sample(sorted(groups), 2)
        (one, changes), (other, more) = chance.choice(groups[first]), chance.choice(groups[second])
        table[f"pair: {first}: {one} + {second}: {other}"] = changes + more
    return table
