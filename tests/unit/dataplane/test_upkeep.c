/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "shm/publish.h"
#include "tests/unit/dataplane/suite.h"

enum { ENDPOINTS = 5, CALLS = 100, INTERVAL_MS = 4000 };

static const uint64_t ms = 1000000;

static const char policy[] =
	"version: 1\n"
	"sidecar: {name: one, workers: 2, connections: 64, max_listeners: 4, max_clusters: 4,\n"
	"          max_endpoints: 8, policy_slot: 64KiB}\n"
	"interfaces:\n"
	"  - {name: in, device: 'af_xdp:fa', addresses: [10.1.0.1/24]}\n"
	"  - {name: out, device: 'af_xdp:fb', addresses: [10.2.0.1/24]}\n"
	"listeners:\n"
	"  - {name: web, bind: '10.1.0.1:80', interface: in, protocol: tcp, cluster: web}\n"
	"clusters:\n"
	"  - name: web\n"
	"    endpoints: [{address: '10.2.0.11:80'}, {address: '10.2.0.12:80'},\n"
	"                {address: '10.2.0.13:80'}, {address: '10.2.0.14:80'},\n"
	"                {address: '10.2.0.15:80'}]\n"
	"    outlier_detection: {statistics: {modes: [success_rate], interval: 4s}}\n";

static struct region region;
static struct adopted *adopted;
static struct upkeep upkeep;
static struct judged judged;

static void begin(void)
{
	static const struct region_spec spec = {.instance = "one",
						.workers = 2,
						.connections = 64,
						.listeners = 4,
						.clusters = 4,
						.endpoints = 8,
						.slot_bytes = 64 * 1024};
	struct diagnostics *d = diagnostics_create("policy.yaml");
	struct image_header *image = config_compile(policy, sizeof(policy) - 1, d), *copy = NULL;
	char path[] = "/tmp/fender-test-upkeep-XXXXXX", why[256];
	uint64_t generation, refused;
	int fd = mkstemp(path);

	diagnostics_print(d, stderr);
	diagnostics_free(d);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(region_create(&region, path, &spec, why, sizeof(why)), 0);
	unlink(path);
	publisher_begin(&region);
	CU_ASSERT_EQUAL_FATAL(publish(&region, image, 1, &generation), 0);
	CU_ASSERT_EQUAL_FATAL(adopt(&region, 0, &copy, &refused, why, sizeof(why)), 1);
	free(image);
	CU_ASSERT_EQUAL_FATAL(adopted_create(&adopted, copy, &region), 0);
	CU_ASSERT_EQUAL_FATAL(judged_create(&judged, region.shape.cluster_slots), 0);
}

static void end(void)
{
	upkeep_stop(&upkeep);
	judged_destroy(&judged);
	adopted_free(adopted);
	region_close(&region);
}

static struct cluster_state *cluster(void)
{
	return &region.cluster_state[adopted->view.cluster_slot[0]];
}

static uint64_t *breaker(uint32_t endpoint)
{
	return &region.endpoint_state[adopted->view.endpoint_slot[endpoint]].breaker;
}

/* A killed dataplane's words: what it held is gone, what it learned is not. */
static void a_start_counts_anew_and_keeps_what_was_learned(void)
{
	const struct breaker_word open = {.phase = BREAKER_OPEN, .epoch = 7, .until_ms = 9};

	begin();
	cluster()->bulkhead.word = UINT64_C(5) << 32 | 3;
	cluster()->attempts_in_flight = 5;
	cluster()->ejected = 4;
	cluster()->modes = (uint64_t)MODE_ENFORCE << 8; /* of outlier detection */
	*breaker(1) = breaker_pack(open);
	CU_ASSERT_EQUAL_FATAL(upkeep_start(&upkeep, &region, adopted, ms), 0);
	CU_ASSERT_EQUAL(cluster()->bulkhead.word, 0);
	CU_ASSERT_EQUAL(cluster()->attempts_in_flight, 0);
	CU_ASSERT_EQUAL(cluster()->ejected, 1);
	CU_ASSERT_EQUAL(*breaker(1), breaker_pack(open));
	end();
}

/* Endpoint 0 fails, as worker 1 sees it. */
static void note_calls(uint64_t now_ns)
{
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		struct outcomes *o =
			region_endpoint_outcomes(&region, 1, adopted->view.endpoint_slot[i]);

		for (uint32_t n = 0; n < CALLS; n++)
			outlier_note(o, &adopted->view.clusters[0].outlier, i == 0, ms, now_ns);
	}
}

static void who_falls_out_is_ejected_in_the_last_quarter(void)
{
	const uint64_t begins_ns = 10 * INTERVAL_MS * ms;
	struct outlier_judged now;

	begin();
	CU_ASSERT_EQUAL_FATAL(upkeep_start(&upkeep, &region, adopted, begins_ns), 0);
	note_calls(begins_ns + ms);
	now = upkeep_run(&upkeep, adopted, &judged, begins_ns + 1000 * ms);
	CU_ASSERT_EQUAL(now.ejected, 0);
	/* At most once a second. */
	now = upkeep_run(&upkeep, adopted, &judged, begins_ns + 1999 * ms);
	CU_ASSERT_EQUAL(now.ejected, 0);
	now = upkeep_run(&upkeep, adopted, &judged, begins_ns + 3500 * ms);
	CU_ASSERT_EQUAL(now.ejected, 1);
	CU_ASSERT_EQUAL(now.refused, 0);
	CU_ASSERT_EQUAL(breaker_unpack(*breaker(0)).phase, BREAKER_OPEN);
	CU_ASSERT_EQUAL(cluster()->ejected, 1);
	CU_ASSERT_EQUAL(judged.cluster[adopted->view.cluster_slot[0]].ejected, 1);
	/* An interval is judged once. */
	now = upkeep_run(&upkeep, adopted, &judged, begins_ns + 4600 * ms);
	CU_ASSERT_EQUAL(now.ejected + now.refused, 0);
	end();
}

static void an_endpoint_that_must_stay_is_counted_as_refused(void)
{
	const uint64_t begins_ns = 10 * INTERVAL_MS * ms;
	struct outlier_judged now;

	begin();
	CU_ASSERT_EQUAL_FATAL(upkeep_start(&upkeep, &region, adopted, begins_ns), 0);
	for (uint32_t i = 1; i < ENDPOINTS; i++)
		region.endpoint_state[adopted->view.endpoint_slot[i]].admin =
			admin_pack((struct admin_word){.drained = 1});
	note_calls(begins_ns + ms);
	now = upkeep_run(&upkeep, adopted, &judged, begins_ns + 3500 * ms);
	CU_ASSERT_EQUAL(now.ejected, 0);
	CU_ASSERT_EQUAL(now.refused, 1);
	CU_ASSERT_EQUAL(cluster()->ejected, 0);
	CU_ASSERT_EQUAL(judged.cluster[adopted->view.cluster_slot[0]].refused, 1);
	end();
}

static void a_stale_table_is_told(void)
{
	struct event event;
	uint64_t seq, lost = 0;

	begin();
	CU_ASSERT_EQUAL_FATAL(upkeep_start(&upkeep, &region, adopted, ms), 0);
	seq = region.events->head;
	upkeep_change(&upkeep, adopted, adopted, ms);
	CU_ASSERT_EQUAL(region.events->head, seq);
	adopted->stale_tables[0] = 0;
	adopted->stale_count = 1;
	upkeep_change(&upkeep, adopted, adopted, 2 * ms);
	upkeep_changed(&upkeep, adopted, adopted);
	CU_ASSERT_EQUAL_FATAL(event_read(region.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.kind, EVENT_STALE_TABLE);
	CU_ASSERT_EQUAL(event.key, adopted->view.clusters[0].key);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(a_start_counts_anew_and_keeps_what_was_learned),
		SUITE_TEST(who_falls_out_is_ejected_in_the_last_quarter),
		SUITE_TEST(an_endpoint_that_must_stay_is_counted_as_refused),
		SUITE_TEST(a_stale_table_is_told),
		CU_TEST_INFO_NULL,
	};

	return suite_run("upkeep", tests);
}
