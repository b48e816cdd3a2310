#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write seeds, the same files every time. packet: one frame of each kind, after the two bytes
that fuzz_packet.c takes as choices. engine: bytes with no meaning, long enough for a policy and
some hundred steps (policy_bytes.h); beside them lie some that the fuzzer found, of much coverage.
adopt: records of fuzz_adopt.c, with few bits set.
migrate: records of fuzz_migrate.c."""

import pathlib
import random
import socket
import struct

SEEDS = pathlib.Path(__file__).parent / "seeds"
MACS = bytes.fromhex("020000000001020000000002")
CLIENT4, LISTENER4 = socket.inet_aton("10.0.0.7"), socket.inet_aton("10.9.0.1")
CLIENT6 = socket.inet_pton(socket.AF_INET6, "fd01::7")
LISTENER6 = socket.inet_pton(socket.AF_INET6, "fd02::1")
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, ACK = 1, 2, 4, 16
FIX, REVERSE, PARTIAL = 1, 2, 4


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(proto, l4, src=CLIENT4, dst=LISTENER4, ttl=64, fragment=0x4000, options=b""):
    def header(check):
        return struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(l4),
                           1, fragment, ttl, proto, check) + src + dst + options
    return header(checksum(header(0))) + l4


def ip6(proto, l4, src=CLIENT6, dst=LISTENER6, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(l4), proto, hops) + src + dst + l4


def pseudo(v6, proto, length):
    ends = CLIENT6 + LISTENER6 if v6 else CLIENT4 + LISTENER4
    return ends + struct.pack("!HH", proto, length)


def filled(v6, proto, l4, offset, partial=False):
    """The segment with its checksum, whole or as a veth peer leaves it."""
    check = checksum(pseudo(v6, proto, len(l4)) + (b"" if partial else l4))
    if partial:
        check = ~check & 0xFFFF
    return l4[:offset] + struct.pack("!H", check) + l4[offset + 2:]


def tcp(v6, flags, options=b"", payload=b"", partial=False):
    l4 = struct.pack("!HHIIBBHHH", 40001, 8080, 1, 2, (20 + len(options)) // 4 << 4, flags,
                     64240, 0, 0) + options + payload
    return filled(v6, TCP, l4, 16, partial)


def udp(v6, payload=b"", partial=False):
    return filled(v6, UDP, struct.pack("!HHHH", 40001, 53, 8 + len(payload), 0) + payload, 6,
                  partial)


def icmp(kind, rest, data, code=0):
    l4 = struct.pack("!BBHI", kind, code, 0, rest) + data
    return l4[:2] + struct.pack("!H", checksum(l4)) + l4[4:]


def frame(l3, tag=None):
    ethertype = struct.pack("!H", 0x86DD if l3[0] >> 4 == 6 else 0x0800)
    tagged = b"" if tag is None else struct.pack("!HH", 0x8100, tag)
    return MACS + tagged + ethertype + l3


def arp(operation):
    return (MACS + bytes.fromhex("0806000108000604") + struct.pack("!H", operation) + MACS[6:]
            + CLIENT4 + bytes(6) + LISTENER4)


LINUX_SYN = bytes.fromhex("020405b40402080a010203040000000001030307")
FAST_OPEN = bytes.fromhex("0101220a0102030405060708020405b4")
ODD = bytes.fromhex("0102042328fe04f98903030e01010100")
QUOTE4 = ip4(UDP, udp(False, b"query"), src=LISTENER4, dst=CLIENT4)
QUOTE4_TCP = ip4(TCP, tcp(False, ACK, payload=bytes(30)), src=LISTENER4, dst=CLIENT4)
QUOTE6 = ip6(TCP, tcp(True, ACK, payload=bytes(60)), src=LISTENER6, dst=CLIENT6)

FRAMES = {
    "tcp4-syn": (FIX, frame(ip4(TCP, tcp(False, SYN, LINUX_SYN)))),
    "tcp4-syn-fast-open-data": (0, frame(ip4(TCP, tcp(False, SYN, FAST_OPEN, b"GET /")))),
    "tcp4-syn-odd-options": (FIX, frame(ip4(TCP, tcp(False, SYN | ACK, ODD)))),
    "tcp4-syn-malformed-option": (0, frame(ip4(TCP, tcp(False, SYN, b"\x02\x00\x01\x01")))),
    "tcp4-ack": (REVERSE, frame(ip4(TCP, tcp(False, ACK, payload=b"hello")))),
    "tcp4-fin": (0, frame(ip4(TCP, tcp(False, FIN | ACK)))),
    "tcp4-rst-tagged": (REVERSE, frame(ip4(TCP, tcp(False, RST)), tag=100)),
    "tcp4-partial": (PARTIAL, frame(ip4(TCP, tcp(False, ACK, payload=b"x" * 9, partial=True)))),
    "tcp4-padded": (0, frame(ip4(TCP, tcp(False, ACK))) + bytes(6)),
    "udp4": (0, frame(ip4(UDP, udp(False, b"query")))),
    "udp4-no-checksum": (FIX, frame(ip4(UDP, struct.pack("!HHHH", 9, 53, 9, 0) + b"q"))),
    "udp4-partial": (PARTIAL, frame(ip4(UDP, udp(False, b"odd", partial=True)))),
    "fragment4": (0, frame(ip4(UDP, udp(False, b"query"), fragment=0x2000))),
    "options4": (0, frame(ip4(TCP, tcp(False, ACK), options=bytes.fromhex("94040000")))),
    "echo4": (FIX, frame(ip4(ICMP, icmp(8, 7, b"ping" * 14)))),
    "unreachable4": (FIX, frame(ip4(ICMP, icmp(3, 0, QUOTE4, code=3)))),
    "too-big4": (FIX | REVERSE, frame(ip4(ICMP, icmp(3, 1400, QUOTE4_TCP[:28], code=4)))),
    "time-exceeded4": (FIX, frame(ip4(ICMP, icmp(11, 0, QUOTE4_TCP)))),
    "arp-request": (0, arp(1)),
    "arp-reply": (0, arp(2)),
    "tcp6-syn": (FIX, frame(ip6(TCP, tcp(True, SYN, LINUX_SYN)))),
    "tcp6-ack-tagged": (REVERSE, frame(ip6(TCP, tcp(True, ACK, payload=b"hello")), tag=0)),
    "tcp6-partial": (PARTIAL, frame(ip6(TCP, tcp(True, SYN, ODD, b"data", partial=True)))),
    "udp6": (0, frame(ip6(UDP, udp(True, b"query")))),
    "hop-by-hop6": (0, frame(ip6(0, bytes.fromhex("3a00050200000000") + bytes(8)))),
    "fragment6": (0, frame(ip6(44, bytes.fromhex("1100000100000001") + bytes(16)))),
    "echo6": (FIX, frame(ip6(ICMP6, icmp(128, 7, b"ping")))),
    "too-big6": (FIX | REVERSE, frame(ip6(ICMP6, icmp(2, 1280, QUOTE6)))),
    "unreachable6": (FIX, frame(ip6(ICMP6, icmp(1, 0, QUOTE6[:48], code=4)))),
    "solicitation": (FIX, frame(ip6(ICMP6, icmp(135, 0, LISTENER6 + b"\x01\x01" + MACS[6:]),
                                    hops=255))),
    "advertisement": (FIX, frame(ip6(ICMP6, icmp(136, 0x60000000, CLIENT6 + b"\x02\x01"
                                                 + MACS[6:]), hops=255))),
    "two-tags": (0, MACS + bytes.fromhex("8100000181000002") + bytes(46)),
    "short": (0, MACS),
}


def schedules():
    for number in range(6):
        dice = random.Random(number)
        # Small bytes are small steps from the low end of a range.
        policy = bytes(dice.choice((dice.randrange(256), dice.randrange(8))) for _ in range(220))
        yield f"schedule-{number}", policy + dice.randbytes(700)


def spoiled_tables():
    for number in range(6):
        dice = random.Random(number)
        records = (
            bytes([dice.randrange(16), 0, dice.randrange(80), 0])
            + (1 << dice.randrange(32)).to_bytes(4, "little")
            for _ in range(4 << number)
        )
        yield f"spoiled-{number}", b"".join(records)


def spoiled_regions():
    """Records of fuzz_migrate.c: words all over the region."""
    for number in range(4):
        dice = random.Random(100 + number)
        records = (
            dice.randrange(1 << 32).to_bytes(4, "little")
            + dice.randrange(1 << 32).to_bytes(4, "little")
            for _ in range(16 << 2 * number)
        )
        yield f"spoiled-{number}", b"".join(records)


def write(target, name, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def main():
    for name, (choices, content) in FRAMES.items():
        write("packet", name, bytes([choices, 80]) + content)
    for name, content in schedules():
        write("engine", name, content)
    for name, content in spoiled_tables():
        write("adopt", name, content)
    for name, content in spoiled_regions():
        write("migrate", name, content)


if __name__ == "__main__":
    main()
