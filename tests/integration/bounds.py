#!/usr/bin/env python3
"""Clients that only take: bounds.py WHAT SOCKET COUNT, then "held" is printed; they go at end of input.

idle: connections, of which a third has sent nothing, a third half a head and a third half a body.
bodies: connections that have sent all of a large body but its last byte.
heads: connections that have sent all of a large head but its last byte.
waiters, headed: connections that have sent a large request, or one with a large head, which waits for /containers/held to end.
readers: connections that ask for /containers/talks/logs and do not read.
"""
import resource
import socket
import sys
import time

what, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

HEAD = b"%s HTTP/1.1\r\nHost: d\r\n"
BODY = 3 << 20


def connect():
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(path)
            return client
        except BlockingIOError:  # the queue of those to be accepted is full
            client.close()
            time.sleep(0.001)


def send(client, data):
    """Until all is gone, or the other side does not take it."""
    client.settimeout(5)
    try:
        client.sendall(data)
    except OSError:
        pass


def first_bytes(number):
    if what == "bodies":
        return HEAD % b"POST /containers/create" + b"Content-Length: %d\r\n\r\n" % (BODY + 1) + b" " * BODY
    if what == "waiters":
        return HEAD % b"POST /containers/held/wait" + b"Content-Length: %d\r\n\r\n" % BODY + b" " * BODY
    if what in ("heads", "headed"):
        head = HEAD % b"POST /containers/held/wait" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(60))
        return head + b"\r\n" if what == "headed" else head
    if what == "readers":
        return HEAD % b"GET /containers/talks/logs?stdout=1&follow=1" + b"\r\n"
    return [b"", b"GET /_pi", HEAD % b"POST /containers/create" + b"Content-Length: 1000\r\n\r\n{"][number % 3]


held = []
for number in range(count):
    held.append(connect())
    send(held[-1], first_bytes(number))
print("held", flush=True)
sys.stdin.read()
