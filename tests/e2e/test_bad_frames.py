# SPDX-License-Identifier: Apache-2.0
"""Bad frames: each adds to exactly one reason, and nobody else notices."""

import os
import random

import pytest
from bad_frames import C4, F4, FRAMES, ME, PORT, SPORT, WHOLE4
from frames import (
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    ETH_VLAN,
    RST,
    TCP,
    UDP,
    RawSocket,
    eth,
    ipv4,
    tcp,
    udp,
)
from laws import dropped_between
from policies import forwarding
from servers import connect, echo
from world import FENDER4, SERVERS4, SERVERS6, wait_for

TIMES = 3


@pytest.fixture
def quiet(make_world):
    """A world in which nobody speaks unasked, with an established connection."""
    world = make_world(ipv6=False)
    world.client.ip(f"link set eth0 address {ME}")
    echo(world, PORT)
    f = world.fender(forwarding([PORT], [SERVERS4[0], SERVERS6[0]]))
    bystander = connect(world.client, FENDER4, PORT)
    exchange(bystander, b"before")
    raw = RawSocket(world.client)
    mac = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    yield f, raw, mac, bystander
    exchange(bystander, b"after")
    bystander.close()
    raw.close()


def exchange(sock, data):
    sock.sendall(data)
    got = b""
    while len(got) < len(data):
        got += sock.recv(len(data))
    assert got == data


def test_every_bad_frame_has_exactly_one_reason(quiet):
    """One Fender for all rows: what one frame leaves behind must not change the next one's."""
    f, raw, mac, bystander = quiet
    wrong = []
    for name, (ethertype, payload), reason in FRAMES:
        print(name)
        before = f.stats()
        raw.send(eth(mac, ME, ethertype, payload), TIMES)
        dropped = {}

        def frames_are_dropped(before=before, dropped=dropped):
            dropped.update(dropped_between(before, f.stats()))
            return sum(dropped.values()) >= TIMES

        wait_for(frames_are_dropped, every_s=0.002)
        if dropped != {reason: TIMES}:
            wrong.append(f"{name}: {dropped} instead of {{'{reason}': {TIMES}}}")
        exchange(bystander, name.encode())
    assert not wrong, "\n".join(wrong)


def test_frames_for_another_mac_are_not_ours(quiet):
    f, raw, mac, _ = quiet
    for other in ("02:00:00:00:00:99", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"):
        before = f.stats()
        raw.send(eth(other, ME, ETH_IPV4, WHOLE4), TIMES)

        def dropped_as_not_ours(before=before):
            return dropped_between(before, f.stats()) == {"not_ours": TIMES}

        wait_for(dropped_as_not_ours)


def test_padding_behind_the_packet_is_ignored(quiet):
    """Short frames are padded to 60 bytes on real Ethernet, with anything."""
    f, raw, mac, _ = quiet
    before = f.stats()
    raw.send(eth(mac, ME, ETH_IPV4, WHOLE4 + b"\xff" * 60), TIMES)

    def dropped_as_no_connection():
        return dropped_between(before, f.stats()) == {"no_connection": TIMES}

    wait_for(dropped_as_no_connection)


def test_random_bytes_after_any_ethertype_change_nothing(quiet):
    f, raw, mac, bystander = quiet
    seed = int(os.environ.get("FENDER_SEED", "20240607"))
    dice = random.Random(seed)
    before = f.stats().packets("received")
    count = 4000
    for i in range(count):
        ethertype = dice.choice([ETH_IPV4, ETH_IPV6, ETH_ARP, ETH_VLAN, 0x1234])
        raw.send(eth(mac, ME, ethertype, dice.randbytes(dice.randrange(0, 300))))
        if i % 50 == 0:
            exchange(bystander, b"still here")

    def frames_are_taken():
        return f.stats().packets("received") >= before + count

    wait_for(frames_are_taken)


def test_mutated_packets_of_a_live_flow_change_nothing(quiet):
    """Flipped bits and cuts in otherwise valid packets of every kind."""
    f, raw, mac, bystander = quiet
    dice = random.Random(int(os.environ.get("FENDER_SEED", "7")))
    originals = [eth(mac, ME, e, p) for _, (e, p), _ in FRAMES]
    before = f.stats().packets("received")
    count = 6000
    for i in range(count):
        frame = bytearray(dice.choice(originals))
        for _ in range(dice.randrange(1, 4)):
            at = dice.randrange(12, max(13, len(frame)))
            if at < len(frame):
                frame[at] ^= 1 << dice.randrange(8)
        raw.send(bytes(frame[: max(14, dice.randrange(14, len(frame) + 1))]))
        if i % 50 == 0:
            exchange(bystander, b"still here")

    def frames_are_taken():
        return f.stats().packets("received") >= before + count

    wait_for(frames_are_taken)


@pytest.mark.parametrize(
    "size,counted",
    [(1501, "too_big"), (1504, "too_big"), (3000, "rx_missed"), (3386, "rx_missed")],
)
def test_packet_longer_than_the_interface_is_dropped(make_world, size, counted):
    """The devices carry 3,386 bytes, the policy only 1,500; what does not even fit a packet
    buffer is lost in the receive ring and counted by the interface."""
    world = make_world(ipv6=False, mtu=3386)
    world.client.ip(f"link set eth0 address {ME}")
    echo(world, PORT)
    policy = forwarding([PORT], [SERVERS4[0]], protocols=("tcp", "udp"))
    policy["clusters"][0]["timeouts"] = {"idle": "1s"}
    for i in policy["interfaces"]:
        i["mtu"] = 1500
    f = world.fender(policy)
    bystander = connect(world.client, FENDER4, PORT)
    exchange(bystander, b"before")
    raw = RawSocket(world.client)
    mac = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    before = f.stats()
    body = udp(C4, F4, SPORT, PORT, bytes(size - 28))
    raw.send(eth(mac, ME, ETH_IPV4, ipv4(C4, F4, UDP, body)), TIMES)

    def all_are_counted():
        now = f.stats()
        if counted == "rx_missed":
            missed = [s.interface("clients")["rx_missed"] for s in (before, now)]
            return missed[1] - missed[0] == TIMES
        return dropped_between(before, now) == {counted: TIMES}

    wait_for(all_are_counted)
    exchange(bystander, b"after")
    bystander.close()
    raw.close()


def test_out_of_window_reset_does_not_end_a_connection(quiet):
    """RFC 5961: a blind reset with a wrong sequence number is dropped and counted."""
    f, raw, mac, bystander = quiet
    sport = bystander.getsockname()[1]
    before = f.stats()
    for seq in (1, 0x40000000, 0x80000000, 0xC0000000):
        raw.send(eth(mac, ME, ETH_IPV4, ipv4(C4, F4, TCP, tcp(C4, F4, sport, PORT, RST, seq=seq))))

    def resets_are_dropped():
        dropped = dropped_between(before, f.stats())
        return set(dropped) == {"tcp_window"} and dropped["tcp_window"] >= 3

    wait_for(resets_are_dropped)
    exchange(bystander, b"alive")
