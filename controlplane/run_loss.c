/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dataplane that does not come back: sidecar.on_dataplane_loss. `drop`: it is tried again for
 * ever, and what is Fender's is dropped meanwhile. `pass`: Fender steps aside and stays there until
 * an operator wants it back (SIGHUP, a reload, a policy without `pass`).
 */
#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/run_state.h"
#include "controlplane/service_routes.h"

enum { WHY_BYTES = 192 };

static int passes(const struct run *run)
{
	return reloader_policy(run->reloader)->sidecar.on_dataplane_loss == ON_LOSS_PASS;
}

static void withdraw_routes(struct run *run)
{
	const struct image_header *policy = reloader_policy(run->reloader);
	char why[WHY_BYTES];
	int n = service_routes_withdraw(policy, run->paths.routes, why, sizeof(why));

	if (n < 0)
		log_error("routes", "event=not_withdrawn error=\"%s\"", why);
	else
		log_warn("routes", "event=withdrawn count=%d", n);
}

void run_restore_routes(struct run *run)
{
	char why[WHY_BYTES];
	int n = service_routes_restore(run->paths.routes, why, sizeof(why));

	if (n < 0)
		log_error("routes", "event=not_restored file=%s error=\"%s\"", run->paths.routes,
			  why);
	else if (n > 0)
		log_info("routes", "event=restored count=%d", n);
}

/* Everything that lets packets by (@lost), or takes them back. Each says itself what fails. */
static void step_aside(struct run *run, int lost)
{
	run->lost = lost;
	run_limits_lost(run, lost);
	if (lost)
		withdraw_routes(run);
	else
		run_restore_routes(run);
}

int run_dataplane_lost(void *ctx)
{
	struct run *run = ctx;
	const int pass = passes(run);

	if (!run->lost_told) {
		log_error("dataplane", "event=lost on_dataplane_loss=%s", pass ? "pass" : "drop");
		run_event(run, EVENT_DATAPLANE_LOST, 0);
	}
	run->lost_told = 1;
	if (pass)
		step_aside(run, 1);
	return pass;
}

void run_dataplane_starts(struct run *run)
{
	if (run->lost)
		step_aside(run, 0);
}

void run_dataplane_found(struct run *run)
{
	run->lost_told = 0;
}

void run_loss_policy(struct run *run)
{
	if (run->lost && !passes(run))
		supervisor_start_again(run->supervisor);
}

void run_event(struct run *run, enum event_kind kind, uint64_t detail)
{
	const struct event event = {
		.at_ns = monotonic_ns(), .kind = (uint16_t)kind, .detail = detail};

	event_write(run->region.events, &event);
}
