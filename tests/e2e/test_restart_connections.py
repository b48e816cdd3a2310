# SPDX-License-Identifier: Apache-2.0
"""Connections outlive the dataplane: kill -9, and `fender upgrade`."""

import os
import re
import signal
import socket
import threading
import time

import pytest
from clients import CONNECTED, PENDING, REFUSED
from fender import DATAPLANE
from laws import assert_conserved
from policies import forwarding
from servers import connect, echo, udp
from service import Service
from world import FENDER4, FENDER6, SERVERS4, SERVERS6, wait_for

pytestmark = pytest.mark.restarts
BOTH = (FENDER4, FENDER6)


def replaced(f, first):
    def another_dataplane_is_ready():
        return f.ready() and f.dataplane_pid() not in (0, first)

    wait_for(another_dataplane_is_ready)


def kill_dataplane(f):
    first = f.dataplane_pid()
    os.kill(first, signal.SIGKILL)
    replaced(f, first)


def upgrade(f):
    said = f.cli("upgrade").stdout
    print(said)
    assert re.search(r"nothing was forwarded for \d+ ms", said)


WAYS = pytest.mark.parametrize("replace", [kill_dataplane, upgrade])


def talk(sock, text):
    """One turn; UDP may lose it, asks again, and may then hear two answers."""
    for _ in range(20):
        sock.sendall(text)
        try:
            while (got := sock.recv(1024)) != text and sock.type == socket.SOCK_DGRAM:
                pass
            return got
        except TimeoutError:
            assert sock.type == socket.SOCK_DGRAM
    return None


def open_all(world, count):
    """TCP connections and UDP flows of both families, each used once."""
    here = {ip: ("10.77.1.2" if ip == FENDER4 else "fd77:1::2") for ip in BOTH}
    sockets = [connect(world.client, ip, 7, timeout=30) for ip in BOTH for _ in range(count)]
    for ip in BOTH:
        for _ in range(count):
            s = udp(world.client, here[ip])
            s.settimeout(1)
            s.connect((ip, 7))
            sockets.append(s)
    for i, s in enumerate(sockets):
        assert talk(s, b"before %d" % i) == b"before %d" % i
    return sockets


@WAYS
@pytest.mark.leaves_open  # UDP flows end by silence
@pytest.mark.parametrize("workers", [1, 2])
def test_connections_go_on(make_world, workers, replace):
    """Idle through the change, then the same sockets, in both directions, and no call is lost."""
    world = make_world(queues=workers)
    echo(world)
    f = world.fender(
        forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("tcp", "udp"), workers=workers)
    )
    sockets = open_all(world, 5)
    replace(f)
    for i, s in enumerate(sockets):
        assert talk(s, b"after %d" % i) == b"after %d" % i
    stats = assert_conserved(f.stats, closed=False)
    for family in ("v4", "v6"):
        row = stats.listener(f"p7-{family}-tcp")
        assert (row["opened"], row["closed"], row["failed"]) == (5, 0, 0)
    for s in sockets:
        s.close()


class Talker:
    """A connection that is never silent; failure is what ended it."""

    def __init__(self, ns, ip):
        self.sock = connect(ns, ip, 7, timeout=30)
        self.turns, self.failure, self.longest_s, self.stop = 0, None, 0.0, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.stop:
                began = time.monotonic()
                text = b"%d" % self.turns * 300
                self.sock.sendall(text)
                got = b""
                while len(got) < len(text):
                    piece = self.sock.recv(65536)
                    if not piece:
                        raise ConnectionError("closed")
                    got += piece
                assert got == text
                self.turns += 1
                self.longest_s = max(self.longest_s, time.monotonic() - began)
        except BaseException as e:
            self.failure = e

    def end(self):
        self.stop = True
        self.thread.join()
        self.sock.close()
        assert self.failure is None, repr(self.failure)


@WAYS
def test_connections_in_use_go_on(world, replace):
    echo(world)
    f = world.fender(forwarding([7], [SERVERS4[0], SERVERS6[0]]))
    talkers = [Talker(world.client, ip) for ip in BOTH for _ in range(3)]
    for _ in range(2):
        replace(f)
        turns = [t.turns for t in talkers]

        def all_have_gone_on(turns=turns):
            return all(t.turns > n + 1 or t.failure for t, n in zip(talkers, turns))

        wait_for(all_have_gone_on)
    print("longest turns:", [f"{t.longest_s * 1000:.0f} ms" for t in talkers])
    for t in talkers:
        t.end()
    print(f.stats().dropped())


@WAYS
def test_permits_are_those_of_the_connections(world, replace):
    """What goes on holds its permit; who waited asks again and gets what is free."""
    s = Service(
        world, 2, mode="hang",
        bulkhead={"max_concurrent": 6, "max_queue": 4, "queue_timeout": "30s"},
    )
    with s.clients() as c:
        c.open(8)
        c.until(**{CONNECTED: 6, PENDING: 2})
        replace(s.fender)
        row = s.cluster()
        assert (row["bulkhead"]["in_flight"], row["open"]) >= (6, 6)
        late = c.open(6)
        c.until(**{CONNECTED: 6, PENDING: 4, REFUSED: 4})
        c.hang_up(c.select(CONNECTED)[:2])
        c.until(**{CONNECTED: 6, PENDING: 2, REFUSED: 4})
        assert len(late) == 6
        row = s.cluster()
        assert row["bulkhead"]["overshoot_max"] == 0
        assert row["failed_by_reason"].get("dataplane_restart", 0) == 2


def test_a_listener_that_left_drains_after_the_restart(world):
    """The policy changes while no dataplane runs: its connections still end by `drain`."""
    echo(world)
    policy = forwarding([7, 8], [SERVERS4[0]], addresses=(FENDER4,))
    for c in policy["clusters"]:
        c["timeouts"] = {"drain": "1s"}
    f = world.fender(policy)
    s = connect(world.client, FENDER4, 7)
    assert talk(s, b"one") == b"one"
    pid = f.dataplane_pid()
    os.kill(pid, signal.SIGSTOP)  # takes no policy any more
    del policy["listeners"][0]
    f.write(policy)
    f.process.send_signal(signal.SIGHUP)

    def the_new_policy_is_published():
        return "event=published generation=2" in f.log_text()

    wait_for(the_new_policy_is_published)
    os.kill(pid, signal.SIGKILL)
    replaced(f, pid)
    s.settimeout(30)
    with pytest.raises(ConnectionResetError):
        while True:
            assert s.recv(10), "closed"


def test_upgrade_to_what_cannot_run_changes_nothing(world):
    echo(world)
    f = world.fender(forwarding([7], [SERVERS4[0]]))
    pid = f.dataplane_pid()
    s = connect(world.client, FENDER4, 7)
    broken = world.path("broken")
    with open(broken, "w") as script:
        script.write("#!/bin/sh\necho broken >&2\nexit 7\n")
    os.chmod(broken, 0o755)
    for path, said in ((broken, "status 7"), (world.path("nothing"), "No such file")):
        done = f.cli("upgrade", "--dataplane", path, check=False)
        print(done.stderr)
        assert done.returncode == 1 and said in done.stderr
        assert f.dataplane_pid() == pid
    assert talk(s, b"still") == b"still"
    s.close()


def test_upgrade_that_fails_after_the_hand_over(world):
    """The program that ran before is started again, with its connections."""
    echo(world)
    f = world.fender(forwarding([7], [SERVERS4[0]]))
    s = connect(world.client, FENDER4, 7, timeout=30)
    assert talk(s, b"one") == b"one"
    weak = world.path("weak")
    with open(weak, "w") as script:
        script.write("#!/bin/sh\necho ready >&3\nexit 9\n")
    os.chmod(weak, 0o755)
    first = f.dataplane_pid()
    done = f.cli("upgrade", "--dataplane", weak, check=False)
    print(done.stderr)
    assert done.returncode == 1 and "starts again" in done.stderr
    replaced(f, first)
    assert talk(s, b"two") == b"two"
    done = f.cli("upgrade", "--dataplane", str(DATAPLANE))
    assert talk(s, b"three") == b"three"
    s.close()
