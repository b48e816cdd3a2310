# SPDX-License-Identifier: Apache-2.0
"""A backend that fails on command: tests/tools/fault_server.c and its control socket."""

import os
import socket

from fender import BUILD
from world import at, wait_for

FAULT_SERVER = BUILD / "tools" / "fault_server"


class Fault:
    """Serves `ip`:`port` as `name`. spawn(argv) starts it, in whichever namespace; the control
    socket is a file in `directory`."""

    def __init__(self, spawn, directory, ip, port, name, mode="accept", args=()):
        self.name = name
        self.control = os.path.join(str(directory), f"fault-{name}.sock")
        argv = [FAULT_SERVER, "--listen", at(ip, port), "--name", name, "--mode", mode]
        self.process = spawn([*map(str, argv), "--control", self.control, *args])

        def control_answers():
            try:
                return self.stats()
            except OSError:
                return None

        wait_for(control_answers)

    def tell(self, line):
        """One line to the control socket; returns its answer, raises when that is an error."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.control)
            s.sendall(line.encode() + b"\n")
            answer = s.makefile().readline().strip()
        if answer.startswith("error"):
            raise ValueError(answer)
        return answer

    def mode(self, mode):
        self.tell(f"mode {mode}")

    def stats(self):
        numbers, _, mode = self.tell("stats").partition(" mode ")
        words = numbers.split()
        return {"mode": mode, **dict(zip(words[::2], map(int, words[1::2])))}
