# SPDX-License-Identifier: Apache-2.0
"""`fender capture`: packets as Fender saw them, with what became of them."""

import json
import os
import shutil
import socket
import subprocess

import pytest
from fender import BINARY
from scapy.all import PcapNgReader
from scapy.layers.inet import TCP
from service import Service
from world import wait_for


class Capture:
    """A capture in the background; lines of its text."""

    def __init__(self, s, *args):
        f = s.fender
        self.out, self.err = (f.world.path(f"capture.{n}") for n in ("out", "err"))
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = f.world.gateway.popen(
                [BINARY, "capture", *args, "-i", f.instance, "--run-dir", f.run_dir],
                stdout=out, stderr=err,
            )
        wait_for(lambda: "capturing" in self.said() or self.process.poll() is not None)

    def said(self):
        with open(self.err) as f:
            return f.read()

    def lines(self):
        with open(self.out) as f:
            return f.read().splitlines()

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def capture():
    begun = []

    def begin(*args):
        begun.append(Capture(*args))
        return begun[-1]

    yield begin
    for c in begun:
        c.end()


def one_call(s):
    with s.clients() as c:
        c.open(1)
        c.settle()


def test_a_call_is_seen_on_both_sides(world, capture):
    s = Service(world, 1)
    c = capture(s)
    one_call(s)

    def syn_is_seen_twice():
        syns = [line for line in c.lines() if line.endswith("worker=0") and " SYN " in line]
        return [line for line in syns if " ACK" not in line][:2]

    wait_for(lambda: len(syn_is_seen_twice()) == 2)
    received, sent = syn_is_seen_twice()
    assert " clients " in received and " in " in received and f"> {s.ip}:{s.port}" in received
    assert "forwarded listener=api entry=" in received
    assert " servers " in sent and " out " in sent and f"> {s.addresses[0]}" in sent
    assert "transmitted listener=api entry=" in sent


def test_drops_are_told_with_their_reason(world, capture):
    s = Service(world, 1)
    c = capture(s, "reason=no_listener", f"host={s.ip}")
    one_call(s)  # is filtered out
    with world.client:
        for _ in range(2):
            with socket.socket() as k, pytest.raises(ConnectionRefusedError):
                k.settimeout(30)
                k.connect((s.ip, 9))
    wait_for(lambda: len(c.lines()) >= 2)
    assert all("dropped: no_listener" in line for line in c.lines())
    assert not any("listener=api" in line for line in c.lines())


def test_a_file_for_wireshark(world, capture):
    s = Service(world, 1)
    file = world.path("packets.pcapng")
    c = capture(s, "-w", file, "-n", "4", "tcp", "listener=api")
    one_call(s)
    assert c.process.wait(30) == 0
    assert "4 packets captured, 0 lost" in c.said()
    with PcapNgReader(file) as reader:
        packets = reader.read_all()
    assert len(packets) == 4 and all(TCP in p for p in packets)
    assert packets[0][TCP].dport == s.port
    with open(file, "rb") as f:
        bytes_read = f.read()
    assert b"forwarded listener=api entry=" in bytes_read and b"clients" in bytes_read
    # What tcpdump makes of it.
    r = subprocess.run(["tcpdump", "-nr", file], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert len(r.stdout.splitlines()) == 4


def test_one_at_a_time_and_nothing_stays_on(world, capture):
    s = Service(world, 1)
    c = capture(s)
    second = s.fender.cli("capture", "--seconds", "1", check=False)
    assert second.returncode == 1 and "captures now" in second.stderr
    assert s.fender.http("GET", "/capture?host=x")[0] == 400
    assert s.fender.http("GET", "/capture?listener=none")[0] == 404
    c.end()  # kill -9
    wait_for(lambda: s.fender.cli("capture", "--seconds", "1", check=False).returncode == 0)


def test_the_region_of_a_dead_instance_is_told(world):
    s = Service(world, 1)
    one_call(s)
    f = s.fender
    dirs = ["--shm-dir", world.shm]

    def dump(what, *args):
        return world.gateway.run([BINARY, "shm", "dump", what, *dirs, *args], check=False)

    alive = json.loads(dump(f.instance, "--json").stdout)
    assert alive["clusters"][0]["name"] == "api" and alive["clusters"][0]["started"] == 1
    assert [w["state"] for w in alive["workers"]] == ["running"]
    assert f'"controlplane_pid":{f.process.pid},' in json.dumps(alive, separators=(",", ":"))
    region = next(p for p in os.listdir(world.shm) if f.instance in p)
    copy = world.path("region.copy")
    shutil.copyfile(os.path.join(world.shm, region), copy)
    text = dump(copy)
    assert text.returncode == 0 and "listeners: 1" in text.stdout and "api" in text.stdout
    os.truncate(copy, 100000)
    assert dump(copy).returncode == 1
    assert dump("none").returncode == 1
