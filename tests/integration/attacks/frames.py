#!/usr/bin/env python3
"""frames.py advertise|datagram DESTINATION-MAC SOURCE DESTINATION: sends from eth0, to any MAC: a router advertisement, or 50 datagrams
of IPv4 to port 5555, each from another port."""
import fcntl
import socket
import struct
import sys

kind, mac, source, destination = sys.argv[1:]
one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
one.bind(("eth0", 0))
own = one.getsockname()[4]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send(protocol, packet):
    one.send(bytes.fromhex(mac.replace(":", "")) + own + struct.pack("!H", protocol) + packet)


if kind == "advertise":
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 1800, 1800, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
    sum = checksum(addresses + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", sum) + body[4:]
    send(0x86DD, struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + addresses + body)
else:
    for port in range(50):
        udp = struct.pack("!HHHH", 6000 + port, 5555, 9, 0) + b"x"
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), port, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
        send(0x800, ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + udp)
