/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a unit test: run a table of tests as one suite. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_SUITE_H
#define FENDER_TESTS_UNIT_DATAPLANE_SUITE_H

#include <CUnit/Basic.h>

#define SUITE_TEST(name)    \
	{                   \
#name, name \
	}

/* @tests ends with CU_TEST_INFO_NULL. Return: exit status, 1 after any failure. */
static inline int suite_run(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {{.pName = name, .pTests = tests}, CU_SUITE_INFO_NULL};
	unsigned int failed = 1;

	if (CU_initialize_registry() == CUE_SUCCESS && CU_register_suites(suites) == CUE_SUCCESS) {
		CU_basic_set_mode(CU_BRM_NORMAL);
		failed = CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_failures() ||
			 !CU_get_number_of_tests_run();
	}
	CU_cleanup_registry();
	return failed ? 1 : 0;
}

#endif
