# SPDX-License-Identifier: Apache-2.0
"""AF_XDP and limits need capabilities: without one of them nothing starts, and it is said which."""

import pytest
from fender import BINARY, Fender
from policies import forwarding, interface
from world import SERVERS4


class Unprivileged(Fender):
    """Without these capabilities, whose names setpriv(1) knows."""

    without = ()

    def spawn(self):
        bounds = ",".join(f"-{name}" for name in self.without)
        argv = ["setpriv", "--bounding-set", bounds]
        argv += [BINARY, "run", "-c", self.file, *self.options(), *self.args]
        with open(self.log, "ab") as out:
            self.process = self.world.gateway.popen(argv, stdout=out, stderr=out)
        return self


def said_without(world, limiter, capabilities):
    """The log of a start that fails."""
    policy = forwarding([80], [SERVERS4[0]])
    for name in ("clients", "servers"):
        interface(policy, name, limiter=limiter)
    f = Unprivileged(world, policy)
    f.without = capabilities
    world.fenders.append(f)
    assert f.spawn().process.wait(30) != 0
    said = f.log_text()
    print(said)
    return said


@pytest.mark.parametrize("limiter", ["auto", "xdp"])
@pytest.mark.parametrize(
    "without, missing",
    [(("bpf", "sys_admin"), "CAP_BPF"), (("perfmon", "sys_admin"), "CAP_PERFMON")],
)
def test_missing_capability_is_named(world, without, missing, limiter):
    said = said_without(world, limiter, without)
    assert f"cannot be loaded: {missing} is missing" in said
    assert "dataplane event=started" not in said
    assert not [d["ifname"] for d in world.gateway.ip_json("link", "show") if d.get("xdp")]


@pytest.mark.parametrize(
    "limiter, without, missing",
    [
        ("xdp", ("net_raw",), "CAP_NET_RAW"),
        ("xdp", ("net_admin",), "CAP_NET_ADMIN"),
        ("xdp", ("ipc_lock",), "CAP_IPC_LOCK"),
        ("none", ("net_raw",), "CAP_NET_RAW"),
        ("none", ("net_admin",), "CAP_NET_ADMIN"),
        ("none", ("sys_admin",), "CAP_SYS_ADMIN"),
    ],
)
def test_what_sockets_need_is_named_once(world, limiter, without, missing):
    said = said_without(world, limiter, without)
    assert said.count(f"no AF_XDP socket on queue 0 of fa: {missing}") == 1
    assert said.count("dataplane event=started pid") == 1
