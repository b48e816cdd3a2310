# SPDX-License-Identifier: Apache-2.0
"""Limits need capabilities: without one of them nothing starts, and it is said which."""

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


@pytest.mark.parametrize("limiter", ["auto", "xdp"])
@pytest.mark.parametrize(
    "without, missing",
    [(("bpf", "sys_admin"), "CAP_BPF"), (("perfmon", "sys_admin"), "CAP_PERFMON")],
)
def test_missing_capability_is_named(world, without, missing, limiter):
    policy = forwarding([80], [SERVERS4[0]])
    for name in ("clients", "servers"):
        interface(policy, name, limiter=limiter)
    f = Unprivileged(world, policy)
    f.without = without
    world.fenders.append(f)
    assert f.spawn().process.wait(30) != 0
    said = f.log_text()
    print(said)
    assert f"cannot be loaded: {missing} is missing" in said
    assert "dataplane event=started" not in said
    assert not [d["ifname"] for d in world.gateway.ip_json("link", "show") if d.get("xdp")]
