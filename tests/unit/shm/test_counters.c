/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/counters.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "tests/unit/shm/suite.h"

/* Positions are part of the ABI: this list grows at its end, with POLICY_COUNTERS. */
static const char *const golden[] = {
#include "tests/unit/shm/golden_counters.inc"
};

static void a_policy_counter_keeps_its_position(void)
{
	const size_t count = sizeof(golden) / sizeof(golden[0]);

	CU_ASSERT_EQUAL(count, POLICY_COUNTER_COUNT);
	for (unsigned int i = 0; i < count && i < POLICY_COUNTER_COUNT; i++)
		CU_ASSERT_STRING_EQUAL(policy_counter_name(i), golden[i]);
}

static void every_policy_counter_has_a_name_and_a_sentence(void)
{
	for (unsigned int i = 0; i < POLICY_COUNTER_COUNT; i++) {
		const char *name = policy_counter_name(i);

		CU_ASSERT(strlen(name) > 1);
		for (const char *c = name; *c; c++)
			CU_ASSERT(islower((unsigned char)*c) || *c == '_');
		CU_ASSERT(strlen(policy_counter_text(i)) > 10);
		for (unsigned int k = 0; k < i; k++)
			CU_ASSERT_STRING_NOT_EQUAL(name, policy_counter_name(k));
	}
}

static void numbers_without_a_counter_are_unknown(void)
{
	CU_ASSERT_STRING_EQUAL(policy_counter_name(POLICY_COUNTER_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(policy_counter_name(0xffffffff), "unknown");
	CU_ASSERT_STRING_EQUAL(policy_counter_text(POLICY_COUNTER_COUNT), "");
}

static void a_member_is_the_word_its_number_names(void)
{
	struct policy_counters c = {.all = {0}};

#define X(name, text)                                     \
	counter_add(&c.name, POLICY_COUNTER_##name + 1u); \
	CU_ASSERT_EQUAL(counter_read(&c.all[POLICY_COUNTER_##name]), POLICY_COUNTER_##name + 1u);
	POLICY_COUNTERS(X)
#undef X
	CU_ASSERT_EQUAL(offsetof(struct policy_counters, rejected), sizeof(c.all));
}

static const struct test tests[] = {
	TEST(a_policy_counter_keeps_its_position),
	TEST(every_policy_counter_has_a_name_and_a_sentence),
	TEST(numbers_without_a_counter_are_unknown),
	TEST(a_member_is_the_word_its_number_names),
};

int main(void)
{
	return suite_run("counters", tests, sizeof(tests) / sizeof(tests[0]));
}
