/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/reasons.h"

#include <ctype.h>
#include <string.h>

#include "tests/unit/shm/suite.h"

/* Numbers are part of the ABI: this list grows at its end, with the enumeration. */
static const char *const golden[] = {
#include "tests/unit/shm/golden_reasons.inc"
};

static void a_reason_keeps_its_number(void)
{
	const size_t count = sizeof(golden) / sizeof(golden[0]);

	CU_ASSERT_EQUAL(count, REASON_COUNT);
	for (unsigned int i = 0; i < count && i < REASON_COUNT; i++)
		CU_ASSERT_STRING_EQUAL(reason_name(i), golden[i]);
}

static void every_reason_has_a_name_and_a_sentence(void)
{
	for (unsigned int i = 0; i < REASON_COUNT; i++) {
		const char *name = reason_name(i);

		CU_ASSERT(strlen(name) > 1);
		for (const char *c = name; *c; c++)
			CU_ASSERT(islower((unsigned char)*c) || *c == '_' ||
				  isdigit((unsigned char)*c));
		CU_ASSERT(strlen(reason_text(i)) > 10);
		for (unsigned int k = 0; k < i; k++)
			CU_ASSERT_STRING_NOT_EQUAL(name, reason_name(k));
	}
}

static void numbers_without_a_reason_are_unknown(void)
{
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_SLOTS), "unknown");
	CU_ASSERT_STRING_EQUAL(reason_name(0xffffffff), "unknown");
	CU_ASSERT_STRING_EQUAL(reason_text(REASON_COUNT), "");
}

static const struct test tests[] = {
	TEST(a_reason_keeps_its_number),
	TEST(every_reason_has_a_name_and_a_sentence),
	TEST(numbers_without_a_reason_are_unknown),
};

int main(void)
{
	return suite_run("reasons", tests, sizeof(tests) / sizeof(tests[0]));
}
