# SPDX-License-Identifier: Apache-2.0
"""The admin API: what each path answers, who may ask, and what its clients can do to it."""

import contextlib
import json
import os
import select
import socket
import stat

import jsonschema
import laws
import pytest
from clients import CONNECTED, REFUSED, Clients
from fender import ROOT, Fender
from policies import base, cluster, listener
from service import PORT, Service, know_neighbours
from world import BACKENDS4, CLIENT4, FENDER4, World, at, wait_for

SCHEMA = json.loads((ROOT / "docs" / "admin-api.schema.json").read_text())
AT_ONCE = 200
METRICS = "127.0.0.1:9901"
EVENTS = 1600  # more than the region keeps and a reader's socket holds together


def validate(what, value):
    jsonschema.Draft202012Validator({**SCHEMA["answers"][what], "$defs": SCHEMA["$defs"]}).validate(
        value
    )


def get(fender, path):
    status, body = fender.http("GET", path)
    assert status == 200, f"GET {path}: {status} {body}"
    return json.loads(body)


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    return s


def ask(path, request):
    """Send bytes; everything that comes until the server closes."""
    with connect(path) as s:
        try:
            s.sendall(request)
        except OSError:
            pass  # it may have closed in the middle
        return read_all(s)


def read_all(s):
    said = b""
    try:
        while part := s.recv(65536):
            said += part
    except ConnectionResetError:
        pass  # what we sent and it did not read
    return said


def status_of(said):
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.1 ") else None


def request(method, path):
    return f"{method} {path} HTTP/1.1\r\nHost: f\r\n\r\n".encode()


def ro_socket(fender):
    return fender.socket + ".ro"


@pytest.fixture(scope="module")
def own_world():
    world = World()
    try:
        yield world
    finally:
        world.destroy()


@pytest.fixture(scope="module")
def service(own_world):
    """Of all tests that leave it as they found it."""
    s = Service(
        own_world, 2, bulkhead={"max_concurrent": 50},
        circuit_breaker={"failure_rate": "50%", "minimum_calls": 1000}, outlier_detection={},
        args=["--metrics", METRICS, "--read-group", "daemon"],
    )
    s.calls(6)
    yield s
    laws.assert_all_returned(s.fender)
    assert s.fender.dataplane_pid() == s.fender.first_dataplane


@pytest.fixture(scope="module")
def served(service):
    return service.fender


@pytest.fixture
def hanging(service):
    """The service with backends that accept and say nothing."""
    service.mode("hang")
    yield service
    service.mode("accept")


@contextlib.contextmanager
def connected(service, n, **keys):
    """So many open connections; there are no others, before or after."""
    with service.clients() as c:
        c.open(n, **keys)
        c.until(**{CONNECTED: n})
        yield c
        c.hang_up(list(c.all), reset=True)

    def all_are_over():
        return service.cluster()["open"] == 0

    wait_for(all_are_over)


# -- what it answers ----------------------------------------------------------


def test_every_answer_is_as_the_schema_says(hanging):
    s = hanging
    with connected(s, 3):
        index = get(s.fender, "/")
        paths = {p["path"] for p in index["paths"] if p["method"] == "GET"}
        for path in sorted(paths - {"/schema", "/metrics", "/events", "/explain", "/capture"}):
            validate("GET " + path, get(s.fender, path.replace("*", "api")))
        for query in (
            f"protocol=tcp&client=10.0.0.1:1&destination={s.ip}:{s.port}",
            "protocol=udp&client=10.0.0.1:1&destination=10.0.0.2:2",
            "cluster=api&key=10.0.0.1",
        ):
            validate("GET /explain", get(s.fender, "/explain?" + query))
        assert {p["path"] for p in index["paths"] if p["method"] == "POST"} >= {"/reload"}
    assert get(s.fender, "/schema") == SCHEMA
    for path in ("/reload", "/breakers/api/open", "/breakers/api/reset"):
        status, body = s.fender.http("POST", path)
        assert status == 200
        validate("POST " + {"/reload": "/reload"}.get(path, "/breakers/*/*"), json.loads(body))


def test_views_are_parts_of_the_statistics(service):
    s = service
    stats = get(s.fender, "/stats")

    def names(rows, key):
        return [row[key] for row in rows]

    for view, key in (("listeners", "name"), ("clusters", "name"), ("endpoints", "address")):
        assert names(get(s.fender, "/" + view)[view], key) == names(stats[view], key)
    one = get(s.fender, "/clusters/api")
    assert one["cluster"]["started"] == stats["clusters"][0]["started"] >= 6
    assert names(one["endpoints"], "address") == s.addresses
    assert get(s.fender, "/endpoints?cluster=api")["endpoints"] == one["endpoints"]
    status, body = s.fender.http("GET", "/clusters/apo")
    assert (status, "did you mean api?" in body) == (404, True)
    policy = get(s.fender, "/policy")
    with open(s.fender.file) as f:
        assert policy["text"] == f.read()
    assert policy["hash"] == stats["policy_hash"]
    assert s.fender.http("GET", "/policy?format=yaml") == (200, policy["text"])


def test_breakers_are_those_that_matter(service):
    s = service
    assert [b.get("endpoint") for b in get(s.fender, "/breakers")["breakers"]] == [None]
    assert len(get(s.fender, "/breakers?all=1")["breakers"]) == 3
    drained = s.addresses[1]
    assert s.fender.http("POST", f"/endpoints/api/{drained}/drain")[0] == 200
    (_, row) = get(s.fender, "/breakers")["breakers"]
    assert (row["endpoint"], row["drained"]) == (drained, True)
    assert s.fender.http("POST", f"/endpoints/api/{drained}/undrain")[0] == 200


def test_readiness_is_told_from_life(served):
    ready = get(served, "/readyz")
    assert (ready["status"], ready["dataplane"]) == ("ready", "up")
    assert ready["generation"] == ready["applied_generation"] > 0
    assert get(served, "/healthz") == {"status": "ok"}


# -- connections --------------------------------------------------------------


def rows(fender, query=""):
    return get(fender, "/connections" + query)["connections"]


def test_connections_show_who_talks_to_whom(hanging):
    s = hanging
    with connected(s, 6, source=CLIENT4) as c:
        ports = {k.sock.getsockname()[1] for k in c.all}

        def the_last_ack_has_passed():
            return len(rows(s.fender, "?state=established")) == 6

        wait_for(the_last_ack_has_passed)
        all_rows = rows(s.fender)
        assert {r["client"] for r in all_rows} == {at(CLIENT4, p) for p in ports}
        assert sorted(r["endpoint"] for r in all_rows) == sorted(s.addresses * 3)
        for r in all_rows:
            assert (r["state"], r["listener"], r["cluster"]) == ("established", "api", "api")
            assert {"cluster_permit", "endpoint_permit"} <= set(r["holds"])
            assert r["destination"] == at(FENDER4, PORT)
            assert r["to_endpoint_packets"] >= 1 and r["attempts"] == 1
        one = all_rows[0]
        for query, n in (
            (f"?client={one['client']}", 1),
            (f"?client={CLIENT4}", 6),
            ("?client=10.77.1.3", 0),
            (f"?endpoint={s.addresses[0]}", 3),
            ("?listener=api&cluster=api&state=established", 6),
            ("?state=syn_sent", 0),
        ):
            assert len(rows(s.fender, query)) == n, query
        status, body = s.fender.http("GET", "/connections?cluster=nobody")
        assert (status, "nobody" in body) == (404, True)


def test_connections_come_page_by_page(hanging):
    s = hanging
    with connected(s, 7):
        seen, cursor, pages = [], 0, 0
        while cursor is not None:
            page = get(s.fender, f"/connections?limit=3&cursor={cursor}")
            assert len(page["connections"]) <= 3
            seen += [r["client"] for r in page["connections"]]
            cursor, pages = page["next"], pages + 1
        assert (len(set(seen)), len(seen), pages) == (7, 7, 3)
    assert get(s.fender, f"/connections?cursor={2**64 - 1}")["next"] is None


# -- events -------------------------------------------------------------------


class Events:
    """A follower of GET /events; reads when it is told to."""

    def __init__(self, fender, query):
        self.socket = connect(fender.socket)
        self.socket.sendall(request("GET", "/events?" + query))
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def read(self, n):
        part = self.socket.recv(n)
        assert part, "the stream ended"
        self.text += part

    def lines(self):
        """What has come so far, without HTTP's chunks."""
        rest, body = self.text.partition(b"\r\n\r\n")[2], b""
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return [json.loads(line) for line in body[: body.rfind(b"\n") + 1].splitlines()]

    def until(self, wanted, timeout_s=20):
        def the_line_came():
            while select.select([self.socket], [], [], 0)[0]:
                self.read(65536)
            return next((line for line in self.lines() if wanted(line)), None)

        return wait_for(the_line_came, timeout_s)


@pytest.fixture(scope="module")
def flapping():
    """64 endpoints that refuse, each observed to be ejected again and again."""
    world = World()
    policy = cluster(
        base(), "api", [at(ip, port) for ip in BACKENDS4 for port in range(9, 17)],
        outlier_detection={
            "mode": "observe", "consecutive_failures": 1, "failure_rate": 0,
            "open_for": "10ms", "max_open_for": "10ms",
        },
    )
    try:
        listener(policy, "api", at(FENDER4, PORT), "api")
        know_neighbours(world, policy)
        yield world.fender(policy)
    finally:
        world.destroy()


def make_events(fender, count):
    def last_number():
        status, body = fender.http("GET", "/events")
        assert status == 200
        return json.loads(body.splitlines()[-1])["seq"] if body else 0

    end = last_number() + count
    with Clients(fender.world.client, FENDER4, PORT) as c:

        def so_many_have_happened():
            c.open(200)
            assert c.settle()[REFUSED] == 200
            c.hang_up(list(c.all))
            return last_number() >= end

        wait_for(so_many_have_happened, 60)


def test_events_are_told_in_order_as_they_happen(flapping):
    f = flapping
    with Events(f, "since=0&follow=1") as events:
        make_events(f, 10)
        tenth = events.until(lambda line: line["seq"] == 10)
        validate("GET /events", tenth)
        assert tenth["event"] in ("ejected", "probing") and tenth["observed"]
        assert [line["seq"] for line in events.lines()[:10]] == list(range(1, 11))
    status, body = f.http("GET", "/events?since=8")
    assert json.loads(body.splitlines()[0])["seq"] == 9
    status, body = f.http("GET", f"/events?since={2**63}")
    assert json.loads(body.splitlines()[0])["restarted"] is True


def resident_kb(fender):
    with open(f"/proc/{fender.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


def test_a_reader_of_one_byte_a_time_costs_nothing_and_is_told_its_loss(flapping):
    f = flapping
    make_events(f, 10)
    with Events(f, "follow=1") as slow:
        slow.read(1)
        before = resident_kb(f)
        make_events(f, EVENTS)
        for _ in range(20):
            slow.read(1)
        assert f.ready()
        assert resident_kb(f) - before < 4096
        lost = slow.until(lambda line: "lost" in line)
        validate("GET /events", lost)
        lines = slow.lines()
        after = lines[lines.index(lost) + 1]
        last = lines[lines.index(lost) - 1]
        assert after["seq"] == lost["seq"] + 1 == last["seq"] + lost["lost"] + 1


def test_streams_are_few_and_leave_their_places(served):
    f = served
    streams = [Events(f, "follow=1") for _ in range(16)]
    try:
        for s in streams:
            s.read(15)
        assert f.http("GET", "/events?follow=1")[0] == 503
        assert f.ready()
    finally:
        for s in streams:
            s.socket.close()

    def a_place_is_free():
        with Events(f, "follow=1") as again:
            again.read(12)
            return b" 200" in again.text

    wait_for(a_place_is_free)


# -- who may ------------------------------------------------------------------


def test_readers_read_and_do_nothing_else(served):
    f = served
    for path, group in ((f.socket, os.getgid()), (ro_socket(f), 1)):
        st = os.stat(path)
        assert stat.S_IMODE(st.st_mode) == 0o660
        assert st.st_gid == group
    said = ask(ro_socket(f), request("GET", "/stats"))
    assert status_of(said) == 200
    for path in ("/reload", "/breakers/api/open", "/rollback"):
        assert status_of(ask(ro_socket(f), request("POST", path))) == 403
    index = json.loads(ask(ro_socket(f), request("GET", "/")).split(b"\r\n\r\n", 1)[1])
    assert {p["method"] for p in index["paths"]} == {"GET"}
    assert f.stats().cluster("api")["breaker"]["override"] == "none"
    assert f.http("POST", "/breakers/api/reset")[0] == 200
    assert 'path="/breakers/api/reset" uid=0' in f.log_text()


@contextlib.contextmanager
def somebody_of_group(directory):
    """In @directory, as a user who is nobody to Fender but in its group."""
    before = os.getcwd()
    os.chdir(directory)
    os.seteuid(1)
    try:
        yield
    finally:
        os.seteuid(0)
        os.chdir(before)


def test_operators_do_not_name_programs_to_run(served):
    f = served
    said = []
    for path in ("/upgrade?dataplane=/bin/true", "/breakers/api/reset"):
        with somebody_of_group(f.run_dir):
            s = connect(os.path.basename(f.socket))
        with s:
            s.sendall(request("POST", path))
            said.append(status_of(read_all(s)))
    assert said == [403, 200]


def test_metrics_alone_are_served_on_tcp(served, own_world):
    def tcp_status(path):
        with own_world.gateway:
            s = socket.create_connection(tuple(METRICS.split(":")), timeout=20)
        with s:
            s.sendall(request("GET", path))
            return status_of(read_all(s))

    assert [tcp_status(p) for p in ("/healthz", "/readyz", "/metrics")] == [200] * 3
    assert [tcp_status(p) for p in ("/stats", "/nope")] == [403, 404]


@pytest.mark.parametrize(
    "args, says",
    [
        (["--metrics", "0.0.0.0:9901"], "no loopback address"),
        (["--metrics", "127.0.0.1"], "no loopback address"),
        (["--read-group", "no-such-group"], "no group 'no-such-group'"),
    ],
)
def test_a_wrong_option_ends_the_start_with_a_sentence(own_world, args, says):
    world = own_world
    policy = cluster(base(name=f"wrong-{os.getpid()}"), "api", [at(BACKENDS4[0], PORT)])
    listener(policy, "api", at(FENDER4, PORT), "api")
    f = Fender(world, policy, name="wrong", args=args)
    f.spawn()
    try:
        assert f.process.wait(20) == 1
    finally:
        f.process.kill()
    assert says in f.log_text()
    assert not os.path.exists(f.socket)
    assert not os.path.exists(ro_socket(f))


# -- what clients can do to it ------------------------------------------------


def test_many_clients_at_once_are_all_answered(served):
    f = served
    clients = [connect(f.socket) for _ in range(AT_ONCE)]
    try:
        for s in clients:
            s.sendall(request("GET", "/clusters"))
        assert [status_of(read_all(s)) for s in clients] == [200] * AT_ONCE
    finally:
        for s in clients:
            s.close()


def test_slow_clients_keep_nobody_out(served):
    f = served
    slow = [connect(f.socket) for _ in range(AT_ONCE)]
    try:
        for i, s in enumerate(slow):
            # Nothing, half a request, or an answer that is not read.
            s.sendall((b"", b"GET /stats HT", request("GET", "/stats"))[i % 3])
        assert get(f, "/healthz") == {"status": "ok"}
    finally:
        for s in slow:
            s.close()


@pytest.mark.parametrize(
    "bytes_, statuses",
    [
        (b"GET /stats\r\n\r\n" * 3, (None, 400, 200)),
        (b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n", (None, 414, 431)),
        (b"GET /stats HTTP/1.1\r\n" + b"A: b\r\n" * 50000 + b"\r\n", (None, 431, 413)),
        (request("GET", "/healthz") * 50, (200,)),
        (request("GET", "/healthz?x=1"), (400,)),
        (request("GET", "/connections?limit=0"), (400,)),
        (request("GET", "/connections?limit=10001"), (400,)),
        (request("GET", "/connections?state=open"), (400,)),
        (request("GET", "/connections?client=1.2.3"), (400,)),
        (request("GET", "/connections?endpoint=[::1"), (400,)),
        (request("GET", "/connections?limit=1&limit=1"), (400,)),
        (request("GET", "/events?since=-1"), (400,)),
        (request("GET", "/policy?format=xml"), (400,)),
        (request("GET", "/%00"), (400,)),
        (request("PUT", "/policy"), (405,)),
        (request("OPTIONS", "/policy"), (204,)),
        (request("BREW", "/coffee"), (404,)),
        (b"POST /reload HTTP/1.1\r\nHost: f\r\nContent-Length: 5000\r\n\r\n", (413,)),
    ],
    ids=range(18),
)
def test_what_no_client_should_send(served, bytes_, statuses):
    said = ask(served.socket, bytes_)
    assert status_of(said) in statuses, said[:300]
    if (status_of(said) or 0) >= 400 and b"application/json" in said:
        validate_error(said)
    assert get(served, "/healthz") == {"status": "ok"}


def validate_error(said):
    body = json.loads(said.split(b"\r\n\r\n", 1)[1])
    jsonschema.validate(body, {**SCHEMA["$defs"]["error"], "$defs": SCHEMA["$defs"]})


def test_a_client_may_close_its_half(served):
    with connect(served.socket) as s:
        s.sendall(request("GET", "/stats"))
        s.shutdown(socket.SHUT_WR)
        assert status_of(read_all(s)) == 200


def test_head_has_no_body(served):
    said = ask(served.socket, request("HEAD", "/stats"))
    head, body = said.split(b"\r\n\r\n", 1)
    assert (status_of(said), body) == (200, b"")
