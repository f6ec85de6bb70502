#!/usr/bin/env python3
"""walls.py PID delete FAMILY TABLE | flush FAMILY TABLE CHAIN | clear FAMILY TABLE SET: takes a wall of davit's down, which only
the socket can do that owns the tables: a copy of that of the process PID, davitd or a monitor, is used.
walls.py PID owns: whether the process has such a socket."""
import ctypes
import os
import socket
import struct
import sys

FAMILIES = {"inet": 1, "bridge": 7}
NETLINK_NETFILTER, NFTABLES, BEGIN, END = 12, 10, 0x10, 0x11
REQUESTS = {"delete": 2, "flush": 8, "clear": 14}  # NFT_MSG_DELTABLE, NFT_MSG_DELRULE, NFT_MSG_DELSETELEM
PIDFD_GETFD = 438


def copies(pid):
    """Its descriptors of NETLINK_NETFILTER."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
            continue
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            continue
        one = socket.socket(fileno=fd)
        if one.family == socket.AF_NETLINK and one.proto == NETLINK_NETFILTER:
            yield one


def attribute(kind, text):
    data = text.encode() + b"\0"
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def message(kind, flags, sequence, family, body, resource=0):
    payload = struct.pack("!BBH", family, 0, resource) + body
    return struct.pack("IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload


def run(one, command, family, names):
    body = b"".join(attribute(i + 1, name) for i, name in enumerate(names))
    # Nothing is set on it: it is the other process's as well. The kernel answers before send() returns.
    one.send(
        message(BEGIN, 1, 0, 0, b"", NFTABLES)
        + message(NFTABLES << 8 | REQUESTS[command], 5, 1, FAMILIES[family], body)
        + message(END, 1, 0, 0, b"", NFTABLES)
    )
    try:
        return -struct.unpack_from("i", one.recv(65536, socket.MSG_DONTWAIT), 16)[0]
    except OSError as error:
        return error.errno


pid, command = int(sys.argv[1]), sys.argv[2]
errors = [0 if command == "owns" else run(one, command, sys.argv[3], sys.argv[4:]) for one in copies(pid)]
if 0 not in errors:
    sys.exit(f"{' '.join(sys.argv[1:])}: {[os.strerror(error) for error in errors] or 'no such socket'}")
