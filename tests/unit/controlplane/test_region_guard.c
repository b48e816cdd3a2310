/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/region_guard.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static char dir[64], path[128], other[128], why[200];
static struct region region;
static struct region_guard guard;

static void begin(void)
{
	const struct region_spec spec = {.instance = "unit",
					 .workers = 1,
					 .connections = 64,
					 .listeners = 2,
					 .clusters = 2,
					 .endpoints = 4,
					 .slot_bytes = 65536};

	snprintf(dir, sizeof(dir), "/dev/shm/fender-unit-guard-%d", (int)getpid());
	mkdir(dir, 0700);
	snprintf(path, sizeof(path), "%s/region", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	if (region_create(&region, path, &spec, why, sizeof(why)))
		abort();
	region.header->active = 5 << 2 | 1;
	region.workers[0].packets.received = 42;
	region_guard_start(&guard, &region, path);
}

static void end(void)
{
	region_guard_stop();
	region_close(&region);
	unlink(path);
	unlink(other);
	CU_ASSERT_EQUAL(rmdir(dir), 0); /* nothing is left */
}

static enum region_state look(void)
{
	return region_guard_look(&guard, why, sizeof(why));
}

/* Whoever opens the name meets the live region. */
static void name_is_good(void)
{
	struct region opened;

	CU_ASSERT_EQUAL_FATAL(region_open(&opened, path, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(opened.header->region_id, region.header->region_id);
	CU_ASSERT_EQUAL(opened.header->active, 5 << 2 | 1);
	opened.workers[0].packets.received++;
	CU_ASSERT_EQUAL(region.workers[0].packets.received, 43);
	region_close(&opened);
}

static void nothing_happens_while_all_is_well(void)
{
	begin();
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	name_is_good();
	end();
}

static void a_renamed_file_gets_its_name_back(void)
{
	begin();
	rename(path, other);
	CU_ASSERT_EQUAL(look(), REGION_RELINKED);
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	name_is_good();
	end();
}

static void a_deleted_file_is_copied_to_a_new_one(void)
{
	begin();
	unlink(path);
	CU_ASSERT_EQUAL(look(), REGION_NAMELESS);
	CU_ASSERT_EQUAL(region_guard_move(&guard, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	name_is_good();
	end();
}

static void a_replaced_file_is_replaced_again(void)
{
	begin();
	close(open(other, O_CREAT | O_WRONLY, 0600));
	rename(other, path);
	CU_ASSERT_EQUAL(look(), REGION_NAMELESS);
	CU_ASSERT_EQUAL(region_guard_move(&guard, why, sizeof(why)), 0);
	name_is_good();
	end();
}

static void an_overwritten_header_is_repaired(void)
{
	begin();
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	memset(region.header, 0xa5, sizeof(*region.header));
	CU_ASSERT_EQUAL(look(), REGION_REPAIRED);
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	CU_ASSERT_EQUAL(region.header->reading, 0);
	name_is_good();
	end();
}

static void a_cut_file_is_survived_and_told(void)
{
	begin();
	CU_ASSERT_EQUAL(truncate(path, 8192), 0);
	/* What is gone reads as zero and can be written. */
	CU_ASSERT_EQUAL(region.workers[0].packets.received, 0);
	region.workers[0].packets.received = 7;
	CU_ASSERT_EQUAL(region.header->active, 5 << 2 | 1);
	CU_ASSERT_EQUAL(look(), REGION_CUT);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "8192"));
	end();
	begin();
	CU_ASSERT_EQUAL(truncate(path, 0), 0);
	CU_ASSERT_EQUAL(region.header->active, 0);
	CU_ASSERT_EQUAL(look(), REGION_CUT);
	end();
}

static void a_longer_file_is_none_of_ours(void)
{
	begin();
	CU_ASSERT_EQUAL(truncate(path, (off_t)region.bytes + 4096), 0);
	CU_ASSERT_EQUAL(look(), REGION_FINE);
	name_is_good();
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(nothing_happens_while_all_is_well),
	SUITE_TEST(a_renamed_file_gets_its_name_back),
	SUITE_TEST(a_deleted_file_is_copied_to_a_new_one),
	SUITE_TEST(a_replaced_file_is_replaced_again),
	SUITE_TEST(an_overwritten_header_is_repaired),
	SUITE_TEST(a_cut_file_is_survived_and_told),
	SUITE_TEST(a_longer_file_is_none_of_ours),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("region guard", tests);
}
