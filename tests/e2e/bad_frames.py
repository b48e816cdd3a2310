# SPDX-License-Identifier: Apache-2.0
"""Frames that lie, at every layer, and the one reason each of them is dropped for."""

import struct

from frames import (
    ACK,
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    ETH_VLAN,
    FIN,
    ICMP,
    ICMP6,
    RST,
    SYN,
    TCP,
    UDP,
    arp,
    icmp,
    icmp6,
    ipv4,
    ipv6,
    pack_ip,
    tcp,
    udp,
)
from world import CLIENT4, CLIENT6, FENDER4, FENDER6

ME, C4, C6, F4, F6 = "02:00:00:00:00:05", CLIENT4, CLIENT6, FENDER4, FENDER6
STRANGER4, STRANGER6 = "10.77.1.200", "fd77:1::200"
SPORT, PORT, NO_PORT = 5555, 80, 81

T4 = tcp(C4, F4, SPORT, PORT, ACK)
U4 = udp(C4, F4, SPORT, PORT, b"data")
T6 = tcp(C6, F6, SPORT, PORT, ACK)
U6 = udp(C6, F6, SPORT, PORT, b"data")
WHOLE4 = ipv4(C4, F4, TCP, T4)
WHOLE6 = ipv6(C6, F6, TCP, T6)
QUOTE4 = ipv4(F4, C4, TCP, tcp(F4, C4, PORT, SPORT, ACK))
QUOTE6 = ipv6(F6, C6, TCP, tcp(F6, C6, PORT, SPORT, ACK))


def four(payload, proto=TCP, **fields):
    return ETH_IPV4, ipv4(C4, F4, proto, payload, **fields)


def six(payload, proto=TCP, **fields):
    return ETH_IPV6, ipv6(C6, F6, proto, payload, **fields)


def extension(next_header, payload, kind):
    """An IPv6 extension header of 8 bytes in front of payload."""
    return six(struct.pack("!BB6x", next_header, 0) + payload, kind)


def solicit(target=F6, options=b"", hops=255, code=0, sum=0, cut=None):
    body = icmp6(C6, F6, 135, code, (bytes(4) + pack_ip(target) + options)[:cut], sum=sum)
    return ETH_IPV6, ipv6(C6, F6, ICMP6, body, hops=hops)


# (name, (ethertype, what follows), the reason)
FRAMES = [
    # Ethernet
    ("eth-nothing-after-the-header", (ETH_IPV4, b""), "malformed"),
    ("eth-unknown-ethertype", (0x88CC, bytes(46)), "ethertype"),
    ("eth-802.3-length", (46, bytes(46)), "ethertype"),
    ("eth-loopback-type", (0x9000, bytes(46)), "ethertype"),
    ("vlan-truncated", (ETH_VLAN, b"\0"), "malformed"),
    ("vlan-not-ours", (ETH_VLAN, struct.pack("!HH", 7, ETH_IPV4) + WHOLE4), "vlan"),
    # IPv4
    ("ipv4-truncated-header", (ETH_IPV4, WHOLE4[:10]), "malformed"),
    ("ipv4-version-5", four(T4, version=5), "malformed"),
    ("ipv4-version-6-under-ipv4", (ETH_IPV4, WHOLE6), "malformed"),
    ("ipv4-ihl-4", four(T4, ihl=4), "malformed"),
    ("ipv4-ihl-past-the-frame", (ETH_IPV4, ipv4(C4, F4, TCP, b"", ihl=15)), "malformed"),
    ("ipv4-length-past-the-frame", four(T4, length=1000), "malformed"),
    ("ipv4-length-under-the-header", four(T4, length=19), "malformed"),
    ("ipv4-length-zero", four(T4, length=0), "malformed"),
    ("ipv4-bad-checksum", four(T4, sum=1), "checksum"),
    ("ipv4-options", four(T4, options=bytes([1, 1, 1, 0])), "ip_options"),
    ("ipv4-first-fragment", four(T4, frag=0x2000), "fragment"),
    ("ipv4-later-fragment", four(T4, frag=0x0010), "fragment"),
    ("ipv4-ttl-0", four(T4, ttl=0), "ttl"),
    ("ipv4-ttl-1", four(T4, ttl=1), "ttl"),
    ("ipv4-gre", four(bytes(20), 47), "protocol"),
    ("ipv4-sctp", four(bytes(20), 132), "protocol"),
    ("ipv4-destination-not-ours", (ETH_IPV4, ipv4(C4, STRANGER4, TCP, T4)), "not_ours"),
    ("ipv4-ipv6-header-in-ipv4", four(WHOLE6, 41), "protocol"),
    # IPv6
    ("ipv6-truncated-header", (ETH_IPV6, WHOLE6[:39]), "malformed"),
    ("ipv6-version-4", six(T6, version=4), "malformed"),
    ("ipv6-length-past-the-frame", six(T6, length=1400), "malformed"),
    ("ipv6-hop-by-hop", extension(TCP, T6, 0), "ip_options"),
    ("ipv6-routing-header", extension(TCP, T6, 43), "ip_options"),
    ("ipv6-destination-options", extension(TCP, T6, 60), "ip_options"),
    ("ipv6-fragment", extension(TCP, T6, 44), "fragment"),
    ("ipv6-no-next-header", six(b"", 59), "protocol"),
    ("ipv6-sctp", six(bytes(20), 132), "protocol"),
    ("ipv6-hop-limit-0", six(T6, hops=0), "ttl"),
    ("ipv6-hop-limit-1", six(T6, hops=1), "ttl"),
    ("ipv6-destination-not-ours", (ETH_IPV6, ipv6(C6, STRANGER6, TCP, T6)), "not_ours"),
    # TCP
    ("tcp-truncated", four(T4[:19]), "malformed"),
    ("tcp-empty", four(b""), "malformed"),
    ("tcp-offset-4", four(tcp(C4, F4, SPORT, PORT, ACK, offset=4)), "malformed"),
    ("tcp-offset-past-the-packet", four(tcp(C4, F4, SPORT, PORT, ACK, offset=15)), "malformed"),
    ("tcp-no-listener", four(tcp(C4, F4, SPORT, NO_PORT, SYN)), "no_listener"),
    ("tcp-no-connection", four(T4), "no_connection"),
    ("tcp-syn-fin", four(tcp(C4, F4, SPORT, PORT, SYN | FIN)), "malformed"),
    ("tcp-syn-rst", four(tcp(C4, F4, SPORT, PORT, SYN | RST)), "malformed"),
    ("tcp-no-flags", four(tcp(C4, F4, SPORT, PORT, 0)), "malformed"),
    ("tcp-all-flags", four(tcp(C4, F4, SPORT, PORT, 0x3F)), "malformed"),
    ("tcp-rst-of-nothing", four(tcp(C4, F4, SPORT, PORT, RST)), "no_connection"),
    (
        "tcp-syn-with-broken-options",
        four(tcp(C4, F4, SPORT, PORT, SYN, options=bytes([2, 40, 0, 0]))),
        "malformed",
    ),
    (
        "tcp-syn-with-option-of-length-0",
        four(tcp(C4, F4, SPORT, PORT, SYN, options=bytes([3, 0, 0, 0]))),
        "malformed",
    ),
    ("tcp6-truncated", six(T6[:12]), "malformed"),
    ("tcp6-offset-past-the-packet", six(tcp(C6, F6, SPORT, PORT, ACK, offset=14)), "malformed"),
    ("tcp6-no-listener", six(tcp(C6, F6, SPORT, NO_PORT, SYN)), "no_listener"),
    ("tcp6-no-connection", six(T6), "no_connection"),
    # UDP
    ("udp-truncated", four(U4[:7], UDP), "malformed"),
    ("udp-length-7", four(udp(C4, F4, SPORT, PORT, length=7), UDP), "malformed"),
    ("udp-length-past-the-packet", four(udp(C4, F4, SPORT, PORT, length=99), UDP), "malformed"),
    ("udp-no-listener", four(U4, UDP), "no_listener"),
    ("udp6-truncated", six(U6[:3], UDP), "malformed"),
    ("udp6-length-past-the-packet", six(udp(C6, F6, SPORT, PORT, length=99), UDP), "malformed"),
    ("udp6-no-listener", six(U6, UDP), "no_listener"),
    # ICMP
    ("icmp-truncated", four(b"\x08\0", ICMP), "malformed"),
    ("icmp-bad-checksum", four(icmp(8, 0, bytes(8), sum=1), ICMP), "checksum"),
    ("icmp-timestamp", four(icmp(13, 0, bytes(16)), ICMP), "protocol"),
    ("icmp-redirect", four(icmp(5, 1, pack_ip(C4) + QUOTE4), ICMP), "protocol"),
    ("icmp-echo-reply", four(icmp(0, 0, bytes(8)), ICMP), "protocol"),
    ("icmp-error-quotes-nothing", four(icmp(3, 1, bytes(4)), ICMP), "malformed"),
    ("icmp-error-quote-truncated", four(icmp(3, 1, bytes(4) + QUOTE4[:22]), ICMP), "malformed"),
    ("icmp-error-unknown-flow", four(icmp(3, 1, bytes(4) + QUOTE4), ICMP), "icmp_unmatched"),
    ("icmp-time-exceeded-unknown", four(icmp(11, 0, bytes(4) + QUOTE4), ICMP), "icmp_unmatched"),
    (
        "icmp-error-quotes-an-icmp",
        four(icmp(3, 1, bytes(4) + ipv4(F4, C4, ICMP, icmp(8, 0, bytes(8)))), ICMP),
        "icmp_unmatched",
    ),
    ("icmp6-truncated", six(b"\x80\0", ICMP6), "malformed"),
    ("icmp6-bad-checksum", six(icmp6(C6, F6, 128, 0, bytes(8), sum=1), ICMP6), "checksum"),
    ("icmp6-unknown-type", six(icmp6(C6, F6, 200, 0, bytes(8)), ICMP6), "protocol"),
    ("icmp6-error-quotes-nothing", six(icmp6(C6, F6, 1, 0, bytes(4)), ICMP6), "malformed"),
    (
        "icmp6-error-unknown-flow",
        six(icmp6(C6, F6, 2, 0, struct.pack("!I", 1280) + QUOTE6), ICMP6),
        "icmp_unmatched",
    ),
    # ARP and neighbour discovery
    ("arp-truncated", (ETH_ARP, arp(1, ME, C4, F4)[:27]), "malformed"),
    ("arp-hardware-type", (ETH_ARP, arp(1, ME, C4, F4, htype=6)), "malformed"),
    ("arp-address-length", (ETH_ARP, arp(1, ME, C4, F4, hlen=8)), "malformed"),
    ("arp-operation-9", (ETH_ARP, arp(9, ME, C4, F4)), "protocol"),
    ("arp-for-a-stranger", (ETH_ARP, arp(1, ME, C4, STRANGER4)), "not_ours"),
    ("nd-hop-limit-not-255", solicit(hops=64), "malformed"),
    ("nd-truncated", solicit(cut=12), "malformed"),
    ("nd-option-of-length-0", solicit(options=bytes(8)), "malformed"),
    ("nd-option-past-the-packet", solicit(options=b"\x01\x05" + bytes(6)), "malformed"),
    ("nd-code-1", solicit(code=1), "malformed"),
    ("nd-bad-checksum", solicit(sum=1), "checksum"),
    ("nd-for-a-stranger", solicit(target=STRANGER6), "not_ours"),
    ("nd-for-a-group", solicit(target="ff02::1"), "malformed"),
]
