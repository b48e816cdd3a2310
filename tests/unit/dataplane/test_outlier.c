/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/outlier.h"
#include "tests/unit/dataplane/outlier_world.h"
#include "tests/unit/dataplane/suite.h"

#define NOW (1000 * SECOND)

static struct outlier_world w;

static void max_ejected_bounds_the_word(void)
{
	static const struct {
		uint16_t max;
		uint32_t endpoints, most;
	} rows[] = {
		{5000, 0, 0},          {5000, 1, 0},  {5000, 2, 1},  {5000, 3, 1},
		{5000, 4, 2},          {5000, 5, 2},  {5000, 10, 5}, {1000, 4, 1},
		{1000, 19, 1},         {1000, 20, 2}, {10000, 1, 1}, {10000, 4, 4},
		{9999, 4, 3},          {1, 2, 1},     {0, 10, 0},    {5000, 16384, 8192},
		{10000, 16384, 16384},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_outlier rules = {.max_ejected = rows[i].max};
		uint64_t ejected = 0;

		while (ejected < 20000 && outlier_take(&ejected, &rules, rows[i].endpoints))
			;
		CU_ASSERT_EQUAL(ejected, rows[i].most);
		CU_ASSERT_EQUAL(outlier_take(&ejected, &rules, rows[i].endpoints), 0);
		if (ejected == 0)
			continue;
		outlier_give_back(&ejected);
		CU_ASSERT_EQUAL(outlier_take(&ejected, &rules, rows[i].endpoints), 1);
	}
}

static void giving_back_never_wraps(void)
{
	uint64_t ejected = 1;

	outlier_give_back(&ejected);
	outlier_give_back(&ejected);
	CU_ASSERT_EQUAL(ejected, 0);
}

static void lowered_bound_lets_no_more_out(void)
{
	struct image_outlier rules = {.max_ejected = 1000};
	uint64_t ejected = 5;

	CU_ASSERT_EQUAL(outlier_take(&ejected, &rules, 10), 0);
	CU_ASSERT_EQUAL(ejected, 5);
}

static enum breaker_edge fail_five(uint32_t endpoint, uint64_t now_ns)
{
	enum breaker_edge edge = EDGE_NONE;

	for (int i = 0; i < 5; i++)
		edge = world_call(&w, endpoint, 1, now_ns);
	return edge;
}

static void total_outage_ejects_half_and_keeps_the_rest(void)
{
	world_start(&w, 4);
	CU_ASSERT_EQUAL(fail_five(0, NOW), EDGE_OPENED);
	CU_ASSERT_EQUAL(fail_five(1, NOW), EDGE_OPENED);
	for (int i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(fail_five(2, NOW), EDGE_REFUSED);
		CU_ASSERT_EQUAL(fail_five(3, NOW), EDGE_REFUSED);
		/* Else the failure rate asks at every call. */
		breaker_reset(&world_state(&w, 2)->breaker);
		breaker_reset(&world_state(&w, 3)->breaker);
	}
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 2);
	CU_ASSERT_EQUAL(world_ejected(&w), 2);
}

static void an_endpoint_counts_until_it_closes(void)
{
	world_start(&w, 4);
	fail_five(0, NOW);
	CU_ASSERT_EQUAL(world_call(&w, 0, 0, NOW + 6 * SECOND), EDGE_NONE);
	CU_ASSERT_EQUAL(world_word(&w, 0).phase, BREAKER_HALF_OPEN);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 1);
	CU_ASSERT_EQUAL(world_call(&w, 0, 1, NOW + 6 * SECOND), EDGE_OPENED);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 1);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(world_call(&w, 0, 0, NOW + 20 * SECOND), EDGE_NONE);
	CU_ASSERT_EQUAL(world_call(&w, 0, 0, NOW + 20 * SECOND), EDGE_CLOSED);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 0);
}

static void another_usable_endpoint_must_remain(void)
{
	static const struct {
		struct admin_word other;
		uint64_t other_breaker_epoch; /* 0: closed */
		enum breaker_edge edge;
	} rows[] = {
		{{.health = HEALTH_HEALTHY}, 0, EDGE_OPENED},
		{{.health = HEALTH_UNKNOWN}, 0, EDGE_OPENED},
		{{.health = HEALTH_UNHEALTHY}, 0, EDGE_REFUSED},
		{{.drained = 1}, 0, EDGE_REFUSED},
		{{.override = OVERRIDE_OPEN}, 0, EDGE_REFUSED},
		{{.override = OVERRIDE_CLOSED}, 0, EDGE_OPENED},
		{{.health = HEALTH_HEALTHY}, 1, EDGE_REFUSED},
		{{.override = OVERRIDE_CLOSED}, 1, EDGE_OPENED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_start(&w, 2);
		w.cluster.outlier.max_ejected = 10000;
		w.cluster.health.type = HEALTH_TCP;
		w.cluster.health.mode = MODE_ENFORCE;
		world_admin(&w, 1, rows[i].other);
		if (rows[i].other_breaker_epoch) {
			world_state(&w, 1)->breaker = breaker_pack((struct breaker_word){
				.phase = BREAKER_OPEN,
				.epoch = (uint16_t)rows[i].other_breaker_epoch,
				.until_ms = state_ms(NOW) + 1000});
			w.cluster_state.ejected = 1;
		}
		CU_ASSERT_EQUAL(fail_five(0, NOW), rows[i].edge);
		CU_ASSERT_EQUAL(w.cluster_state.ejected, world_ejected(&w));
	}
}

static void the_only_endpoint_stays(void)
{
	world_start(&w, 1);
	w.cluster.outlier.max_ejected = 10000;
	CU_ASSERT_EQUAL(fail_five(0, NOW), EDGE_REFUSED);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 0);
}

static void of_the_last_two_at_once_neither_opens(void)
{
	struct ejection a, b;
	struct breaker first, second;

	world_start(&w, 2);
	w.cluster.outlier.max_ejected = 10000;
	a = world_ejection(&w, 0, NOW);
	b = world_ejection(&w, 1, NOW);
	first = outlier_breaker(&a);
	second = outlier_breaker(&b);
	/* The first has its grant but has not swapped yet. */
	CU_ASSERT_EQUAL(first.guard.may_open(first.guard.ctx), 1);
	CU_ASSERT_EQUAL(second.guard.may_open(second.guard.ctx), 0);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 1);
	first.guard.undo(first.guard.ctx);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 0);
	CU_ASSERT_EQUAL(second.guard.may_open(second.guard.ctx), 1);
}

static void breaker_of_an_endpoint_is_its_own(void)
{
	struct ejection e;
	struct breaker b;

	world_start(&w, 3);
	world_admin(&w, 2, (struct admin_word){.override = OVERRIDE_CLOSED});
	e = world_ejection(&w, 2, NOW);
	b = outlier_breaker(&e);
	CU_ASSERT_PTR_EQUAL(b.word, &world_state(&w, 2)->breaker);
	CU_ASSERT_PTR_EQUAL(b.window.recorded, &world_state(&w, 2)->recorded);
	CU_ASSERT_PTR_EQUAL(b.window.count, &world_state(&w, 2)->window);
	CU_ASSERT_PTR_EQUAL(b.window.outcomes + (size_t)2 * b.window.stride,
			    &w.outcomes[2][w.endpoint_slot[WORLD_FIRST + 2]]);
	CU_ASSERT_EQUAL(b.override, OVERRIDE_CLOSED);
	CU_ASSERT_PTR_EQUAL(b.rules, &w.cluster.outlier.breaker);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(max_ejected_bounds_the_word),
		SUITE_TEST(giving_back_never_wraps),
		SUITE_TEST(lowered_bound_lets_no_more_out),
		SUITE_TEST(total_outage_ejects_half_and_keeps_the_rest),
		SUITE_TEST(an_endpoint_counts_until_it_closes),
		SUITE_TEST(another_usable_endpoint_must_remain),
		SUITE_TEST(the_only_endpoint_stays),
		SUITE_TEST(of_the_last_two_at_once_neither_opens),
		SUITE_TEST(breaker_of_an_endpoint_is_its_own),
		CU_TEST_INFO_NULL,
	};

	return suite_run("outlier", tests);
}
