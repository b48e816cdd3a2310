# SPDX-License-Identifier: Apache-2.0
"""Endpoints from a file and from DNS: found, followed, and kept when the source fails."""

import os

import pytest
from clients import CONNECTED, REFUSED
from fender import check, write_policy
from policies import base, listener
from service import PORT, backend, counts, know_neighbours
from servers import listening
from clients import Clients
from world import BACKENDS4, BACKENDS6, FENDER4, FENDER6, RESOLVER4, at, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])


class Found:
    """Backends b1, b2, ... and a cluster "api" that is told of them by `source`."""

    def __init__(self, world, source, backends=3, ipv6=False, args=(), port=PORT, **keys):
        self.world = world
        self.ips = (BACKENDS6 if ipv6 else BACKENDS4)[:backends]
        self.backends = [backend(world, ip, f"b{i}") for i, ip in enumerate(self.ips, 1)]
        self.ip = FENDER6 if ipv6 else FENDER4
        self.policy = base()
        self.policy["clusters"].append({"name": "api", "endpoints": source, **keys})
        listener(self.policy, "api", at(self.ip, PORT), "api")
        know_neighbours(world, self.policy)
        self.fender = world.fender(self.policy, args=args)

    def calls(self, n):
        with Clients(self.world.client, self.ip, PORT) as c:
            return c.calls(n)

    def addresses(self):
        return [e["address"] for e in self.fender.stats().raw["endpoints"]]

    def wait_served_by(self, *names):
        def exactly_these_serve():
            return set(self.calls(2 * len(names) + 1)) == set(names)

        wait_for(exactly_these_serve, every_s=0.1)


# -- file -------------------------------------------------------------------


def write_file(world, text, in_place=False):
    path = world.path("endpoints.yaml")
    if in_place:
        with open(path, "w") as f:
            f.write(text)
        return path
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)
    return path


def rows(*ips):
    return "".join(f'- {{address: "{at(ip, PORT)}"}}\n' for ip in ips) or "[]\n"


@FAMILIES
@pytest.mark.parametrize("in_place", [False, True], ids=["renamed", "rewritten"])
def test_a_changed_file_is_followed_without_a_reload(world, ipv6, in_place):
    ips = (BACKENDS6 if ipv6 else BACKENDS4)[:3]
    write_file(world, rows(ips[0]))
    s = Found(world, {"file": "endpoints.yaml"}, ipv6=ipv6)
    assert s.calls(3) == ["b1"] * 3
    write_file(world, rows(ips[1], ips[2]), in_place)
    s.wait_served_by("b2", "b3")
    write_file(world, rows(*ips), in_place)
    s.wait_served_by("b1", "b2", "b3")


def test_weights_and_priorities_come_from_the_file(world):
    text = f'- {{address: "{at(BACKENDS4[0], PORT)}", weight: 3}}\n'
    text += f'- {{address: "{at(BACKENDS4[1], PORT)}", weight: 1}}\n'
    text += f'- {{address: "{at(BACKENDS4[2], PORT)}", priority: 1}}\n'
    write_file(world, text)
    s = Found(world, {"file": "endpoints.yaml"})
    assert counts(s.calls(20)) == {"b1": 15, "b2": 5}


@pytest.mark.parametrize("bad", [
    "[unclosed\n", "- {address: 10.77.2.11}\n", "- {adress: '10.77.2.11:7'}\n", "{}\n",
    "- {address: '10.77.2.11:7'}\n- {address: '10.77.2.11:7'}\n",
])
def test_a_bad_file_changes_nothing_and_is_named(world, bad):
    path = write_file(world, rows(*BACKENDS4[:2]))
    s = Found(world, {"file": "endpoints.yaml"})
    write_file(world, bad)

    def log_names_the_place():
        return f"{path}:" in s.fender.log_text()

    wait_for(log_names_the_place)
    assert set(s.calls(4)) == {"b1", "b2"}
    write_file(world, rows(BACKENDS4[2]))
    s.wait_served_by("b3")


def test_a_file_that_vanishes_keeps_the_last_set(world):
    path = write_file(world, rows(*BACKENDS4[:2]))
    s = Found(world, {"file": "endpoints.yaml"})
    os.unlink(path)
    with Clients(world.client, FENDER4, PORT) as c:
        c.drive(1)
    assert set(s.calls(4)) == {"b1", "b2"}
    write_file(world, rows(BACKENDS4[2]))
    s.wait_served_by("b3")


def test_an_empty_file_is_no_endpoint(world):
    write_file(world, rows(BACKENDS4[0]))
    s = Found(world, {"file": "endpoints.yaml"})
    write_file(world, rows())
    s.wait_served_by(REFUSED)
    assert s.fender.stats().cluster("api")["rejected_by_reason"]["no_endpoint"] > 0


def test_a_missing_file_is_an_error_at_the_start(world):
    policy = base()
    policy["clusters"].append({"name": "api", "endpoints": {"file": "nowhere.yaml"}})
    listener(policy, "api", at(FENDER4, PORT), "api")
    done = check(write_policy(world.path("policy.yaml"), policy))
    assert done.returncode != 0
    assert "nowhere.yaml" in done.stdout + done.stderr


def test_connections_stay_on_an_endpoint_that_left_the_file(world):
    write_file(world, rows(*BACKENDS4[:2]))
    s = Found(world, {"file": "endpoints.yaml"})
    for b in s.backends:
        b.mode("hang")
    with Clients(world.client, FENDER4, PORT) as c:
        c.open(4)
        c.until(**{CONNECTED: 4})

        def all_are_accepted():
            return sum(b.stats()["connections"] for b in s.backends) == 4

        wait_for(all_are_accepted)
        s.backends[1].mode("accept")
        write_file(world, rows(BACKENDS4[1]))

        def the_other_has_left():
            return s.addresses() == [at(BACKENDS4[1], PORT)]

        wait_for(the_other_has_left)
        assert s.calls(4) == ["b2"] * 4
        assert c.outcomes() == {CONNECTED: 4}


# -- DNS --------------------------------------------------------------------


class Names:
    """dnsmasq on the prober's link; its answers are a hosts file that is read anew at SIGHUP."""

    def __init__(self, world, records=(), **hosts):
        world.probe_path()
        self.world = world
        self.hosts = world.path("hosts")
        self.argv = [
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--bind-interfaces", "--user=root", "--port=53", "--pid-file=", "--local-ttl=0",
            "--local=/test/", f"--listen-address={RESOLVER4}", f"--addn-hosts={self.hosts}",
            *records,
        ]
        self.process = None
        self.say(**hosts)
        self.start()

    def say(self, **hosts):
        """name=[ip, ...]; a name ends in .test."""
        with open(self.hosts, "w") as f:
            for name, ips in hosts.items():
                f.writelines(f"{ip} {name}.test\n" for ip in ips)
        if self.process:
            self.stop()
            self.start()

    def start(self):
        self.process = self.world.spawn(self.world.server, self.argv, "dns.log")

        def it_listens():
            return listening(self.world.server, 53, "udp")

        wait_for(it_listens)

    def stop(self):
        self.world.stop(self.process)
        self.process = None


ASK = ["--dns-server", RESOLVER4]
NAME = {"dns": f"api.test:{PORT}", "refresh": "200ms"}


@FAMILIES
def test_addresses_of_a_name_are_followed(world, ipv6):
    ips = BACKENDS6 if ipv6 else BACKENDS4
    names = Names(world, api=ips[:2])
    s = Found(world, NAME, ipv6=ipv6, args=ASK)
    s.wait_served_by("b1", "b2")
    names.say(api=[ips[2]])
    s.wait_served_by("b3")
    names.say(api=ips[:3])
    s.wait_served_by("b1", "b2", "b3")


def test_the_last_good_set_stays_when_dns_is_away(world):
    names = Names(world, api=BACKENDS4[:2])
    s = Found(world, NAME, args=ASK)
    s.wait_served_by("b1", "b2")
    names.stop()
    with Clients(world.client, FENDER4, PORT) as c:
        c.drive(1.5)
    assert set(s.calls(4)) == {"b1", "b2"}
    names.say(api=[BACKENDS4[2]])
    names.start()
    s.wait_served_by("b3")


def test_stale_answers_are_dropped_where_they_are_not_ok(world):
    names = Names(world, api=BACKENDS4[:2])
    s = Found(world, {**NAME, "stale_ok": False}, args=ASK)
    s.wait_served_by("b1", "b2")
    names.say(other=[BACKENDS4[0]])  # the name is gone
    s.wait_served_by(REFUSED)
    names.say(api=[BACKENDS4[2]])
    s.wait_served_by("b3")


def test_a_name_that_comes_later_is_found(world):
    names = Names(world, other=[BACKENDS4[0]])
    s = Found(world, NAME, args=ASK)
    assert s.calls(1) == [REFUSED]
    names.say(api=BACKENDS4[:2])
    s.wait_served_by("b1", "b2")


def test_service_records_carry_port_weight_and_priority(world):
    records = [
        f"--srv-host=_api._tcp.test,one.test,{PORT},0,3",
        f"--srv-host=_api._tcp.test,two.test,{PORT},0,1",
        f"--srv-host=_api._tcp.test,three.test,{PORT},1,1",
    ]
    Names(world, records, one=[BACKENDS4[0]], two=[BACKENDS4[1]], three=[BACKENDS4[2]])
    s = Found(world, {"dns": "_api._tcp.test", "refresh": "200ms"}, args=ASK)

    def all_three_are_found():
        return len(s.addresses()) == 3

    wait_for(all_three_are_found)
    assert counts(s.calls(20)) == {"b1": 15, "b2": 5}


def test_answers_that_cannot_be_used_are_left_out(world):
    """Fender's own address, one no route leads to, and one of the other family."""
    Names(world, api=[BACKENDS4[0], FENDER4, "192.0.2.1", BACKENDS6[1]])
    s = Found(world, NAME, args=ASK)
    s.wait_served_by("b1")
    assert s.addresses() == [at(BACKENDS4[0], PORT)]


def test_the_set_survives_a_restart_of_the_control_plane(world):
    names = Names(world, api=BACKENDS4[:2])
    s = Found(world, NAME, args=ASK)
    s.wait_served_by("b1", "b2")
    names.stop()
    s.fender.process.kill()
    s.fender.process.wait()
    assert set(s.calls(4)) == {"b1", "b2"}
    s.fender.start()
    assert set(s.calls(4)) == {"b1", "b2"}, "an unanswered name empties nothing"


def test_a_steady_answer_publishes_nothing(world):
    Names(world, api=BACKENDS4[:3])
    s = Found(world, NAME, args=ASK)
    s.wait_served_by("b1", "b2", "b3")
    before = s.fender.stats().generation
    with Clients(world.client, FENDER4, PORT) as c:
        c.drive(1.5)
    assert s.fender.stats().generation == before
