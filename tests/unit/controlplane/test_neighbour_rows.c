/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/neighbour_rows.h"

#include <linux/neighbour.h>
#include <string.h>

#include <CUnit/Basic.h>

static struct kernel_neighbours region;
static struct neighbour_rows rows;

static void begin(void)
{
	memset(&region, 0, sizeof(region));
	neighbour_rows_load(&rows, &region);
}

static struct neighbour_news news_of(uint32_t n, uint16_t nud)
{
	struct neighbour_news news = {.nud = nud, .mac = {2, 0, 0, 0, 0, 1}};

	memcpy(news.ip, &n, sizeof(n));
	return news;
}

static int told(uint32_t n, uint16_t nud)
{
	const struct neighbour_news news = news_of(n, nud);

	return neighbour_rows_take(&rows, 1, &news);
}

static int deleted(uint32_t n)
{
	struct neighbour_news news = news_of(n, NUD_REACHABLE);

	news.deleted = 1;
	return neighbour_rows_take(&rows, 1, &news);
}

/* What the region says of a neighbour; KERNEL_NEIGHBOUR_NONE: nothing. */
static uint8_t state_of(uint32_t n)
{
	const struct neighbour_news news = news_of(n, 0);

	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++) {
		struct kernel_neighbour_value value;
		uint32_t version = 0;

		if (kernel_neighbour_read(&region, i, &version, &value) && value.interface == 1 &&
		    memcmp(value.ip, news.ip, 16) == 0)
			return value.state;
	}
	return KERNEL_NEIGHBOUR_NONE;
}

static void what_the_kernel_says_is_written(void)
{
	static const struct {
		uint16_t nud;
		int wrote; /* when the row had this MAC already, and was written */
		uint8_t state;
	} table[] = {
		{NUD_INCOMPLETE, 0, KERNEL_NEIGHBOUR_KNOWN},
		{NUD_NONE, 0, KERNEL_NEIGHBOUR_KNOWN},
		{NUD_STALE, 0, KERNEL_NEIGHBOUR_KNOWN},
		{NUD_DELAY, 0, KERNEL_NEIGHBOUR_KNOWN},
		{NUD_PROBE, 0, KERNEL_NEIGHBOUR_KNOWN},
		{NUD_REACHABLE, 1, KERNEL_NEIGHBOUR_KNOWN}, /* a confirmation */
		{NUD_PERMANENT, 1, KERNEL_NEIGHBOUR_KNOWN},
		{NUD_FAILED, 1, KERNEL_NEIGHBOUR_GONE},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		begin();
		CU_ASSERT_EQUAL(told(5, NUD_STALE), 1);
		CU_ASSERT_EQUAL(state_of(5), KERNEL_NEIGHBOUR_KNOWN);
		CU_ASSERT_EQUAL(told(5, table[i].nud), table[i].wrote);
		CU_ASSERT_EQUAL(state_of(5), table[i].state);
	}
}

static void what_has_no_address_makes_no_row(void)
{
	struct neighbour_news news = news_of(5, NUD_REACHABLE);

	begin();
	CU_ASSERT_EQUAL(told(5, NUD_INCOMPLETE), 0);
	CU_ASSERT_EQUAL(told(5, NUD_FAILED), 0);
	CU_ASSERT_EQUAL(told(5, NUD_NOARP), 0);
	CU_ASSERT_EQUAL(deleted(5), 0);
	news.mac[0] = 0x33;
	CU_ASSERT_EQUAL(neighbour_rows_take(&rows, 1, &news), 0);
	memset(news.mac, 0, sizeof(news.mac));
	CU_ASSERT_EQUAL(neighbour_rows_take(&rows, 1, &news), 0);
	CU_ASSERT_EQUAL(region.changes, 0);
}

static void gone_and_back(void)
{
	begin();
	told(5, NUD_REACHABLE);
	CU_ASSERT_EQUAL(deleted(5), 1);
	CU_ASSERT_EQUAL(deleted(5), 0);
	CU_ASSERT_EQUAL(state_of(5), KERNEL_NEIGHBOUR_GONE);
	CU_ASSERT_EQUAL(told(5, NUD_STALE), 1);
	CU_ASSERT_EQUAL(state_of(5), KERNEL_NEIGHBOUR_KNOWN);
}

static void a_dump_ends_what_it_does_not_name(void)
{
	begin();
	told(5, NUD_REACHABLE);
	told(6, NUD_REACHABLE);
	neighbour_rows_unsee(&rows);
	told(6, NUD_STALE);
	CU_ASSERT_EQUAL(neighbour_rows_sweep(&rows), 1);
	CU_ASSERT_EQUAL(neighbour_rows_sweep(&rows), 0);
	CU_ASSERT_EQUAL(state_of(5), KERNEL_NEIGHBOUR_GONE);
	CU_ASSERT_EQUAL(state_of(6), KERNEL_NEIGHBOUR_KNOWN);
}

static void a_successor_finds_the_rows(void)
{
	begin();
	told(5, NUD_REACHABLE);
	told(6, NUD_REACHABLE);
	deleted(6);
	region.row[0].word |= 0xffull << 48; /* what nobody of ours writes */
	neighbour_rows_load(&rows, &region);
	CU_ASSERT_PTR_NULL(neighbour_rows_find(&rows, 1, news_of(5, 0).ip));
	CU_ASSERT_PTR_NOT_NULL(neighbour_rows_find(&rows, 1, news_of(6, 0).ip));
}

static void full_table_counts_and_reuses_what_is_gone(void)
{
	begin();
	for (uint32_t n = 1; n <= KERNEL_NEIGHBOURS; n++)
		CU_ASSERT_EQUAL(told(n, NUD_REACHABLE), 1);
	CU_ASSERT_EQUAL(told(5000, NUD_REACHABLE), 0);
	CU_ASSERT_EQUAL(rows.full, 1);
	deleted(77);
	CU_ASSERT_EQUAL(told(5000, NUD_REACHABLE), 1);
	CU_ASSERT_EQUAL(state_of(5000), KERNEL_NEIGHBOUR_KNOWN);
	CU_ASSERT_EQUAL(state_of(77), KERNEL_NEIGHBOUR_NONE);
}

int main(void)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("neighbour_rows", NULL, NULL);
	CU_ADD_TEST(suite, what_the_kernel_says_is_written);
	CU_ADD_TEST(suite, what_has_no_address_makes_no_row);
	CU_ADD_TEST(suite, gone_and_back);
	CU_ADD_TEST(suite, a_dump_ends_what_it_does_not_name);
	CU_ADD_TEST(suite, a_successor_finds_the_rows);
	CU_ADD_TEST(suite, full_table_counts_and_reuses_what_is_gone);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
