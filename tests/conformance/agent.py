#!/usr/bin/env python3
"""A seccomp agent: takes one listener at the socket, writes what came with it, and answers every call that
is notified with EHOSTDOWN until the container has ended.

usage: agent.py SOCKET OUTPUT"""
import array
import fcntl
import json
import select
import socket
import struct
import sys

RECEIVE = 0xc0502100  # SECCOMP_IOCTL_NOTIF_RECV
SEND = 0xc0182101     # SECCOMP_IOCTL_NOTIF_SEND
EHOSTDOWN = 112

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
connection, _ = server.accept()
text, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4))
listener = array.array("i", ancillary[0][2])[0]
rest = connection.recv(1)
state = json.loads(text)
state["closed"] = rest == b""
with open(sys.argv[2], "w") as output:
    json.dump(state, output)
poll = select.poll()
poll.register(listener, select.POLLIN)
while True:
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        break
    notification = bytearray(80)
    try:
        fcntl.ioctl(listener, RECEIVE, notification)
    except OSError:
        continue
    identifier = struct.unpack_from("<Q", notification)[0]
    try:
        fcntl.ioctl(listener, SEND, struct.pack("<QqiI", identifier, 0, -EHOSTDOWN, 0))
    except OSError:
        pass
