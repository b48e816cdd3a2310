/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/shm/migrate_world.h"

/* The last three words of a worker's sum: which are moved, which are added. */
static void counters_never_go_down(void)
{
	const struct region_spec two = spec_of(2, 64, 4, 5, 8), one = spec_of(1, 64, 40, 50, 80);
	uint16_t orders;

	begin(&two);
	orders = slot_of(&from, OF_CLUSTER, "orders");
	for (uint32_t w = 0; w < 2; w++) {
		from.workers[w].packets.received = 100 + w;
		from.workers[w].packets.held = 5;
		from.workers[w].packets.dropped[REASON_MALFORMED] = 7;
		from.workers[w].syn_repeated = 3;
		region_interface_counters(&from, w, 0)->rx_packets = 60;
		region_interface_counters(&from, w, 1)->rx_packets = 40 + w;
		region_policy_counters(&from, w, orders)->retries = 11;
		region_policy_counters(&from, w, orders)->failed[REASON_MALFORMED] = 2;
		region_limit_counters(&from, w, slot_of(&from, OF_LISTENER, "dns"))->packets[2] = 9;
	}
	after->interfaces[0].name = sample_string(after, "app2");
	CU_ASSERT_EQUAL(migrate(&one), 0);
	orders = slot_of(&to, OF_CLUSTER, "orders");
	CU_ASSERT_EQUAL(to.workers[0].packets.received, 201);
	CU_ASSERT_EQUAL(to.workers[0].packets.held, 0);
	CU_ASSERT_EQUAL(to.workers[0].packets.dropped[REASON_MALFORMED], 14);
	CU_ASSERT_EQUAL(to.workers[0].syn_repeated, 6);
	CU_ASSERT_EQUAL(region_interface_counters(&to, 0, 0)->rx_packets, 0);
	CU_ASSERT_EQUAL(region_interface_counters(&to, 0, 1)->rx_packets, 81);
	CU_ASSERT_EQUAL(region_interface_counters(&to, 0, MAX_INTERFACES - 1)->rx_packets, 120);
	CU_ASSERT_EQUAL(region_policy_counters(&to, 0, orders)->retries, 22);
	CU_ASSERT_EQUAL(region_policy_counters(&to, 0, orders)->failed[REASON_MALFORMED], 4);
	CU_ASSERT_EQUAL(region_limit_counters(&to, 0, slot_of(&to, OF_LISTENER, "dns"))->packets[2],
			18);
	end();
}

static void histograms_are_added(void)
{
	const struct region_spec two = spec_of(2, 64, 4, 5, 8), one = spec_of(1, 64, 4, 50, 8);
	struct histogram_sum a, b;

	begin(&two);
	for (uint32_t w = 0; w < 2; w++) {
		const struct histograms h = region_histograms(&from, w);

		for (uint64_t ns = 0; ns < 10000000000ull; ns = 3 * ns + 1)
			histogram_record_verdict(&h, ns);
		for (uint64_t ns = 100; ns < 10000000000000ull; ns *= 3)
			histogram_record(&h, slot_of(&from, OF_CLUSTER, "orders"),
					 HISTOGRAM_CONNECT, ns + w);
	}
	CU_ASSERT_EQUAL(migrate(&one), 0);
	histogram_collect(&a, &from, slot_of(&from, OF_CLUSTER, "orders"), HISTOGRAM_CONNECT);
	histogram_collect(&b, &to, slot_of(&to, OF_CLUSTER, "orders"), HISTOGRAM_CONNECT);
	CU_ASSERT(a.count > 20);
	CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof(a)), 0);
	histogram_collect_verdicts(&a, &from);
	histogram_collect_verdicts(&b, &to);
	CU_ASSERT(a.count > 20);
	CU_ASSERT_EQUAL(memcmp(&a, &b, sizeof(a)), 0);
	end();
}

static void state_follows_its_name(void)
{
	const struct region_spec spec = small_spec(), other = spec_of(1, 64, 900, 900, 9000);

	begin(&spec);
	from.listener_state[slot_of(&from, OF_LISTENER, "dns")].limit_starts = 77;
	from.cluster_state[slot_of(&from, OF_CLUSTER, "cache")].breaker = 78;
	from.endpoint_state[slot_of(&from, OF_ENDPOINT, "cache/10.2.0.13:80")].ewma = 79;
	for (uint32_t w = 0; w < 2; w++) {
		struct outcomes *o =
			region_cluster_outcomes(&from, w, slot_of(&from, OF_CLUSTER, "cache"));

		o->window[3] = (struct outcome_bucket){.tick = 13, .calls = 40000, .failed = 2};
		o->interval = 5 + w;
		o->calls = 10;
	}
	CU_ASSERT_EQUAL(migrate(&other), 0);
	CU_ASSERT_EQUAL(to.listener_state[slot_of(&to, OF_LISTENER, "dns")].limit_starts, 77);
	CU_ASSERT_EQUAL(to.cluster_state[slot_of(&to, OF_CLUSTER, "cache")].breaker, 78);
	CU_ASSERT_EQUAL(to.endpoint_state[slot_of(&to, OF_ENDPOINT, "cache/10.2.0.13:80")].ewma,
			79);
	{
		const struct outcomes *o =
			region_cluster_outcomes(&to, 0, slot_of(&to, OF_CLUSTER, "cache"));

		CU_ASSERT_EQUAL(o->window[3].calls, UINT16_MAX);
		CU_ASSERT_EQUAL(o->window[3].failed, 4);
		CU_ASSERT_EQUAL(o->interval, 6);
		CU_ASSERT_EQUAL(o->calls, 10);
	}
	end();
}

static void events_keep_their_numbers(void)
{
	const struct region_spec spec = small_spec(), other = spec_of(1, 64, 900, 900, 9000);
	uint64_t seq = 0, lost = 0, count = 0;
	struct event e = {.kind = EVENT_BREAKER_OPENED, .subject = SUBJECT_CLUSTER};

	begin(&spec);
	e.slot = slot_of(&from, OF_CLUSTER, "cache");
	for (int i = 0; i < EVENT_RING + 100; i++)
		event_write(from.events, &e);
	CU_ASSERT_EQUAL(migrate(&other), 0);
	CU_ASSERT_EQUAL(to.events->head, EVENT_RING + 100);
	while (event_read(to.events, &seq, &e, &lost)) {
		CU_ASSERT_EQUAL(e.slot, slot_of(&to, OF_CLUSTER, "cache"));
		count++;
	}
	CU_ASSERT_EQUAL(count, EVENT_RING);
	CU_ASSERT_EQUAL(lost, 100);
	end();
}

static int holds_key(const struct region *r, uint32_t line, uint64_t key)
{
	for (int i = 0; i < SOURCE_LIMITS_PER_LINE; i++)
		if (r->limit_sources[line].entry[i].key == key &&
		    r->limit_sources[line].entry[i].word == 123)
			return 1;
	return 0;
}

static void limits_of_sources_are_found_again(void)
{
	const struct region_spec small = spec_of(1, 64, 4, 5, 8), large = spec_of(1, 4096, 4, 5, 8);
	const uint64_t hash = 0x123456789abcde8full;

	for (int grow = 0; grow < 2; grow++) {
		uint64_t key;
		uint16_t dns;

		begin(grow ? &small : &large);
		dns = slot_of(&from, OF_LISTENER, "dns");
		key = hash >> 16 << 16;
		from.limit_sources[hash & (from.shape.source_lines - 1)].entry[1] =
			(struct source_limit){key | dns, 123};
		CU_ASSERT_EQUAL(migrate(grow ? &large : &small), 0);
		CU_ASSERT(holds_key(&to, (uint32_t)hash & (to.shape.source_lines - 1),
				    key | slot_of(&to, OF_LISTENER, "dns")));
		end();
	}
}

int main(void)
{
	static const struct test tests[] = {
		TEST(counters_never_go_down),
		TEST(histograms_are_added),
		TEST(state_follows_its_name),
		TEST(events_keep_their_numbers),
		TEST(limits_of_sources_are_found_again),
	};

	return suite_run("migrate_state", tests, sizeof(tests) / sizeof(tests[0]));
}
