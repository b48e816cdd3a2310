#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A VLAN interface in user space, for kernels built without 802.1Q: what goes into the TAP
device leaves the network device with the tag, tagged frames come back without it.

usage: vlan_relay.py DEVICE TAP VLAN-ID
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA = 263, 8
AUXDATA = "=IIIHHHH"  # status, length, snaplen, mac, net, tag, tag's ethertype
STATUS_VLAN_VALID = 0x10
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def open_device(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((name, ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    return s


def receive(device):
    """(frame without its tag, VLAN id or None); None for frames that were sent from here."""
    frame, extra, _, who = device.recvmsg(65536, 256)
    if who[2] == socket.PACKET_OUTGOING:
        return None
    for level, kind, data in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tag, _ = struct.unpack_from(AUXDATA, data)
            if status & STATUS_VLAN_VALID:
                return frame, tag & 0xFFF
    return frame, None


def main(device_name, tap_name, vlan):
    device, tap = open_device(device_name), open_tap(tap_name)
    tag = struct.pack("!HH", ETH_P_8021Q, vlan)
    while True:
        for source in select.select([device, tap], [], [])[0]:
            if source is device:
                came = receive(device)
                if came and came[1] == vlan:
                    os.write(tap, came[0])
            else:
                frame = os.read(tap, 65536)
                device.send(frame[:12] + tag + frame[12:])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
