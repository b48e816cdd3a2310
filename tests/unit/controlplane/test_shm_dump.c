/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of dead instances, and files that only look like one. */
#include "controlplane/shm_dump.h"

#include <fcntl.h>
#include <unistd.h>

#include "controlplane/liveness.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

enum { FLIPS = 150 };

static char path[64];
static uint64_t seed = 88172645463325252ull;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A file with a published policy. */
static uint64_t make_file(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	struct region region;
	uint64_t bytes;
	int fd;

	fixture_region(&region, image);
	bytes = region.bytes;
	snprintf(path, sizeof(path), "/dev/shm/fender-unit-dump-%d", (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, region.header, bytes) != (ssize_t)bytes)
		abort();
	close(fd);
	region_close(&region);
	free(image);
	return bytes;
}

/* Return 0 when the file was refused. */
static int dump(json_t **body)
{
	struct region region;
	char why[160] = "";
	int other_boot;

	*body = NULL;
	if (region_load(&region, path, &other_boot, why, sizeof(why)) != 0) {
		CU_ASSERT_NOT_EQUAL(why[0], '\0');
		return 0;
	}
	*body = shm_dump(&region, monotonic_ns());
	region_close(&region);
	return 1;
}

static void a_region_is_told(void)
{
	json_t *body, *policy;
	size_t i;
	int good = 0;

	make_file();
	CU_ASSERT_FATAL(dump(&body));
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(body, "header"), "instance")),
		"unit");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(body, "workers")), 2);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(body, "listeners")), 2);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(body, "endpoints")), 3);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(body, "connections")), 0);
	json_array_foreach(json_object_get(body, "policies"), i, policy) good +=
		strcmp(json_string_value(json_object_get(policy, "state")), "good") == 0;
	CU_ASSERT_EQUAL(good, 1);
	json_decref(body);
	unlink(path);
}

static void a_short_file_is_refused(void)
{
	uint64_t bytes = make_file();
	const uint64_t sizes[] = {0,
				  1,
				  63,
				  sizeof(struct region_header) - 1,
				  sizeof(struct region_header),
				  4096,
				  bytes / 2,
				  bytes - 1};
	json_t *body;

	for (size_t i = sizeof(sizes) / sizeof(sizes[0]); i-- > 0;) {
		if (truncate(path, (off_t)sizes[i]) != 0)
			abort();
		CU_ASSERT_EQUAL(dump(&body), 0);
	}
	unlink(path);
	CU_ASSERT_EQUAL(dump(&body), 0);
}

/* Behind the header nothing is checked, so all of it may be anything. */
static void any_bytes_are_safe(void)
{
	uint64_t bytes = make_file();
	uint8_t *noise = malloc(4096);
	json_t *body;
	int fd = open(path, O_RDWR);

	if (fd < 0 || !noise)
		abort();
	for (int i = 0; i < FLIPS; i++) {
		uint64_t at = 4096 + draw() % (bytes - 8192);
		size_t size = i % 2 ? 4096 : 1;

		for (size_t k = 0; k < size; k++)
			noise[k] = (uint8_t)draw();
		if (pwrite(fd, noise, size, (off_t)at) != (ssize_t)size)
			abort();
		if (i % 10 == 0) {
			CU_ASSERT_FATAL(dump(&body));
			json_decref(body);
		}
	}
	for (uint64_t at = 4096; at < bytes; at += 4096) {
		memset(noise, (int)draw(), 4096);
		if (pwrite(fd, noise, 4096, (off_t)at) != 4096)
			abort();
	}
	CU_ASSERT(dump(&body));
	json_decref(body);
	close(fd);
	free(noise);
	unlink(path);
}

static void a_header_that_lies_is_refused(void)
{
	json_t *body;

	make_file();
	for (int i = 0; i < FLIPS; i++) {
		uint64_t at = draw() % __builtin_offsetof(struct region_header, pad0);
		uint8_t byte, flipped;
		int fd = open(path, O_RDWR);

		if (fd < 0 || pread(fd, &byte, 1, (off_t)at) != 1)
			abort();
		flipped = (uint8_t)(byte ^ 1u << draw() % 8);
		if (pwrite(fd, &flipped, 1, (off_t)at) != 1)
			abort();
		CU_ASSERT_EQUAL(dump(&body), 0);
		json_decref(body);
		if (pwrite(fd, &byte, 1, (off_t)at) != 1)
			abort();
		close(fd);
	}
	unlink(path);
}

int main(void)
{
	static CU_TestInfo tests[] = {
		SUITE_TEST(a_region_is_told),
		SUITE_TEST(a_short_file_is_refused),
		SUITE_TEST(any_bytes_are_safe),
		SUITE_TEST(a_header_that_lies_is_refused),
		CU_TEST_INFO_NULL,
	};

	return suite_run("shm_dump", tests);
}
