/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint a call goes to, and what its verdict does to that endpoint. */
#include "tests/unit/dataplane/one_call.h"

static void unhealthy_endpoint_is_passed_over(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].health =
		(struct image_health_check){.type = HEALTH_TCP, .mode = MODE_ENFORCE};
	w->words.endpoints[1].admin = admin_pack((struct admin_word){.health = HEALTH_UNHEALTHY});
	for (uint32_t n = 0; n < 10; n++) {
		CU_ASSERT_EQUAL(call_is_sent(w, n), 0);
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	nothing_is_left(w);
}

static void failing_endpoint_is_ejected_and_comes_back(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].outlier = world_outlier();
	for (uint32_t n = 0; n < 10; n++) {
		uint32_t at = call_is_sent(w, n);

		if (at == 0)
			call_failed(&w->engines[0], world_call(w, 0, n), REASON_CONNECT_REFUSED);
		else
			call_succeeded(&w->engines[0], world_call(w, 0, n));
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(counters(w)->ejections, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].ejected, 1);
	for (uint32_t n = 0; n < 10; n++) {
		CU_ASSERT_EQUAL(call_is_sent(w, n), 1);
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_TRUE(world_words_are_live(w));
	world_later(w, 7501);
	for (uint32_t n = 0; n < 10; n++)
		succeed(w, n);
	CU_ASSERT_EQUAL(counters(w)->endpoint_probes, 3);
	CU_ASSERT_EQUAL(w->words.clusters[0].ejected, 0);
	CU_ASSERT_EQUAL(w->words.endpoints[0].ramp_ns, w->now_ns);
	nothing_is_left(w);
}

static void last_usable_endpoint_is_not_ejected(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].outlier = world_outlier();
	for (uint32_t n = 0; n < 5; n++)
		fail(w, n);
	CU_ASSERT_EQUAL(counters(w)->ejections, 0);
	CU_ASSERT_EQUAL(counters(w)->ejections_overflow, 1);
	fail(w, 0);
	nothing_is_left(w);
}

static void panic_balances_over_unhealthy_but_never_drained(void)
{
	struct world *w = world_simple(4);
	uint32_t used[4] = {0};

	w->clusters[0].balance.panic_threshold = 5000;
	w->clusters[0].outlier = world_outlier();
	w->clusters[0].health =
		(struct image_health_check){.type = HEALTH_TCP, .mode = MODE_ENFORCE};
	for (uint32_t i = 0; i < 3; i++)
		w->words.endpoints[i].admin =
			admin_pack((struct admin_word){.health = HEALTH_UNHEALTHY});
	w->words.endpoints[0].admin = admin_pack((struct admin_word){.drained = 1});
	for (uint32_t n = 0; n < 40; n++) {
		used[call_is_sent(w, n)]++;
		CU_ASSERT_TRUE(world_call(w, 0, n)->marks & CALL_NO_ENDPOINT_EPOCH);
		call_failed(&w->engines[0], world_call(w, 0, n), REASON_CONNECT_REFUSED);
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(used[0], 0);
	CU_ASSERT_TRUE(used[1] > 0 && used[2] > 0 && used[3] > 0);
	CU_ASSERT_EQUAL(counters(w)->panic, 40);
	CU_ASSERT_EQUAL(counters(w)->ejections, 0);
	CU_ASSERT_EQUAL(world_events(w, EVENT_PANIC_BEGAN), 1);
	for (uint32_t i = 1; i < 3; i++)
		w->words.endpoints[i].admin = 0;
	world_later(w, 10);
	succeed(w, 0);
	CU_ASSERT_EQUAL(world_events(w, EVENT_PANIC_ENDED), 1);
	nothing_is_left(w);
}

/* Levels are up to a millisecond old: what they say must not refuse a call. */
static void endpoint_is_used_as_soon_as_it_is_usable_again(void)
{
	struct world *w = world_simple(3);

	w->clusters[0].health =
		(struct image_health_check){.type = HEALTH_TCP, .mode = MODE_ENFORCE};
	for (uint32_t i = 0; i < 3; i++)
		w->words.endpoints[i].admin =
			admin_pack((struct admin_word){.health = HEALTH_UNHEALTHY});
	call_is_refused(w, 0, REASON_NO_ENDPOINT);
	w->words.endpoints[2].admin = admin_pack((struct admin_word){.health = HEALTH_HEALTHY});
	CU_ASSERT_EQUAL(call_is_sent(w, 0), 2);
	CU_ASSERT_EQUAL(w->levels[0][0].usable_endpoints, 0);
	call_end(&w->engines[0], world_call(w, 0, 0));
	nothing_is_left(w);
}

static void own_zone_is_used_while_it_has_room(void)
{
	struct world *w = world_simple(4);

	w->clusters[0].balance.has_zones = 1;
	w->clusters[0].endpoint_bulkhead = world_bulkhead(2, 0);
	w->endpoints[1].local = w->endpoints[2].local = 1;
	for (uint32_t n = 0; n < 4; n++)
		CU_ASSERT_TRUE(w->endpoints[call_is_sent(w, n)].local);
	CU_ASSERT_EQUAL(counters(w)->other_zone, 0);
	CU_ASSERT_FALSE(w->endpoints[call_is_sent(w, 4)].local);
	CU_ASSERT_EQUAL(counters(w)->other_zone, 1);
	CU_ASSERT_EQUAL(counters(w)->endpoint_full, 2);
	for (uint32_t n = 0; n < 5; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	nothing_is_left(w);
}

static void second_priority_takes_what_the_first_cannot(void)
{
	struct world *w = world_simple(4);
	uint32_t used[4] = {0};

	w->clusters[0].balance.priorities = 2;
	w->endpoints[2].priority = w->endpoints[3].priority = 1;
	for (uint32_t n = 0; n < 20; n++) {
		used[call_is_sent(w, n)]++;
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(used[2] + used[3], 0);
	for (uint32_t i = 0; i < 2; i++)
		w->words.endpoints[i].admin = admin_pack((struct admin_word){.drained = 1});
	world_later(w, 10);
	for (uint32_t n = 0; n < 20; n++) {
		used[call_is_sent(w, n)]++;
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(used[2] + used[3], 20);
	CU_ASSERT_EQUAL(counters(w)->spilled, 20);
	nothing_is_left(w);
}

static void full_endpoint_means_the_next_and_all_full_a_refusal(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].endpoint_bulkhead = world_bulkhead(1, 0);
	CU_ASSERT_NOT_EQUAL(call_is_sent(w, 0), call_is_sent(w, 1));
	call_is_refused(w, 2, REASON_BULKHEAD_FULL);
	CU_ASSERT_TRUE(world_words_are_live(w));
	call_end(&w->engines[0], world_call(w, 0, 1));
	call_is_sent(w, 2);
	call_end(&w->engines[0], world_call(w, 0, 0));
	call_end(&w->engines[0], world_call(w, 0, 2));
	nothing_is_left(w);
}

static void bounded_load_passes_a_hot_key_on(void)
{
	struct world *w = world_simple(4);
	const struct call_request hot = {.hash = 1};
	uint32_t used[4] = {0};

	w->clusters[0].algorithm = LB_MAGLEV;
	w->clusters[0].balance.bounded_load = 125;
	for (uint32_t n = 0; n < 40; n++)
		used[world_start_as(w, 0, n, &hot).endpoint]++;
	/* ceil(1.25 * 40 / 4) */
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_TRUE(used[i] <= 13);
	CU_ASSERT_TRUE(counters(w)->bounded > 0);
	for (uint32_t n = 0; n < 40; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	nothing_is_left(w);
}

static void recovered_endpoint_starts_slowly_but_alone_it_takes_all(void)
{
	struct world *w = world_simple(2);
	uint32_t used[2] = {0};

	w->clusters[0].balance.slow_start_ms = 30000;
	w->words.endpoints[0].ramp_ns = w->now_ns;
	for (uint32_t n = 0; n < 2000; n++) {
		used[call_is_sent(w, n % 8)]++;
		call_end(&w->engines[0], world_call(w, 0, n % 8));
	}
	CU_ASSERT_TRUE(used[0] > 40 && used[0] < 300);
	w->words.endpoints[1].admin = admin_pack((struct admin_word){.drained = 1});
	world_later(w, 10);
	for (uint32_t n = 0; n < 20; n++)
		succeed(w, n);
	nothing_is_left(w);
}

static void estimates_come_from_the_connect_time_or_the_verdict(void)
{
	struct world *w = world_simple(1);
	struct engine *e = &w->engines[0];
	struct call *call = world_call(w, 0, 0);

	call_is_sent(w, 0);
	call_connected(e, call, 40 * WORLD_MS);
	world_later(w, 500);
	call_succeeded(e, call);
	call_end(e, call);
	CU_ASSERT_EQUAL(w->words.endpoints[0].ewma >> 32, 40000);
	fail(w, 0);
	CU_ASSERT_EQUAL(w->words.endpoints[0].ewma >> 32, 5000000);
	w->words.endpoints[0].ewma = 0;
	call_is_sent(w, 0);
	world_later(w, 7);
	call_succeeded(e, call);
	call_end(e, call);
	CU_ASSERT_EQUAL(w->words.endpoints[0].ewma >> 32, 7000);
	nothing_is_left(w);
}

static void endpoint_that_left_gets_its_permit_and_probe_back(void)
{
	struct world *w = world_simple(2);
	struct image_outlier *outlier = &w->clusters[0].outlier;

	*outlier = world_outlier();
	outlier->breaker.consecutive_failures = 1;
	call_is_sent(w, 0);
	call_failed(&w->engines[0], world_call(w, 0, 0), REASON_CONNECT_REFUSED);
	call_end(&w->engines[0], world_call(w, 0, 0));
	world_later(w, 7501);
	while (call_is_sent(w, 0) != 0)
		call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(breaker_unpack(w->words.endpoints[0].breaker).active, 1);
	w->endpoint_at[0] = VIEW_NONE;
	call_failed(&w->engines[0], world_call(w, 0, 0), REASON_CONNECT_REFUSED);
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(breaker_unpack(w->words.endpoints[0].breaker).active, 0);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight, 0);
	nothing_is_left(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(unhealthy_endpoint_is_passed_over),
	SUITE_TEST(failing_endpoint_is_ejected_and_comes_back),
	SUITE_TEST(last_usable_endpoint_is_not_ejected),
	SUITE_TEST(panic_balances_over_unhealthy_but_never_drained),
	SUITE_TEST(endpoint_is_used_as_soon_as_it_is_usable_again),
	SUITE_TEST(own_zone_is_used_while_it_has_room),
	SUITE_TEST(second_priority_takes_what_the_first_cannot),
	SUITE_TEST(full_endpoint_means_the_next_and_all_full_a_refusal),
	SUITE_TEST(bounded_load_passes_a_hot_key_on),
	SUITE_TEST(recovered_endpoint_starts_slowly_but_alone_it_takes_all),
	SUITE_TEST(estimates_come_from_the_connect_time_or_the_verdict),
	SUITE_TEST(endpoint_that_left_gets_its_permit_and_probe_back),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_pick", tests);
}
