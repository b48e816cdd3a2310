# SPDX-License-Identifier: Apache-2.0
"""Frames built byte by byte, so that any field can be wrong, and a raw socket to send them."""

import socket
import struct

ETH_IPV4, ETH_ARP, ETH_VLAN, ETH_IPV6 = 0x0800, 0x0806, 0x8100, 0x86DD
ETH_P_ALL = 3
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def pack_ip(ip):
    return socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)


def pack_mac(mac):
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(src, dst, proto, length):
    src, dst = pack_ip(src), pack_ip(dst)
    return src + dst + struct.pack("!IxxxB", length, proto)


def eth(dst, src, ethertype, payload=b"", vlan=None):
    tag = struct.pack("!HH", ETH_VLAN, vlan) if vlan is not None else b""
    return pack_mac(dst) + pack_mac(src) + tag + struct.pack("!H", ethertype) + payload


def ipv4(src, dst, proto, payload=b"", **f):
    """Fields: version, ihl, length, ttl, frag (flags and offset), options, sum (added to the
    right checksum)."""
    options = f.get("options", b"")
    ihl = f.get("ihl", 5 + len(options) // 4)
    length = f.get("length", 20 + len(options) + len(payload))
    start = struct.pack(
        "!BBHHHBB",
        f.get("version", 4) << 4 | ihl,
        0,
        length,
        0,
        f.get("frag", 0x4000),
        f.get("ttl", 64),
        proto,
    )
    addresses = pack_ip(src) + pack_ip(dst) + options
    good = checksum(start + b"\0\0" + addresses)
    return start + struct.pack("!H", (good + f.get("sum", 0)) & 0xFFFF) + addresses + payload


def ipv6(src, dst, proto, payload=b"", **f):
    """Fields: version, length, hops."""
    return (
        struct.pack(
            "!IHBB",
            f.get("version", 6) << 28,
            f.get("length", len(payload)),
            proto,
            f.get("hops", 64),
        )
        + pack_ip(src)
        + pack_ip(dst)
        + payload
    )


def tcp(src, dst, sport, dport, flags=SYN, payload=b"", **f):
    """Fields: seq, ack, offset (in words), options, window."""
    options = f.get("options", b"")
    offset = f.get("offset", 5 + len(options) // 4)
    head = struct.pack(
        "!HHIIBBHHH",
        sport,
        dport,
        f.get("seq", 1000),
        f.get("ack", 0),
        offset << 4,
        flags,
        f.get("window", 65000),
        0,
        0,
    )
    segment = head + options + payload
    value = checksum(_pseudo(src, dst, TCP, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", value) + segment[18:]


def udp(src, dst, sport, dport, payload=b"", **f):
    """Fields: length, sum (None leaves it zero: none)."""
    length = f.get("length", 8 + len(payload))
    head = struct.pack("!HHHH", sport, dport, length, 0)
    value = checksum(_pseudo(src, dst, UDP, length) + head + payload) or 0xFFFF
    if "sum" in f:
        value = 0 if f["sum"] is None else (value + f["sum"]) & 0xFFFF
    return head[:6] + struct.pack("!H", value) + payload


def icmp(kind, code, rest, **f):
    body = struct.pack("!BBH", kind, code, 0) + rest
    value = (checksum(body) + f.get("sum", 0)) & 0xFFFF
    return body[:2] + struct.pack("!H", value) + body[4:]


def icmp6(src, dst, kind, code, rest, **f):
    body = struct.pack("!BBH", kind, code, 0) + rest
    value = checksum(_pseudo(src, dst, ICMP6, len(body)) + body)
    return body[:2] + struct.pack("!H", (value + f.get("sum", 0)) & 0xFFFF) + body[4:]


def arp(op, sender_mac, sender_ip, target_ip, target_mac="00:00:00:00:00:00", **f):
    """Fields: hlen, plen, htype."""
    return (
        struct.pack("!HHBBH", f.get("htype", 1), ETH_IPV4, f.get("hlen", 6), f.get("plen", 4), op)
        + pack_mac(sender_mac)
        + pack_ip(sender_ip)
        + pack_mac(target_mac)
        + pack_ip(target_ip)
    )


class RawSocket:
    """Sends and receives whole frames on an interface of a namespace."""

    def __init__(self, ns, device="eth0", receive=False):
        with ns:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        # Protocol 0: sends only, and is given no frames until it is bound to all of them.
        self.sock.bind((device, ETH_P_ALL if receive else 0))
        self.sock.settimeout(30)

    def send(self, frame, times=1):
        for _ in range(times):
            self.sock.send(frame)

    def receive(self):
        return self.sock.recv(65535)

    def close(self):
        self.sock.close()
