/* SPDX-License-Identifier: Apache-2.0 */
/* The policies' promises with their numbers, by whole simulated runs. */
#include "dataplane/simulate/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "shm/events.h"
#include "shm/state.h"
#include "tests/unit/dataplane/suite.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

static const char head[] = "version: 1\n"
			   "sidecar: {name: t, workers: 2, connections: 4096}\n"
			   "interfaces:\n"
			   "  - {name: app, device: af_xdp:a, addresses: [10.1.0.1/24]}\n"
			   "  - {name: net, device: af_xdp:b, addresses: [10.2.0.1/24]}\n";

static const char one[] =
	"listeners:\n"
	"  - {name: l, bind: 10.1.0.1:80, interface: app, protocol: tcp, cluster: c}\n"
	"clusters:\n"
	"  - name: c\n"
	"    endpoints: [{address: 10.2.0.11:80}, {address: 10.2.0.12:80},\n"
	"                {address: 10.2.0.13:80}, {address: 10.2.0.14:80}]\n";

/* The policy with @listeners, and @more at its end. */
static struct image_header *policy(const char *listeners, const char *more)
{
	struct diagnostics *d = diagnostics_create("p");
	struct image_header *image;
	char text[4096];

	snprintf(text, sizeof(text), "%s%s%s", head, listeners, more);
	image = config_compile(text, strlen(text), d);
	if (image == NULL)
		diagnostics_print(d, stderr);
	diagnostics_free(d);
	if (image == NULL)
		abort();
	return image;
}

/* Answers after @ms in all, half a millisecond of it to connect. */
static struct sim_endpoint answering(uint64_t ms)
{
	return (struct sim_endpoint){.connect = {SIM_FIXED, MS / 2, 0},
				     .latency = {SIM_FIXED, ms * MS - MS / 2, 0}};
}

static struct sim_load steady(uint32_t rate, uint64_t seconds)
{
	return (struct sim_load){.listener = "l",
				 .rate = rate,
				 .to_ns = seconds * SECOND,
				 .clients = 1000,
				 .think_ns = MS};
}

struct setup {
	struct sim_load loads[2];
	size_t load_count;
	struct sim_endpoint endpoints[4];
	size_t endpoint_count;
	struct sim_change changes[4];
	size_t change_count;
	uint64_t seconds;
	uint64_t seed;
	uint32_t workers;
};

static struct sim_result *run(const struct image_header *image, const struct setup *s)
{
	struct sim_scenario scenario = {
		.duration_ns = s->seconds * SECOND,
		.seed = s->seed,
		.workers = s->workers,
		.loads = s->loads,
		.load_count = s->load_count,
		.endpoints = s->endpoints,
		.endpoint_count = s->endpoint_count,
		.changes = s->changes,
		.change_count = s->change_count,
	};
	struct sim_result *r = sim_run(image, &scenario);

	if (r == NULL)
		abort();
	return r;
}

static void assert_law(const struct sim_result *r)
{
	for (size_t i = 0; i < r->listener_count; i++) {
		const struct sim_calls *c = &r->listeners[i].calls;
		uint64_t rejected = 0, failed = 0;

		for (int n = 0; n < REASON_COUNT; n++) {
			rejected += r->listeners[i].rejected[n];
			failed += r->listeners[i].failed[n];
		}
		CU_ASSERT_EQUAL(rejected, c->rejected);
		CU_ASSERT_EQUAL(failed, c->failed);
		CU_ASSERT(c->active <= c->started);
		CU_ASSERT_EQUAL(c->started,
				c->succeeded + c->failed + c->cancelled + c->rejected + c->active);
		CU_ASSERT_EQUAL(r->listeners[i].permits.overshoot_max, 0);
	}
	for (size_t i = 0; i < r->cluster_count; i++) {
		const struct sim_cluster_result *c = &r->clusters[i];

		CU_ASSERT_EQUAL(c->permits.overshoot_max, 0);
		CU_ASSERT(c->permits.limit == 0 || c->permits.max_in_flight <= c->permits.limit);
		CU_ASSERT(c->bound == 0 || c->amplification <= c->bound);
	}
}

static void healthy_endpoints_serve_every_call(void)
{
	struct image_header *image = policy(one, "");
	struct setup s = {.loads = {steady(1000, 10)},
			  .load_count = 1,
			  .endpoints = {answering(5)},
			  .endpoint_count = 1,
			  .seconds = 11,
			  .workers = 2};
	struct sim_result *r = run(image, &s);

	assert_law(r);
	CU_ASSERT(r->calls.started > 9700 && r->calls.started < 10300);
	CU_ASSERT_EQUAL(r->calls.succeeded, r->calls.started);
	CU_ASSERT_EQUAL(r->listeners[0].latency.count, r->calls.started);
	CU_ASSERT_EQUAL(r->listeners[0].latency.max_ns, 5 * MS);
	CU_ASSERT_EQUAL(r->clusters[0].amplification, 100);
	for (size_t i = 0; i < 4; i++) /* round robin, by two workers */
		CU_ASSERT(r->endpoints[i].share >= 2490 && r->endpoints[i].share <= 2510);
	CU_ASSERT_EQUAL(r->edge_count, 0);
	sim_result_free(r);
	free(image);
}

/* 4 attempts at most and everything fails: 20 % of the calls may be tried again. */
static void total_outage_is_amplified_by_a_fifth(void)
{
	struct image_header *image = policy(one, "    retry: {max_attempts: 4}\n");
	struct setup s = {.loads = {steady(100, 60)},
			  .load_count = 1,
			  .endpoints = {{.connect = {SIM_FIXED, 5 * MS, 0},
					 .failure_rate = 10000,
					 .failure = SIM_REFUSE}},
			  .endpoint_count = 1,
			  .seconds = 60,
			  .workers = 2};
	struct sim_result *r;

	for (s.seed = 1; s.seed <= 8; s.seed++) {
		r = run(image, &s);
		assert_law(r);
		CU_ASSERT_EQUAL(r->calls.succeeded, 0);
		/* budget_amplification_bound(), +-1 % */
		CU_ASSERT(r->clusters[0].amplification <= 121);
		CU_ASSERT(r->clusters[0].amplification >= 115);
		CU_ASSERT(r->clusters[0].bound >= 119 && r->clusters[0].bound <= 122);
		CU_ASSERT_NOT_EQUAL(r->clusters[0].policy.retry_no_budget, 0);
		sim_result_free(r);
	}
	free(image);
}

/* p^max_attempts + 0.05 % */
static void one_failure_in_ten_is_recovered(void)
{
	struct image_header *image = policy(one, "    retry: {max_attempts: 3}\n");
	struct setup s = {.loads = {steady(10000, 10)},
			  .load_count = 1,
			  .endpoints = {answering(5)},
			  .endpoint_count = 1,
			  .seconds = 11,
			  .seed = 3,
			  .workers = 4};
	struct sim_result *r;

	s.endpoints[0].failure_rate = 1000;
	r = run(image, &s);
	assert_law(r);
	CU_ASSERT(r->calls.started > 99000);
	CU_ASSERT_EQUAL(r->calls.active, 0);
	CU_ASSERT(r->calls.failed * 10000 <= r->calls.started * (10 + 5));
	CU_ASSERT_NOT_EQUAL(r->calls.failed, 0);
	CU_ASSERT_EQUAL(r->clusters[0].policy.retry_no_budget, 0);
	CU_ASSERT(r->clusters[0].amplification >= 110 && r->clusters[0].amplification <= 112);
	sim_result_free(r);
	free(image);
}

/* 15 calls of 500 ms against 3 permits, 5 places and 1 s. */
static void bulkhead_serves_eight_of_fifteen(void)
{
	struct image_header *image =
		policy(one, "    bulkhead: {max_concurrent: 3, max_queue: 5, queue_timeout: 1s}\n");
	struct setup s = {.load_count = 1,
			  .endpoints = {{.latency = {SIM_FIXED, 500 * MS, 0}}},
			  .endpoint_count = 1,
			  .seconds = 3};
	struct sim_result *r;

	s.loads[0] = (struct sim_load){
		.listener = "l", .concurrency = 15, .to_ns = 1, .clients = 15, .think_ns = 1};
	for (s.workers = 1; s.workers <= 4; s.workers++) {
		r = run(image, &s);
		assert_law(r);
		CU_ASSERT_EQUAL(r->calls.started, 15);
		CU_ASSERT_EQUAL(r->calls.succeeded, 8);
		CU_ASSERT_EQUAL(r->calls.rejected, 7);
		CU_ASSERT_EQUAL(r->listeners[0].rejected[REASON_QUEUE_FULL], 7);
		CU_ASSERT_EQUAL(r->listeners[0].last_ns, 1500 * MS);
		CU_ASSERT_EQUAL(r->clusters[0].permits.max_in_flight, 3);
		CU_ASSERT_EQUAL(r->clusters[0].permits.max_queued, 5);
		sim_result_free(r);
	}
	free(image);
}

static const char two[] =
	"listeners:\n"
	"  - {name: l, bind: 10.1.0.1:80, interface: app, protocol: tcp, cluster: c}\n"
	"  - {name: other, bind: 10.1.0.1:81, interface: app, protocol: tcp, cluster: other}\n"
	"clusters:\n"
	"  - name: other\n"
	"    endpoints: [{address: 10.2.0.21:80}, {address: 10.2.0.22:80}]\n"
	"  - name: c\n"
	"    endpoints: [{address: 10.2.0.11:80}, {address: 10.2.0.12:80}]\n"
	"    bulkhead: {max_concurrent: 50, max_queue: 50}\n";

static const struct sim_listener_result *listener(const struct sim_result *r, const char *name)
{
	for (size_t i = 0; i < r->listener_count; i++) {
		if (strcmp(r->listeners[i].name, name) == 0)
			return &r->listeners[i];
	}
	abort();
}

static void hung_cluster_leaves_the_other_alone(void)
{
	struct image_header *image = policy(two, "");
	struct setup s = {.loads = {steady(500, 20), steady(500, 20)},
			  .load_count = 2,
			  .endpoints = {{.latency = {SIM_LOGNORMAL, 5 * MS, 20 * MS}}},
			  .endpoint_count = 1,
			  .seconds = 20,
			  .seed = 7,
			  .workers = 2};
	const struct sim_outage hang = {0, 20 * SECOND, SIM_HANG, 0};
	struct sim_result *before, *after;

	s.loads[1].listener = "other";
	before = run(image, &s);
	s.endpoint_count = 3;
	for (int i = 1; i < 3; i++) {
		s.endpoints[i] = s.endpoints[0];
		s.endpoints[i].name = i == 1 ? "10.2.0.11:80" : "10.2.0.12:80";
		s.endpoints[i].outages = &hang;
		s.endpoints[i].outage_count = 1;
	}
	after = run(image, &s);
	assert_law(before);
	assert_law(after);
	CU_ASSERT(listener(before, "l")->calls.rejected == 0);
	CU_ASSERT(listener(after, "l")->calls.rejected > 9000);
	CU_ASSERT_EQUAL(listener(after, "other")->calls.rejected, 0);
	CU_ASSERT_EQUAL(listener(after, "other")->calls.failed, 0);
	CU_ASSERT_EQUAL(listener(after, "other")->calls.started,
			listener(before, "other")->calls.started);
	/* the same distribution, drawn anew */
	CU_ASSERT_DOUBLE_EQUAL((double)listener(after, "other")->latency.p99_ns,
			       (double)listener(before, "other")->latency.p99_ns, 1.5 * MS);
	sim_result_free(before);
	sim_result_free(after);
	free(image);
}

static void ejected_endpoint_returns_after_its_recovery(void)
{
	struct image_header *image = policy(one, "    outlier_detection: {}\n"
						 "    retry: {}\n");
	const struct sim_outage down = {10 * SECOND, 20 * SECOND, SIM_REFUSE, 0};
	struct setup s = {.loads = {steady(400, 120)},
			  .load_count = 1,
			  .endpoints = {answering(5), answering(5)},
			  .endpoint_count = 2,
			  .seconds = 120,
			  .seed = 5,
			  .workers = 2};
	struct sim_result *r;
	uint64_t last_ns = 0;

	s.endpoints[1].name = "10.2.0.12:80";
	s.endpoints[1].outages = &down;
	s.endpoints[1].outage_count = 1;
	r = run(image, &s);
	assert_law(r);
	CU_ASSERT_FATAL(r->edge_count >= 3);
	CU_ASSERT_EQUAL(r->edges[0].kind, EVENT_EJECTED);
	CU_ASSERT_EQUAL(r->edges[r->edge_count - 1].kind, EVENT_READMITTED);
	for (size_t i = 0; i < r->edge_count; i++) {
		CU_ASSERT_STRING_EQUAL(r->edges[i].name, "10.2.0.12:80");
		CU_ASSERT(r->edges[i].at_ns >= 10 * SECOND);
		CU_ASSERT(r->edges[i].at_ns >= last_ns);
		last_ns = r->edges[i].at_ns;
	}
	/* it failed a handful of times, others took those calls */
	CU_ASSERT_EQUAL(r->calls.failed, 0);
	CU_ASSERT(r->endpoints[1].failed >= 5 && r->endpoints[1].failed < 30);
	CU_ASSERT(r->endpoints[1].attempts > 6000);
	sim_result_free(r);
	free(image);
}

static int same_result(const struct sim_result *a, const struct sim_result *b)
{
	if (a->decisions != b->decisions || a->edge_count != b->edge_count ||
	    memcmp(&a->calls, &b->calls, sizeof(a->calls)) != 0)
		return 0;
	for (size_t i = 0; i < a->cluster_count; i++) {
		if (memcmp(a->clusters[i].policy.all, b->clusters[i].policy.all,
			   sizeof(a->clusters[i].policy.all)) != 0)
			return 0;
	}
	for (size_t i = 0; i < a->edge_count; i++) {
		if (a->edges[i].at_ns != b->edges[i].at_ns || a->edges[i].kind != b->edges[i].kind)
			return 0;
	}
	return memcmp(&a->listeners[0].latency, &b->listeners[0].latency,
		      sizeof(a->listeners[0].latency)) == 0;
}

static void a_seed_repeats_and_another_differs(void)
{
	struct image_header *image = policy(one, "    outlier_detection: {}\n"
						 "    circuit_breaker: {}\n"
						 "    bulkhead: {max_concurrent: 8, max_queue: 8}\n"
						 "    retry: {}\n");
	struct setup s = {.loads = {steady(1000, 5)},
			  .load_count = 1,
			  .endpoints = {{.connect = {SIM_EXPONENTIAL, 2 * MS, 0},
					 .latency = {SIM_LOGNORMAL, 5 * MS, 50 * MS},
					 .failure_rate = 2000}},
			  .endpoint_count = 1,
			  .seconds = 5,
			  .seed = 11,
			  .workers = 3};
	struct sim_result *first = run(image, &s), *again = run(image, &s), *other;

	s.seed = 12;
	other = run(image, &s);
	assert_law(first);
	assert_law(other);
	CU_ASSERT(same_result(first, again));
	CU_ASSERT(!same_result(first, other));
	sim_result_free(first);
	sim_result_free(again);
	sim_result_free(other);
	free(image);
}

/* A cluster that refuses everything stops being asked; observed, it is asked all the same. */
static void breaker_spares_a_dead_cluster_unless_observed(void)
{
	static const struct {
		const char *block;
		int enforced;
	} rows[] = {{"    circuit_breaker: {}\n", 1},
		    {"    circuit_breaker: {mode: observe}\n", 0}};
	struct setup s = {.loads = {steady(200, 30)},
			  .load_count = 1,
			  .endpoints = {{.failure_rate = 10000}},
			  .endpoint_count = 1,
			  .seconds = 30,
			  .seed = 2,
			  .workers = 2};

	for (size_t i = 0; i < 2; i++) {
		struct image_header *image = policy(one, rows[i].block);
		struct sim_result *r = run(image, &s);
		const struct policy_counters *p = &r->clusters[0].policy;

		assert_law(r);
		if (rows[i].enforced) {
			CU_ASSERT(p->attempts < 60);
			CU_ASSERT(r->listeners[0].rejected[REASON_CIRCUIT_OPEN] > 5000);
			CU_ASSERT_EQUAL(p->would_circuit_open, 0);
		} else {
			CU_ASSERT_EQUAL(p->attempts, r->calls.started);
			CU_ASSERT_EQUAL(r->calls.rejected, 0);
			CU_ASSERT(p->would_circuit_open > 5000);
		}
		CU_ASSERT_FATAL(r->edge_count > 0);
		CU_ASSERT_EQUAL(r->edges[0].kind, EVENT_BREAKER_OPENED);
		CU_ASSERT_EQUAL(r->edges[0].observed, (uint32_t)!rows[i].enforced);
		sim_result_free(r);
		free(image);
	}
}

static void reload_moves_the_traffic(void)
{
	static const char other[] =
		"listeners:\n"
		"  - {name: l, bind: 10.1.0.1:80, interface: app, protocol: tcp, cluster: c}\n"
		"clusters:\n"
		"  - name: c\n"
		"    endpoints: [{address: 10.2.0.11:80}, {address: 10.2.0.99:80}]\n";
	struct image_header *image = policy(one, ""), *next = policy(other, ""),
			    *without = policy("", "");
	struct setup s = {.loads = {steady(1000, 30)},
			  .load_count = 1,
			  .endpoints = {answering(5)},
			  .endpoint_count = 1,
			  .changes = {{.at_ns = 20 * SECOND, .kind = SIM_RELOAD, .image = without},
				      {.at_ns = 10 * SECOND, .kind = SIM_RELOAD, .image = next}},
			  .change_count = 2,
			  .seconds = 31,
			  .workers = 2};
	struct sim_result *r = run(image, &s);

	assert_law(r);
	CU_ASSERT_EQUAL_FATAL(r->endpoint_count, 5);
	CU_ASSERT_STRING_EQUAL(r->endpoints[4].name, "10.2.0.99:80");
	CU_ASSERT(r->endpoints[1].attempts > 2300 && r->endpoints[1].attempts < 2700);
	CU_ASSERT(r->endpoints[4].attempts > 4700 && r->endpoints[4].attempts < 5300);
	CU_ASSERT(r->endpoints[0].attempts > 7000 && r->endpoints[0].attempts < 8000);
	CU_ASSERT_EQUAL(r->calls.rejected, r->listeners[0].rejected[REASON_NO_LISTENER]);
	CU_ASSERT(r->calls.rejected > 9500);
	sim_result_free(r);
	free(image);
	free(next);
	free(without);
}

static void drained_and_forced_endpoints_get_nothing(void)
{
	struct image_header *image = policy(one, "");
	struct setup s = {
		.loads = {steady(1000, 10)},
		.load_count = 1,
		.endpoints = {answering(5)},
		.endpoint_count = 1,
		.changes = {{.kind = SIM_DRAIN, .name = "10.2.0.11:80", .value = 1},
			    {.kind = SIM_BREAKER, .name = "10.2.0.12:80", .value = OVERRIDE_OPEN},
			    {.at_ns = 5 * SECOND,
			     .kind = SIM_BREAKER,
			     .name = "10.2.0.12:80",
			     .value = OVERRIDE_NONE}},
		.change_count = 3,
		.seconds = 10,
		.workers = 1};
	struct sim_result *r = run(image, &s);

	assert_law(r);
	CU_ASSERT_EQUAL(r->endpoints[0].attempts, 0);
	CU_ASSERT(r->endpoints[1].attempts > 1400 && r->endpoints[1].attempts < 1900);
	CU_ASSERT_EQUAL(r->calls.rejected, 0);
	sim_result_free(r);
	free(image);
}

/* A client that gives up in the queue leaves its place; one that waits for a hung endpoint too. */
static void impatient_clients_are_cancelled(void)
{
	struct image_header *image = policy(
		one, "    bulkhead: {max_concurrent: 1, max_queue: 10, queue_timeout: 5s}\n");
	struct setup s = {.load_count = 1,
			  .endpoints = {{.failure_rate = 10000, .failure = SIM_HANG}},
			  .endpoint_count = 1,
			  .seconds = 10,
			  .workers = 2};
	struct sim_result *r;

	s.loads[0] = (struct sim_load){.listener = "l",
				       .concurrency = 5,
				       .to_ns = 1,
				       .clients = 5,
				       .patience_ns = 500 * MS,
				       .think_ns = 1};
	r = run(image, &s);
	assert_law(r);
	CU_ASSERT_EQUAL(r->calls.started, 5);
	CU_ASSERT_EQUAL(r->calls.cancelled, 5);
	CU_ASSERT_EQUAL(r->calls.active, 0);
	CU_ASSERT_EQUAL(r->clusters[0].permits.max_in_flight, 1);
	CU_ASSERT_EQUAL(r->clusters[0].permits.max_queued, 4);
	sim_result_free(r);
	free(image);
}

static void udp_fails_without_a_reply_only_where_one_is_expected(void)
{
	static const char udp[] =
		"listeners:\n"
		"  - {name: l, bind: 10.1.0.1:53, interface: app, protocol: udp, cluster: c}\n"
		"clusters:\n"
		"  - name: c\n"
		"    endpoints: [{address: 10.2.0.11:53}]\n";
	static const struct {
		const char *more;
		enum sim_fault fault;
		int succeeded, failed, cancelled;
	} rows[] = {
		{"    timeouts: {idle: 1s, expect_reply: 300ms}\n", SIM_WORKS, 1, 0, 0},
		{"    timeouts: {idle: 1s, expect_reply: 300ms}\n", SIM_HANG, 0, 1, 0},
		{"    timeouts: {idle: 1s, expect_reply: 300ms}\n", SIM_REFUSE, 0, 1, 0},
		{"    timeouts: {idle: 1s}\n", SIM_WORKS, 1, 0, 0},
		{"    timeouts: {idle: 1s}\n", SIM_REFUSE, 0, 1, 0},
		{"    timeouts: {idle: 1s}\n", SIM_HANG, 0, 0, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *image = policy(udp, rows[i].more);
		struct setup s = {.loads = {steady(100, 1)},
				  .load_count = 1,
				  .endpoints = {answering(5)},
				  .endpoint_count = 1,
				  .seconds = 5,
				  .workers = 1};
		struct sim_result *r;

		s.endpoints[0].failure_rate = rows[i].fault != SIM_WORKS ? 10000 : 0;
		s.endpoints[0].failure = rows[i].fault;
		r = run(image, &s);
		assert_law(r);
		CU_ASSERT(r->calls.started > 50);
		CU_ASSERT_EQUAL(r->calls.succeeded, rows[i].succeeded ? r->calls.started : 0);
		CU_ASSERT_EQUAL(r->calls.failed, rows[i].failed ? r->calls.started : 0);
		CU_ASSERT_EQUAL(r->calls.cancelled, rows[i].cancelled ? r->calls.started : 0);
		sim_result_free(r);
		free(image);
	}
}

static void full_table_and_no_load_are_no_trouble(void)
{
	struct image_header *image = policy(one, "");
	struct setup s = {.loads = {steady(5000, 5)},
			  .load_count = 1,
			  .endpoints = {answering(5)},
			  .endpoint_count = 1,
			  .seconds = 5,
			  .workers = 1};
	struct sim_result *r;

	s.loads[0].hold = (struct sim_times){SIM_FIXED, 100 * SECOND, 0};
	r = run(image, &s);
	assert_law(r);
	CU_ASSERT_EQUAL(r->calls.started - r->calls.rejected, 4096);
	CU_ASSERT_EQUAL(r->listeners[0].rejected[REASON_TABLE_FULL], r->calls.rejected);
	sim_result_free(r);
	s.load_count = 0;
	r = run(image, &s);
	CU_ASSERT_EQUAL(r->calls.started, 0);
	CU_ASSERT_EQUAL(r->ended_ns, 5 * SECOND);
	sim_result_free(r);
	free(image);
}

int main(void)
{
	static CU_TestInfo tests[] = {
		SUITE_TEST(healthy_endpoints_serve_every_call),
		SUITE_TEST(total_outage_is_amplified_by_a_fifth),
		SUITE_TEST(one_failure_in_ten_is_recovered),
		SUITE_TEST(bulkhead_serves_eight_of_fifteen),
		SUITE_TEST(hung_cluster_leaves_the_other_alone),
		SUITE_TEST(ejected_endpoint_returns_after_its_recovery),
		SUITE_TEST(a_seed_repeats_and_another_differs),
		SUITE_TEST(breaker_spares_a_dead_cluster_unless_observed),
		SUITE_TEST(reload_moves_the_traffic),
		SUITE_TEST(drained_and_forced_endpoints_get_nothing),
		SUITE_TEST(impatient_clients_are_cancelled),
		SUITE_TEST(udp_fails_without_a_reply_only_where_one_is_expected),
		SUITE_TEST(full_table_and_no_load_are_no_trouble),
		CU_TEST_INFO_NULL,
	};

	return suite_run("simulate", tests);
}
