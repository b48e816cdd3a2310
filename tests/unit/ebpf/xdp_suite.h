/* SPDX-License-Identifier: Apache-2.0 */
/* A suite in a world whose maps are filled, program loaded and sockets attached. */
#ifndef FENDER_TESTS_UNIT_EBPF_XDP_SUITE_H
#define FENDER_TESTS_UNIT_EBPF_XDP_SUITE_H

#include "tests/unit/dataplane/suite.h"
#include "tests/unit/ebpf/xdp_world.h"

/* Return: for main(); 0 with a word when this process may not load programs. */
static int world_suite(struct world *w, const char *name, CU_TestInfo *tests)
{
	int rc = world_open(w);

	if (rc > 0) {
		printf("skipped: %s\n", w->error);
		return 0;
	}
	if (!rc)
		rc = world_load(w);
	if (!rc)
		rc = world_apply(w);
	if (rc)
		printf("no world: %d %s\n", rc, w->error);
	else
		world_attach(w, 1);
	rc = rc ? 1 : suite_run(name, tests);
	world_close(w);
	return rc;
}

#endif
