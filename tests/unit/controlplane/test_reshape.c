/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/reshape.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "controlplane/active.h"
#include "shm/publish.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

static struct paths paths;
static struct sample *before, *after;
static char why[160];

static struct sample *sample_of(uint32_t connections, uint32_t endpoints)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, connections);

	s->header.sidecar.connections = connections;
	s->header.sidecar.endpoints = endpoints;
	s->header.sidecar.slot_bytes = MIN_SLOT_BYTES;
	image_seal(&s->header, 0);
	return s;
}

/* An instance by @before, its region closed. */
static void begin(uint32_t connections, uint32_t endpoints)
{
	struct region_spec spec;
	struct region region;
	uint64_t generation;

	snprintf(paths.region, sizeof(paths.region), "/dev/shm/fender-unit-%d-reshape",
		 (int)getpid());
	before = sample_of(64, 8);
	after = sample_of(connections, endpoints);
	spec = active_spec(&before->header);
	if (region_create(&region, paths.region, &spec, why, sizeof(why)))
		abort();
	publisher_begin(&region);
	if (publish(&region, &before->header, 1, &generation))
		abort();
	image_seal(&before->header, generation);
	region_close(&region);
}

static void end(void)
{
	reshape_forget(&paths);
	unlink(paths.region);
	free(before);
	free(after);
}

static int exists(const char *suffix)
{
	char path[PATH_BYTES + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", paths.region, suffix);
	return stat(path, &st) == 0;
}

/* Connections that the region at the path is made for; its generation must be @generation. */
static uint32_t connections_there(uint64_t generation)
{
	struct region region;
	uint32_t connections;

	if (region_open(&region, paths.region, why, sizeof(why)))
		return 0;
	CU_ASSERT_EQUAL(active_generation(region.header->active), generation);
	connections = region.shape.connections_per_worker;
	region_close(&region);
	return connections;
}

static int reshape(struct region *region)
{
	struct image_header *active;
	struct migrated moved;
	int rc;

	if (region_open(region, paths.region, why, sizeof(why)))
		abort();
	active = active_policy(region);
	rc = reshape_region(region, &paths, active, &after->header, &moved, why, sizeof(why));
	free(active);
	return rc;
}

static void new_region_takes_the_place_of_the_old(void)
{
	struct region region;

	begin(256, 8);
	CU_ASSERT_EQUAL(reshape(&region), 0);
	CU_ASSERT_EQUAL(region.shape.connections_per_worker, 256);
	region_close(&region);
	CU_ASSERT_EQUAL(connections_there(2), 256);
	CU_ASSERT_FALSE(exists(".next"));
	CU_ASSERT_TRUE(exists(".before"));
	reshape_forget(&paths);
	CU_ASSERT_FALSE(exists(".before"));
	CU_ASSERT_EQUAL(reshape_return(&paths), -ENOENT);
	CU_ASSERT_EQUAL(connections_there(2), 256);
	end();
}

static void old_region_returns(void)
{
	struct region region;

	begin(256, 8);
	CU_ASSERT_EQUAL(reshape(&region), 0);
	region_close(&region);
	CU_ASSERT_EQUAL(reshape_return(&paths), 0);
	CU_ASSERT_EQUAL(connections_there(1), 64);
	CU_ASSERT_FALSE(exists(".before"));
	end();
}

/* Its seven endpoints have no room. */
static void failure_changes_nothing(void)
{
	struct region region;

	begin(256, 3);
	CU_ASSERT_NOT_EQUAL(reshape(&region), 0);
	CU_ASSERT_EQUAL(region.shape.connections_per_worker, 64);
	region_close(&region);
	CU_ASSERT_EQUAL(connections_there(1), 64);
	CU_ASSERT_FALSE(exists(".next"));
	CU_ASSERT_FALSE(exists(".before"));
	end();
}

static void room_is_tried_and_given_back(void)
{
	struct rlimit old, small;

	begin(4096, 8);
	CU_ASSERT_EQUAL(reshape_try_room(&paths, &after->header, why, sizeof(why)), 0);
	CU_ASSERT_FALSE(exists(".next"));
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 1024 * 1024;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	CU_ASSERT_NOT_EQUAL(reshape_try_room(&paths, &after->header, why, sizeof(why)), 0);
	setrlimit(RLIMIT_FSIZE, &old);
	CU_ASSERT_FALSE(exists(".next"));
	CU_ASSERT_EQUAL(connections_there(1), 64);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		TEST(new_region_takes_the_place_of_the_old),
		TEST(old_region_returns),
		TEST(failure_changes_nothing),
		TEST(room_is_tried_and_given_back),
	};

	return suite_run("reshape", tests, sizeof(tests) / sizeof(tests[0]));
}
