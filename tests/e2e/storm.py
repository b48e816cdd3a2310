# SPDX-License-Identifier: Apache-2.0
"""Connections that are never silent (tests/tools/echo_storm.c), and faults for Fender under
them."""

import json
import os
import signal
import subprocess
import time

from fender import BINARY, BUILD, DATAPLANE
from servers import wait_listening
from world import PATIENCE_S, wait_for

STORM = BUILD / "tools" / "echo_storm"
ENDINGS = ("reset", "closed", "wrong", "unconnected")


def serve(world, port=7):
    world.spawn(world.server, [STORM, "serve", port], "storm-server.log")
    wait_listening(world.server, port)


class Storm:
    """So many connections from the world's client; each rests `pause_ms` between two turns."""

    def __init__(self, world, ip, count, pause_ms=50, port=7):
        world.client.sysctl("net.ipv4.ip_local_port_range", "10000 60000")
        self.count = count
        self.process = world.client.popen(
            [STORM, "hold", ip, port, count, pause_ms],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.all_move()
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def report(self, word="report"):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def mark(self):
        """A new span for `moved` and `longest_ms` of the reports begins."""
        return self.report("mark")

    def assert_whole(self):
        """No connection has ended or heard what it should not."""
        report = self.report()
        assert not any(report[e] for e in ENDINGS), report
        return report

    def all_move(self, patience_s=4 * PATIENCE_S):
        """Until each connection has begun and finished a turn from now on; returns the seconds.
        Patient: one whose repeats were all lost tries again after twice the time."""
        began = time.monotonic()
        self.mark()

        def each_has_made_a_turn():
            return self.assert_whole()["moved"] == self.count

        wait_for(each_has_made_a_turn, patience_s)
        return time.monotonic() - began


def processes(f, program):
    """Pids of this world's processes that run the program, whatever state they are in."""
    out = []
    for pid in f.world.gateway.pids():
        try:
            if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(program):
                out.append(pid)
        except FileNotFoundError:
            pass
    return out


def send(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


def kill_control(f):
    f.process.kill()
    f.process.wait()


def kill_dataplane(f):
    """Whichever runs, also one that only begins to."""
    send(processes(f, DATAPLANE), signal.SIGKILL)


def pause(f, program, seconds):
    pids = processes(f, program)
    send(pids, signal.SIGSTOP)
    time.sleep(seconds)
    send(pids, signal.SIGCONT)


def kill_in_upgrade(f, seconds, rng):
    """One of the processes that hand over, at some moment."""
    argv = [BINARY, "upgrade", "-i", f.instance, "--run-dir", f.run_dir]
    with f.world.gateway.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        time.sleep(seconds)
        pids = processes(f, DATAPLANE)
        send(rng.sample(pids, min(1, len(pids))), signal.SIGKILL)
        p.wait(2 * PATIENCE_S)
