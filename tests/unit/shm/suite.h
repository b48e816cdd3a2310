/* SPDX-License-Identifier: Apache-2.0 */
/* What the test programs of shm/ share: the suite's run and a small region. */
#ifndef FENDER_TESTS_SHM_SUITE_H
#define FENDER_TESTS_SHM_SUITE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "shm/region.h"

struct test {
	const char *name;
	void (*run)(void);
};
#define TEST(function)              \
	{                           \
#function, function \
	}

static inline int suite_run(const char *name, const struct test *tests, size_t count)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite(name, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		CU_add_test(suite, tests[i].name, tests[i].run);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}

static inline struct region_spec small_spec(void)
{
	return (struct region_spec){
		.instance = "unit",
		.workers = 2,
		.connections = MIN_CONNECTIONS,
		.listeners = 4,
		.clusters = 5,
		.endpoints = 8,
		.slot_bytes = MIN_SLOT_BYTES,
	};
}

/* One path a process and test; the test unlinks it. */
static inline const char *region_path(const char *test)
{
	static char path[128];

	snprintf(path, sizeof(path), "/dev/shm/fender-unit-%d-%s", (int)getpid(), test);
	return path;
}

static inline void small_region(struct region *region, const char *test)
{
	struct region_spec spec = small_spec();
	char why[160];

	if (region_create(region, region_path(test), &spec, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	unlink(region_path(test));
}

#endif
