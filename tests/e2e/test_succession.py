# SPDX-License-Identifier: Apache-2.0
"""A successor that starts while the kernel still closes a killed dataplane's sockets."""

import os
import re
import signal

import pytest
from fender import DATAPLANE
from policies import forwarding
from servers import connect, echo
from storm import processes, send
from test_xdp_program import pins, programs
from world import FENDER4, SERVERS4, wait_for

pytestmark = pytest.mark.restarts


def whole_log(f):
    with open(f.log, errors="replace") as log:
        return log.read()


def replaced(f, first):
    def another_dataplane_is_ready():
        return f.ready() and f.dataplane_pid() not in (0, first)

    wait_for(another_dataplane_is_ready)


@pytest.fixture
def serving(world):
    echo(world, 7)
    return world, world.fender(forwarding([7], SERVERS4, addresses=(FENDER4,)))


def says(sock, word):
    sock.sendall(word)
    return sock.recv(100) == word


def test_successor_starts_before_the_dead_one_is_gone(serving):
    """Seldom not: where the control plane hears of both at once it starts one as ever."""
    world, f = serving
    with connect(world.client, FENDER4, 7, timeout=30) as sock:
        for _ in range(6):
            first = f.dataplane_pid()
            os.kill(first, signal.SIGKILL)
            replaced(f, first)
            assert says(sock, b"go on")
            if re.search(rf"event=started pid={f.dataplane_pid()} takeover=1", whole_log(f)):
                break
        else:
            pytest.fail(whole_log(f))
        assert "start_failed" not in whole_log(f)


def test_successors_that_die_are_succeeded(serving):
    """At whatever moment of their start."""
    world, f = serving
    with connect(world.client, FENDER4, 7, timeout=60) as sock:
        assert says(sock, b"begin")
        for i in range(4):
            send(processes(f, DATAPLANE), signal.SIGKILL)

            def another_has_begun(i=i):
                return whole_log(f).count("dataplane event=started pid") > i + 1

            wait_for(another_has_begun)
        wait_for(f.ready)
        assert says(sock, b"end")


def test_stop_in_the_middle_of_a_succession(serving):
    world, f = serving
    os.kill(f.dataplane_pid(), signal.SIGKILL)
    f.process.terminate()
    assert f.process.wait(30) == 0

    def nobody_is_left():
        return not processes(f, DATAPLANE)

    wait_for(nobody_is_left)
    assert programs(world) == {}
    assert pins(world, f) == []
