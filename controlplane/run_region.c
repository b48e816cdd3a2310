/* SPDX-License-Identifier: Apache-2.0 */
/* The region's file in the life of a run: watched, and made right before a dataplane opens it. */
#include <stdio.h>

#include "controlplane/log.h"
#include "controlplane/run_state.h"

enum { LOOK_MS = 500 };

/* There is nothing to carry on from: everything begins anew, in this process. */
static void begin_anew(struct run *run, const char *why)
{
	if (run->again)
		return;
	log_error("region", "event=region_truncated why=\"%s\" action=anew", why);
	run->again = 1;
	run_stop_now(run, 0);
	run_stop_now(run, 0); /* by KILL: what the dataplane could put in order is gone */
}

static void on_look(uv_timer_t *timer)
{
	struct run *run = timer->data;
	char why[RUN_WHY_BYTES] = "";

	switch (region_guard_look(&run->region_guard, why, sizeof(why))) {
	case REGION_FINE:
		break;
	case REGION_RELINKED:
		log_warn("region", "event=region_relinked why=\"%s\"", why);
		break;
	case REGION_REPAIRED:
		log_error("region", "event=region_repaired why=\"%s\"", why);
		break;
	case REGION_NAMELESS:
		if (!run->nameless_told)
			log_error("region", "event=region_nameless why=\"%s\" action=restart", why);
		run->nameless_told = 1;
		supervisor_restart(run->supervisor);
		break;
	case REGION_STUCK:
		if (!run->stuck_told)
			log_error("region", "event=region_nameless why=\"%s\" action=wait", why);
		run->stuck_told = 1;
		break;
	case REGION_CUT:
		begin_anew(run, why);
		return;
	}
	run_say_words(run);
	reloader_look(run->reloader);
}

int run_before_dataplane(void *ctx)
{
	struct run *run = ctx;
	char why[RUN_WHY_BYTES] = "";
	enum region_state state;

	run_dataplane_starts(run);
	state = region_guard_look(&run->region_guard, why, sizeof(why));
	if (state == REGION_CUT) {
		begin_anew(run, why);
		return -1;
	}
	run_say_words(run);
	if (state != REGION_NAMELESS && state != REGION_STUCK)
		return 0;
	if (region_guard_move(&run->region_guard, why, sizeof(why)) != 0)
		log_error("region", "event=region_not_moved why=\"%s\"", why);
	else
		log_info("region", "event=region_moved path=%s", run->paths.region);
	run->nameless_told = run->stuck_told = 0;
	return 0;
}

int run_may_prepare_dataplane(void *ctx)
{
	struct run *run = ctx;
	char why[RUN_WHY_BYTES] = "";

	return !run->lost && region_guard_look(&run->region_guard, why, sizeof(why)) == REGION_FINE;
}

int run_start_region_guard(struct run *run)
{
	region_guard_start(&run->region_guard, &run->region, run->paths.region);
	uv_timer_init(&run->loop, &run->region_look);
	run->region_look.data = run;
	uv_timer_start(&run->region_look, on_look, LOOK_MS, LOOK_MS);
	return 0;
}

void run_stop_region_guard(struct run *run)
{
	uv_timer_stop(&run->region_look);
	region_guard_stop();
}
