#!/usr/bin/env python3
"""forger.py ADDRESS FILE: a name server that sends forged answers before each true one, and notes ids and ports of the questions in
FILE. Names that begin with "x" are answered with an address of another name's beside their own."""
import socket
import struct
import sys

FORGED, TRUE, STRAY = "203.0.113.66", "203.0.113.7", "203.0.113.99"


def record(name, address):
    return name + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address)


def answer(question, id, records):
    return id.to_bytes(2, "big") + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + question + b"".join(records)


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.bind((sys.argv[1], 0))
with open(sys.argv[2], "w", buffering=1) as noted:
    print("ready", file=noted)
    while True:
        message, client = server.recvfrom(4096)
        id = int.from_bytes(message[:2], "big")
        end = message.index(b"\0", 12) + 5
        question = message[12:end]
        if question[-4:] != b"\0\1\0\1":
            server.sendto(answer(question, id, []), client)
            continue
        print(id, client[1], file=noted)
        itself = b"\xc0\x0c"
        for wrong in range(1, 20):
            server.sendto(answer(question, id ^ wrong, [record(itself, FORGED)]), client)
        server.sendto(answer(b"\3baz\0\0\1\0\1", id, [record(itself, FORGED)]), client)
        server.sendto(message, client)
        other.sendto(answer(question, id, [record(itself, FORGED)]), client)
        records = [record(itself, TRUE)] + ([record(b"\3foo\0", STRAY)] if message[13:14] in b"xX" else [])
        server.sendto(answer(question, id, records), client)
