/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

#define MS         UINT64_C(1000000)
#define SECOND     (1000 * MS)
#define TOTAL_MASK ((UINT64_C(1) << 24) - 1)

static struct image_retry rules_of(uint32_t percent, uint32_t minimum_per_second,
				   uint32_t window_ms)
{
	return (struct image_retry){.max_attempts = 4,
				    .ratio = (uint16_t)(percent * 100),
				    .minimum_per_second = minimum_per_second,
				    .window_ms = window_ms};
}

static uint64_t bound(const struct image_retry *rules, uint64_t calls)
{
	uint64_t by_ratio = calls * rules->ratio / 10000;
	uint64_t minimum = (uint64_t)rules->minimum_per_second * rules->window_ms / 1000;

	return by_ratio > minimum ? by_ratio : minimum;
}

static uint64_t retries_now(struct budget_state *b, const struct image_retry *rules,
			    uint64_t now_ns, uint64_t tries)
{
	uint64_t granted = 0;

	for (uint64_t i = 0; i < tries; i++)
		granted += (uint64_t)budget_retry(b, rules, now_ns);
	return granted;
}

static const struct row {
	uint32_t percent, minimum_per_second, window_ms;
	uint64_t calls;
	uint64_t granted; /* of as many tries as one likes, at once */
} rows[] = {
	{20, 0, 10000, 0, 0},       {20, 0, 10000, 4, 0},    {20, 0, 10000, 5, 1},
	{20, 0, 10000, 9999, 1999}, {20, 10, 10000, 0, 100}, {20, 10, 10000, 500, 100},
	{20, 10, 10000, 505, 101},  {100, 0, 10000, 77, 77}, {0, 10, 10000, 1000, 100},
	{0, 0, 10000, 1000, 0},     {20, 10, 100, 0, 1},     {20, 9, 100, 0, 0},
	{20, 1, 60000, 1, 60},
};

static void the_larger_of_share_and_minimum_is_granted(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		const struct image_retry rules =
			rules_of(r->percent, r->minimum_per_second, r->window_ms);
		struct budget_state b = {0};
		struct budget_view view;

		for (uint64_t k = 0; k < r->calls; k++)
			budget_call(&b, &rules, 77 * SECOND);
		CU_ASSERT_EQUAL(retries_now(&b, &rules, 77 * SECOND, 3000), r->granted);
		budget_look(&b, &rules, 77 * SECOND, &view);
		CU_ASSERT_EQUAL(view.calls, r->calls);
		CU_ASSERT_EQUAL(view.retries, r->granted);
		CU_ASSERT_EQUAL(view.allowed, r->granted);
	}
}

static void a_window_later_all_is_forgotten(void)
{
	const struct image_retry rules = rules_of(20, 1, 10000);
	struct budget_state b = {0};
	struct budget_view view;

	for (uint32_t i = 0; i < 1000; i++)
		budget_call(&b, &rules, 0);
	CU_ASSERT_EQUAL(retries_now(&b, &rules, 0, 1000), 200);
	/* Calls leave first, after ten ticks; retries after eleven. */
	budget_look(&b, &rules, 10 * SECOND - 1, &view);
	CU_ASSERT_EQUAL(view.allowed, 200);
	budget_look(&b, &rules, 10 * SECOND, &view);
	CU_ASSERT_EQUAL(view.calls, 0);
	CU_ASSERT_EQUAL(view.retries, 200);
	CU_ASSERT_EQUAL(retries_now(&b, &rules, 11 * SECOND - 1, 1000), 0);
	CU_ASSERT_EQUAL(retries_now(&b, &rules, 11 * SECOND, 1000), 10);
	budget_look(&b, &rules, 1000 * SECOND, &view);
	CU_ASSERT_EQUAL(view.retries, 0);
	CU_ASSERT_EQUAL(view.allowed, 10);
}

/* A mark of 65536 ticks ago looks like today's: it must be gone by then. */
static void an_idle_time_of_all_ticks_leaves_nothing(void)
{
	const struct image_retry rules = rules_of(20, 0, 10000);

	for (uint64_t late = 65536 - 16; late <= 65536 + 16; late++) {
		struct budget_state b = {0};

		for (uint32_t i = 0; i < 1000; i++)
			budget_call(&b, &rules, 5 * SECOND);
		CU_ASSERT_EQUAL(retries_now(&b, &rules, (5 + late) * SECOND, 1), 0);
		for (uint32_t i = 0; i < 10; i++)
			budget_call(&b, &rules, (6 + late) * SECOND);
		CU_ASSERT_EQUAL(retries_now(&b, &rules, (6 + late) * SECOND, 100), 2);
	}
}

static void totals_wrap_without_a_trace(void)
{
	const struct image_retry rules = rules_of(20, 0, 10000);

	for (uint64_t before = 0; before < 300; before += 7) {
		struct budget_state b = {.calls = TOTAL_MASK - before,
					 .retries = TOTAL_MASK - before / 7};
		struct budget_view view;

		for (uint32_t i = 0; i < 200; i++)
			budget_call(&b, &rules, 5 * SECOND + i * 40 * MS);
		CU_ASSERT_EQUAL(retries_now(&b, &rules, 13 * SECOND, 300), 40);
		budget_look(&b, &rules, 13 * SECOND, &view);
		CU_ASSERT_EQUAL(view.calls, 200);
		CU_ASSERT_EQUAL(view.retries, 40);
	}
}

static void more_calls_than_a_mark_holds_err_to_the_safe_side(void)
{
	const struct image_retry rules = rules_of(100, 0, 10000);
	struct budget_state b = {0};

	budget_call(&b, &rules, 5 * SECOND);
	b.calls += TOTAL_MASK - 1;
	CU_ASSERT_EQUAL(retries_now(&b, &rules, 5 * SECOND, 10), 10);
	b.calls += 5;
	CU_ASSERT_EQUAL(retries_now(&b, &rules, 5 * SECOND, 10), 0);
}

static void the_allowance_ends_where_a_mark_does(void)
{
	const struct image_retry rules = rules_of(0, UINT32_MAX, UINT32_MAX);
	struct budget_state b = {0};

	CU_ASSERT_EQUAL(retries_now(&b, &rules, 5 * SECOND, 10), 10);
	b.retries += TOTAL_MASK - 11;
	CU_ASSERT_EQUAL(retries_now(&b, &rules, 5 * SECOND, 10), 1);
}

static void a_changed_window_begins_a_new_history(void)
{
	const struct image_retry ten = rules_of(20, 0, 10000), one = rules_of(20, 0, 1000);
	struct budget_state b = {0};

	for (uint32_t i = 0; i < 100; i++)
		budget_call(&b, &ten, 5000 * SECOND);
	CU_ASSERT_EQUAL(retries_now(&b, &one, 5000 * SECOND, 100), 0);
	for (uint32_t i = 0; i < 10; i++)
		budget_call(&b, &one, 5000 * SECOND);
	CU_ASSERT_EQUAL(retries_now(&b, &one, 5000 * SECOND, 100), 2);
	CU_ASSERT_EQUAL(retries_now(&b, &ten, 5000 * SECOND, 100), 0);
	for (uint32_t i = 0; i < 10; i++)
		budget_call(&b, &ten, 5000 * SECOND);
	CU_ASSERT_EQUAL(retries_now(&b, &ten, 5000 * SECOND, 100), 2);
}

struct moment {
	uint64_t at_ns;
	int is_retry;
};

enum { EVENTS = 600, SEEDS = 1500 };

/* Retries admitted within the window that ends at @last, against their bound. */
static int keeps_the_bound(const struct moment *events, uint32_t last,
			   const struct image_retry *rules)
{
	const uint64_t end = events[last].at_ns, window = rules->window_ms * MS;
	uint64_t calls = 0, retries = 0;

	for (uint32_t i = 0; i <= last; i++) {
		if (events[i].at_ns + window < end)
			continue;
		if (events[i].is_retry)
			retries++;
		else
			calls++;
	}
	return retries <= bound(rules, calls);
}

/* Gaps: none, within a tick, of some ticks, of many windows, about all 65536 ticks. */
static uint64_t gap_ns(struct random *r, uint64_t tick_ns)
{
	switch (random_below(r, 1000)) {
	case 0:
		return tick_ns * 65536 + random_below(r, 12) * tick_ns - 6 * tick_ns;
	case 1 ... 5:
		return random_below(r, 400) * tick_ns;
	case 6 ... 40:
		return random_next(r) % (8 * tick_ns);
	case 41 ... 400:
		return random_next(r) % tick_ns / 8;
	default:
		return 0;
	}
}

static uint32_t run(uint64_t seed)
{
	static struct moment events[EVENTS];
	static const uint32_t windows_ms[] = {100, 1000, 10000};
	struct random r = {.state = seed * 0x9e3779b97f4a7c15ull | 1};
	const struct image_retry rules = rules_of(random_below(&r, 101), random_below(&r, 4),
						  windows_ms[random_below(&r, 3)]);
	const uint64_t tick_ns = rules.window_ms * MS / 10;
	const uint32_t retry_share = 1 + random_below(&r, 9);
	struct budget_state b = {.calls = TOTAL_MASK - random_below(&r, 400),
				 .retries = TOTAL_MASK - random_below(&r, 50)};
	uint64_t clock_ns = (65536 - 8) * tick_ns + random_next(&r) % (16 * tick_ns);
	uint64_t newest_tick = 0;
	uint32_t n = 0, bad = 0;

	for (uint32_t i = 0; i < EVENTS; i++) {
		uint64_t late_ns = random_below(&r, 4) ? 0 : random_next(&r) % (3 * tick_ns);
		uint64_t now_ns, counted_ns;

		clock_ns += gap_ns(&r, tick_ns);
		now_ns = clock_ns - late_ns;
		/* What is late counts in the newest tick. */
		if (now_ns / tick_ns > newest_tick)
			newest_tick = now_ns / tick_ns;
		counted_ns = now_ns / tick_ns == newest_tick ? now_ns : newest_tick * tick_ns;
		events[n] = (struct moment){counted_ns, random_below(&r, 10) < retry_share};
		if (!events[n].is_retry) {
			budget_call(&b, &rules, now_ns);
			n++;
		} else if (budget_retry(&b, &rules, now_ns)) {
			bad += !keeps_the_bound(events, n, &rules);
			n++;
		}
	}
	return bad;
}

static void no_interval_of_a_window_exceeds_the_bound(void)
{
	uint32_t bad = 0;

	for (uint64_t seed = 1; seed <= SEEDS && bad == 0; seed++) {
		bad = run(seed);
		if (bad)
			printf("seed %lu: %u breaches\n", (unsigned long)seed, bad);
	}
	CU_ASSERT_EQUAL(bad, 0);
}

struct load {
	uint64_t calls_per_second;
	uint32_t fail_percent;
	uint32_t seconds;
};
struct outcome {
	uint64_t calls, attempts, unrecovered, refused;
};

/*
 * A backend of 5 ms; a retry follows at once. The attempts in flight form a queue, since all
 * take equally long.
 */
static struct outcome simulate(const struct image_retry *rules, const struct load *load)
{
	enum { QUEUE = 4096 };
	static struct {
		uint64_t end_ns;
		uint32_t attempt;
	} queue[QUEUE];
	const uint64_t step_ns = SECOND / load->calls_per_second, answer_ns = 5 * MS;
	struct budget_state b = {0};
	struct random r = {.state = 7};
	struct outcome o = {0};
	uint64_t head = 0, tail = 0, next_ns = 1000 * SECOND;

	while (o.calls < load->calls_per_second * load->seconds || head != tail) {
		uint64_t now_ns;
		uint32_t attempt;

		if (o.calls < load->calls_per_second * load->seconds &&
		    (head == tail || next_ns <= queue[head % QUEUE].end_ns)) {
			now_ns = next_ns;
			next_ns += step_ns;
			attempt = 1;
			o.calls++;
			budget_call(&b, rules, now_ns);
		} else {
			now_ns = queue[head % QUEUE].end_ns;
			attempt = queue[head++ % QUEUE].attempt;
			if (random_below(&r, 100) >= load->fail_percent)
				continue;
			if (attempt == rules->max_attempts) {
				o.unrecovered++;
				continue;
			}
			if (!budget_retry(&b, rules, now_ns)) {
				o.refused++;
				o.unrecovered++;
				continue;
			}
			attempt++;
		}
		o.attempts++;
		queue[tail % QUEUE].end_ns = now_ns + answer_ns;
		queue[tail++ % QUEUE].attempt = attempt;
	}
	return o;
}

static void a_total_outage_is_amplified_by_a_fifth_at_most(void)
{
	const struct image_retry rules = rules_of(20, 10, 10000);
	const struct outcome o = simulate(&rules, &(struct load){100, 100, 300});
	double amplification = (double)o.attempts / (double)o.calls;

	CU_ASSERT_EQUAL(budget_amplification_bound(&rules, 100), 120);
	CU_ASSERT(amplification <= 1.2 * 1.01);
	CU_ASSERT(amplification >= 1.15); /* nor is the budget wasted */
}

static void ten_percent_failing_never_empties_the_budget(void)
{
	struct image_retry rules = rules_of(20, 10, 10000);
	struct outcome o;

	rules.max_attempts = 3;
	o = simulate(&rules, &(struct load){10000, 10, 40});
	CU_ASSERT_EQUAL(o.refused, 0);
	CU_ASSERT((double)o.unrecovered <= (double)o.calls * (0.001 + 0.0005));
}

static void the_amplification_bound_names_the_larger_part(void)
{
	static const struct {
		uint32_t percent, minimum, attempts;
		uint64_t rate;
		uint32_t bound;
	} amplifications[] = {
		{20, 10, 4, 100, 120}, {20, 10, 4, 10000, 120},       {20, 10, 4, 50, 120},
		{20, 10, 4, 20, 150},  {20, 10, 4, 3, 400},           {20, 10, 4, 4, 350},
		{20, 10, 4, 0, 400},   {20, 10, 1, 1000, 100},        {100, 0, 3, 7, 200},
		{0, 0, 3, 7, 100},     {20, UINT32_MAX, 10, 1, 1000},
	};

	for (size_t i = 0; i < sizeof(amplifications) / sizeof(amplifications[0]); i++) {
		struct image_retry rules =
			rules_of(amplifications[i].percent, amplifications[i].minimum, 10000);

		rules.max_attempts = (uint8_t)amplifications[i].attempts;
		CU_ASSERT_EQUAL(budget_amplification_bound(&rules, amplifications[i].rate),
				amplifications[i].bound);
	}
}

static void the_wire_holds_as_many_as_the_policy_says(void)
{
	static const struct {
		uint32_t max_concurrent;
		uint64_t attempts, most;
	} wires[] = {
		{1, 0, 1},    {5, 100000, 5}, {0, 0, 64},       {0, 320, 64},
		{0, 324, 64}, {0, 325, 65},   {0, 10000, 2000},
	};

	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
		const struct image_retry rules = {.max_concurrent = wires[i].max_concurrent};
		uint64_t on_wire = 0;

		while (on_wire <= wires[i].most &&
		       budget_take_wire(&on_wire, &rules, wires[i].attempts))
			;
		CU_ASSERT_EQUAL(on_wire, wires[i].most);
		budget_leave_wire(&on_wire);
		CU_ASSERT_EQUAL(budget_take_wire(&on_wire, &rules, wires[i].attempts), 1);
		on_wire = 0;
		budget_leave_wire(&on_wire);
		CU_ASSERT_EQUAL(on_wire, 0);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(the_larger_of_share_and_minimum_is_granted),
		SUITE_TEST(a_window_later_all_is_forgotten),
		SUITE_TEST(an_idle_time_of_all_ticks_leaves_nothing),
		SUITE_TEST(totals_wrap_without_a_trace),
		SUITE_TEST(more_calls_than_a_mark_holds_err_to_the_safe_side),
		SUITE_TEST(the_allowance_ends_where_a_mark_does),
		SUITE_TEST(a_changed_window_begins_a_new_history),
		SUITE_TEST(no_interval_of_a_window_exceeds_the_bound),
		SUITE_TEST(a_total_outage_is_amplified_by_a_fifth_at_most),
		SUITE_TEST(ten_percent_failing_never_empties_the_budget),
		SUITE_TEST(the_amplification_bound_names_the_larger_part),
		SUITE_TEST(the_wire_holds_as_many_as_the_policy_says),
		CU_TEST_INFO_NULL,
	};

	return suite_run("budget", tests);
}
