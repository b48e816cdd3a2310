# SPDX-License-Identifier: Apache-2.0
"""Health checks: who does not answer the prober gets no new connection."""

import copy
import os
import signal

import pytest
from clients import REFUSED
from fender import check, write_policy
from policies import base, cluster, listener
from service import PORT, Service, counts
from servers import nginx
from world import FENDER4, PATIENCE_S, PROBER4, PROBER6, SERVERS4, at, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])


def probing(source=PROBER4, **keys):
    return {
        "type": "tcp",
        "interval": "200ms",
        "timeout": "200ms",
        "healthy_threshold": 2,
        "unhealthy_threshold": 3,  # a prober without CPU misses one or two
        "source": source,
        **keys,
    }


@pytest.fixture
def probed(world):
    world.probe_path()
    return world


def health(s, number):
    return s.endpoint(number)["health"]["state"]


def wait_health(s, *states):
    def health_is_as_wanted():
        return [health(s, i) for i in range(1, len(states) + 1)] == list(states)

    wait_for(health_is_as_wanted)


@FAMILIES
def test_an_endpoint_that_dies_gets_nothing_until_it_answers_again(probed, ipv6):
    check_ = probing(PROBER6 if ipv6 else PROBER4)
    s = Service(probed, 3, ipv6=ipv6, health_check=check_)
    wait_health(s, "healthy", "healthy", "healthy")
    s.mode("refuse", 2)
    wait_health(s, "healthy", "unhealthy", "healthy")
    assert s.endpoint(2)["health"]["why"] == "refused"
    assert counts(s.calls(12)) == {"b1": 6, "b3": 6}, "no client finds out"
    s.mode("accept", 2)
    wait_health(s, "healthy", "healthy", "healthy")
    assert counts(s.calls(12)) == {"b1": 4, "b2": 4, "b3": 4}


def test_without_a_check_clients_find_out(probed):
    s = Service(probed, 3)
    s.mode("refuse", 2)
    assert counts(s.calls(12))[REFUSED] == 4


def test_a_blackholed_endpoint_times_out(probed):
    s = Service(probed, 2, health_check=probing())
    wait_health(s, "healthy", "healthy")
    s.mode("blackhole", 1)
    wait_health(s, "unhealthy", "healthy")
    assert s.endpoint(1)["health"]["why"] == "timeout"
    assert s.calls(4) == ["b2"] * 4


def test_the_first_result_decides_at_the_start(probed):
    s = Service(probed, 2, mode="refuse", health_check=probing(interval="1h", timeout="1s"))
    wait_health(s, "unhealthy", "unhealthy")


def test_initial_unhealthy_waits_for_the_first_probe(probed):
    s = Service(
        probed, 2, mode="blackhole",
        health_check=probing(initial="unhealthy", interval="5s", timeout="5s"),
        load_balancing={"panic_threshold": 0},
    )
    assert s.calls(2) == [REFUSED] * 2
    assert s.rejected() == {"no_endpoint": 2}


def test_all_unhealthy_is_panic_or_no_endpoint(probed):
    s = Service(probed, 2, health_check=probing(), load_balancing={"panic_threshold": 0})
    s.mode("refuse")
    wait_health(s, "unhealthy", "unhealthy")
    assert s.calls(2) == [REFUSED] * 2
    assert s.rejected() == {"no_endpoint": 2}
    s.change(load_balancing={"panic_threshold": "50%"})
    assert s.calls(2) == [REFUSED] * 2
    assert s.failed() == {"connect_refused": 2}, "tried all the same"
    assert s.counter("panic") > 0
    s.mode("accept")
    wait_health(s, "healthy", "healthy")
    assert set(s.calls(4)) == {"b1", "b2"}


def test_observed_health_changes_nothing(probed):
    s = Service(probed, 2, health_check=probing(mode="observe"))
    s.mode("refuse", 1)

    def the_log_tells():
        want = f"endpoint=api/{s.addresses[0]} health=unhealthy why=refused observed=yes"
        return want in s.fender.log_text()

    wait_for(the_log_tells)
    assert [health(s, 1), health(s, 2)] == ["unknown", "unknown"]
    assert counts(s.calls(8)) == {REFUSED: 4, "b2": 4}


def test_a_health_port_of_its_own(probed):
    """The service works, its health port does not: that is unhealthy."""
    from service import backend

    s = Service(probed, 2, health_check=probing(port=9))
    wait_health(s, "unhealthy", "unhealthy")
    backend(probed, s.ips[0], "bh", port=9)
    wait_health(s, "healthy", "unhealthy")
    assert s.calls(4) == ["b1"] * 4


def test_http_wants_a_good_status(probed):
    """nginx answers /health of one server, and 404 at the other."""
    files = probed.path("files")
    os.makedirs(files)
    nginx(probed, SERVERS4[:2], port=80, files=files)
    policy = base()
    rows = probing(type="http", path="/files/health")
    cluster(policy, "web", [at(ip, 80) for ip in SERVERS4[:2]], health_check=rows)
    listener(policy, "web", at(FENDER4, 80), "web")
    f = probed.fender(policy)

    def wait_both(state):
        def both_have_the_state():
            return {e["health"]["state"] for e in f.stats().raw["endpoints"]} == {state}

        wait_for(both_have_the_state)

    wait_both("unhealthy")
    assert f.stats().raw["endpoints"][0]["health"]["why"] == "status"
    with open(os.path.join(files, "health"), "w") as out:
        out.write("well\n")
    wait_both("healthy")
    os.unlink(os.path.join(files, "health"))
    wait_both("unhealthy")


def test_http_against_who_does_not_speak_it(probed):
    s = Service(probed, 2, health_check=probing(type="http", path="/"))
    wait_health(s, "unhealthy", "unhealthy")
    assert s.endpoint(1)["health"]["why"] == "protocol"


def test_http_against_who_never_answers(probed):
    s = Service(probed, 2, mode="hang", health_check=probing(type="http", path="/"))
    wait_health(s, "unhealthy", "unhealthy")
    assert s.endpoint(1)["health"]["why"] == "timeout"


def test_the_last_known_state_stays_while_the_prober_is_away(probed):
    s = Service(probed, 2, health_check=probing())
    wait_health(s, "healthy", "healthy")
    s.mode("refuse", 1)
    wait_health(s, "unhealthy", "healthy")
    s.fender.process.kill()
    s.fender.process.wait()
    s.mode("accept", 1)
    assert s.calls(6) == ["b2"] * 6
    s.fender.start()
    wait_health(s, "healthy", "healthy")
    assert set(s.calls(4)) == {"b1", "b2"}


@pytest.mark.restarts
def test_health_survives_a_restart_of_the_dataplane(probed):
    s = Service(probed, 2, health_check=probing())
    s.mode("refuse", 1)
    wait_health(s, "unhealthy", "healthy")
    first = s.fender.dataplane_pid()
    os.kill(first, signal.SIGKILL)

    def another_is_ready():
        return s.fender.ready() and s.fender.dataplane_pid() not in (0, first)

    wait_for(another_is_ready)
    assert s.calls(4) == ["b2"] * 4


def test_endpoints_come_and_go_while_they_are_probed(probed):
    """Reloads in the middle of probes that hang."""
    slow = probing(interval="300ms", timeout="300ms")
    s = Service(probed, 3, mode="blackhole", health_check=slow)
    policy = copy.deepcopy(s.policy)
    rows = policy["clusters"][0]["endpoints"]
    for i in range(12):
        policy["clusters"][0]["endpoints"] = [r for k, r in enumerate(rows) if k != i % 3]
        policy["clusters"][0]["health_check"] = probing() if i % 4 else None
        if i % 4 == 0:
            del policy["clusters"][0]["health_check"]
        s.fender.reload(policy)
    s.fender.reload(s.policy)
    s.mode("accept")
    wait_health(s, "healthy", "healthy", "healthy")
    assert counts(s.calls(9)) == {"b1": 3, "b2": 3, "b3": 3}


def test_a_check_taken_away_makes_the_endpoint_usable_again(probed):
    s = Service(probed, 2, health_check=probing(port=9))
    wait_health(s, "unhealthy", "unhealthy")
    s.change(health_check=None)

    def both_serve():
        return set(s.calls(4)) == {"b1", "b2"}

    wait_for(both_serve)


def test_standing_connections_stay_on_an_unhealthy_endpoint(probed):
    s = Service(probed, 2, health_check=probing())
    wait_health(s, "healthy", "healthy")
    with s.clients() as c:
        calls = c.open(4)
        assert c.settle() == {"b1": 2, "b2": 2}
        s.mode("refuse", 1)
        wait_health(s, "unhealthy", "healthy")
        for call in calls:
            call.sock.settimeout(PATIENCE_S)
            call.sock.sendall(b"still here")
            assert call.sock.recv(100) == b"still here"


def test_a_passing_probe_alone_does_not_reset_an_ejection(probed):
    s = Service(
        probed, 2, health_check=probing(),
        outlier_detection={"consecutive_failures": 2, "open_for": "30s"},
    )
    wait_health(s, "healthy", "healthy")
    s.mode("reset", 1)  # after the handshake: the prober sees nothing
    s.calls(8)
    s.wait_phase("open", 1)
    with s.clients() as c:
        c.drive(1)
    assert s.phases() == ["open", "closed"]
    assert s.calls(4) == ["b2"] * 4


def test_a_check_that_cannot_reach_is_refused(tmp_path):
    for keys, named in (
        ({"source": FENDER4}, "source"),
        ({"source": "fd77:9::1"}, "source"),
        ({"timeout": "1s"}, "timeout"),
    ):
        policy = cluster(base(), "api", [at(SERVERS4[0], PORT)], health_check=probing(**keys))
        listener(policy, "api", at(FENDER4, PORT), "api")
        done = check(write_policy(tmp_path / "policy.yaml", policy))
        assert done.returncode != 0, keys
        assert f"health_check.{named}" in done.stdout + done.stderr
