/* SPDX-License-Identifier: Apache-2.0 */
/* Time in the XDP program: UDP flows that were quiet, and how long verdicts take. */
#include "tests/unit/ebpf/xdp_limits.h"

static void pause_ms(long ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* As in the worker, where an entry ends with the idle time. */
static void quiet_udp_flow_begins_anew(void)
{
	struct limits_rules rules = udp_rules(per_second(1, 3));
	struct wanted w = udp_to();

	w.src = "10.9.1.1"; /* its words have known no other rate */
	rules.source = per_second(1, 2);
	rules.udp_idle_ms = 100;
	limit_only(DNS, rules);
	EXACT(count_of(&w, 3, LIMIT_VERDICT_PASSED), 3);
	EXACT(meet(&w), LIMIT_VERDICT_CONNECTION);
	/* What is refused keeps nothing. */
	for (int i = 0; i < 3; i++) {
		pause_ms(40);
		if (i < 2)
			meet(&w);
	}
	EXACT(count_of(&w, 3, LIMIT_VERDICT_PASSED), 3);
	EXACT(meet(&w), LIMIT_VERDICT_CONNECTION);
	pause_ms(110);
	EXACT(meet(&w), LIMIT_VERDICT_SOURCE);
	EXACT(meet(&w), LIMIT_VERDICT_SOURCE);
}

static void quiet_udp_flow_is_charged_where_only_starts_are_limited(void)
{
	struct limits_rules rules = {.source = per_second(1, 2), .udp_idle_ms = 100};
	struct wanted w = udp_to();
	double begun, longest = 0;

	w.src = "10.9.1.2";
	limit_only(DNS, rules);
	for (int i = 0; i < 8; i++) {
		begun = seconds();
		EXACT(meet(&w), LIMIT_VERDICT_PASSED);
		pause_ms(20);
		if (seconds() - begun > longest)
			longest = seconds() - begun;
	}
	if (longest > 0.09)
		return; /* the machine was slow: the flow may have ended */
	pause_ms(110);
	EXACT(meet(&w), LIMIT_VERDICT_PASSED);
	pause_ms(110);
	EXACT(meet(&w), LIMIT_VERDICT_SOURCE);
}

static void quiet_udp_flow_gets_no_full_bucket_beyond_the_coarse_word(void)
{
	struct limits_rules rules = udp_rules(per_second(1, 3));
	struct wanted w = udp_to();

	rules.coarse = other_shape(1, 1);
	rules.udp_idle_ms = 100;
	limit_only(DNS, rules);
	EXACT(count_of(&w, 3, LIMIT_VERDICT_PASSED), 3);
	pause_ms(110);
	EXACT(meet(&w), LIMIT_VERDICT_CONNECTION);
}

static void verdicts_are_timed(void)
{
	static struct histogram_sum before, after;
	struct wanted w = tcp_to(FRAME_SYN);
	uint64_t buckets = 0;

	limit_only(WEB, (struct limits_rules){.packets = plenty});
	CU_ASSERT_EQUAL(limits_verdict_times(world.limits, &before), 0);
	after = before;
	/* One in 256. */
	for (int i = 0; i < 100000 && after.count == before.count; i++) {
		meet(&w);
		if (i % 100 == 99)
			limits_verdict_times(world.limits, &after);
	}
	CU_ASSERT_TRUE(after.count > before.count);
	CU_ASSERT_EQUAL(after.finer, HISTOGRAM_FINER);
	for (int i = 0; i < HISTOGRAM_ALL_BUCKETS; i++)
		buckets += after.bucket[i];
	CU_ASSERT_EQUAL(after.count, buckets + after.under + after.over);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(quiet_udp_flow_begins_anew),
		SUITE_TEST(quiet_udp_flow_is_charged_where_only_starts_are_limited),
		SUITE_TEST(quiet_udp_flow_gets_no_full_bucket_beyond_the_coarse_word),
		SUITE_TEST(verdicts_are_timed),
		CU_TEST_INFO_NULL,
	};

	return world_suite(&world, "xdp: time", tests);
}
