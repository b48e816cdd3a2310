# SPDX-License-Identifier: Apache-2.0
"""`fender top` in a terminal of tmux's."""

import shlex
import subprocess

from clients import Clients
from fender import BINARY
from policies import base, cluster, listener
from service import PORT, backend, know_neighbours
from world import BACKENDS4, FENDER4, at, wait_for

SIZE = (100, 30)


class Screen:
    """A terminal in which `fender top` runs; what it leaves when it ends stays there."""

    def __init__(self, world, *args):
        self.socket = world.path("tmux")
        world.spawn(world.gateway, ["tmux", "-S", self.socket, "-f", "/dev/null", "-D"])
        wait_for(self.server_listens)
        top = shlex.join(map(str, [BINARY, "top", *args]))
        line = f"{top}; echo exit=$?; exec sleep infinity"
        width, height = map(str, SIZE)
        self.tmux("new-session", "-d", "-s", "top", "-x", width, "-y", height, line)

    def tmux(self, *words, check=True):
        argv = ["tmux", "-N", "-S", self.socket, "-u", *words]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"tmux {words}: {done.stderr}"
        return done

    def server_listens(self):
        return self.tmux("start-server", check=False).returncode == 0

    def keys(self, *names):
        self.tmux("send-keys", "-t", "top", *names)

    def text(self):
        return self.tmux("capture-pane", "-t", "top", "-p").stdout

    def line(self, start):
        """The line that begins so, or nothing."""
        lines = [line for line in self.text().splitlines() if line.startswith(start)]
        return lines[0] if lines else ""

    def wait(self, *words, without=()):
        """Until all these words are on the screen and none of those is; the screen."""
        seen = []

        def the_screen_shows_it():
            seen[:] = [self.text()]
            return all(w in seen[0] for w in words) and not any(w in seen[0] for w in without)

        try:
            wait_for(the_screen_shows_it, every_s=0.1)
        except AssertionError:
            raise AssertionError(f"not on the screen: {words}, or there: {without}\n{seen[0]}")
        return seen[0]

    def resize(self, width, height):
        self.tmux("resize-window", "-t", "top", "-x", str(width), "-y", str(height))


def serving(world):
    """Two clusters, "api" with two backends and "web" with one."""
    policy = base()
    for name, ips, port in (("api", BACKENDS4[:2], PORT), ("web", BACKENDS4[2:3], PORT + 1)):
        cluster(policy, name, [at(ip, PORT) for ip in ips])
        listener(policy, name, at(FENDER4, port), name)
    know_neighbours(world, policy)
    return world.fender(policy)


def top(f):
    return Screen(f.world, "-d", "0.2", "-i", f.instance, "--run-dir", f.run_dir)


def test_top_shows_calls_tables_and_states(world):
    f = serving(world)
    for i, ip in enumerate(BACKENDS4[:3]):
        backend(world, ip, f"b{i}")
    screen = top(f)
    screen.wait(f.instance, "dataplane up", "[clusters 2]", "web", "BREAKER", "q quit")
    assert screen.line("api").split()[5] == "-"  # no breaker
    with Clients(world.client, FENDER4, PORT) as c:
        c.calls(20)

    def calls_are_on_the_line_of_the_last_minute():
        return "█" in screen.line("calls/s")

    wait_for(calls_are_on_the_line_of_the_last_minute)

    f.cli("breaker", "open", "api")
    f.cli("drain", "api", at(BACKENDS4[1], PORT))
    screen.wait("forced open")
    screen.keys("Enter")
    text = screen.wait("[endpoints 3]", "of api", "drained", "SHARE%")
    assert at(BACKENDS4[0], PORT) in text and at(BACKENDS4[2], PORT) not in text
    screen.keys("BSpace")
    screen.wait("[clusters 2]")
    screen.keys("BTab")
    screen.wait("[listeners 2]", "REJECT/s", "TOP REASON", "web")


def test_top_keys(world):
    f = serving(world)
    screen = top(f)
    screen.wait("[clusters 2]", "api", "web")
    screen.keys("/")
    screen.wait("filter: _")
    screen.keys("WEö")
    screen.wait("filter: WEö_", "none")
    screen.keys("BSpace")
    screen.wait("filter: WE_", "web", without=["api"])
    screen.keys("Enter")
    screen.wait("filter WE: 1", "q quit")
    screen.keys("Escape")
    screen.wait("api", without=["filter WE"])

    first, second = (screen.wait("api").index(n) for n in ("api", "web"))
    assert first < second
    screen.keys("s", "r")  # by name, the other way round

    def order_is_reversed():
        text = screen.text()
        return text.index("web") < text.index("api")

    wait_for(order_is_reversed)
    screen.keys("?")
    screen.wait("time to first byte", "any key")
    screen.keys("x")
    screen.wait("[clusters 2]")
    screen.keys("p")
    screen.wait("paused")
    screen.keys("p")
    screen.wait("q quit", without=["paused"])

    for width, height in ((40, 10), (20, 4), (5, 2), (1, 1), SIZE):
        screen.resize(width, height)
        if (width, height) == (40, 10):
            assert "api" in screen.wait("BREAKER", "q quit", without=["P99"])
    screen.wait("[clusters 2]", "P99", "q quit")
    screen.keys("q")
    screen.wait("exit=0")


def test_top_waits_for_an_instance_that_restarts(world):
    f = serving(world)
    screen = top(f)
    screen.wait("[clusters 2]", "api", "dataplane up")
    f.stop()
    screen.wait(f"waiting for instance {f.instance}", "api")
    f.start()
    screen.wait("dataplane up", "api", "q quit", without=["waiting for"])
    screen.keys("q")
    screen.wait("exit=0")


def test_top_needs_a_terminal_and_an_instance(world):
    screen = Screen(world, "--run-dir", world.tmp)
    screen.wait("no instance runs here", "exit=3")
    done = world.gateway.run([BINARY, "top", "--run-dir", world.tmp], check=False)
    assert (done.returncode, done.stdout) == (1, "") and "needs a terminal" in done.stderr
    done = world.gateway.run([BINARY, "top", "-d", "0"], check=False)
    assert done.returncode == 2 and "0.1" in done.stderr
