/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run. Asked for once, connections drain: new ones are refused, the others have
 * the longest timeouts.drain of the clusters, then they are reset; it is over when none is left.
 * Asked for again, or failed: at once.
 */
#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/run_state.h"
#include "controlplane/wake.h"

enum {
	LOOK_MS = 10,
	/* What is open when the time is over is reset, which takes a worker moments. */
	RESET_MS = 3000,
	EXTRA_MS = 10000, /* of the service manager's patience */
	NS_A_MS = 1000000,
	US_A_MS = 1000,
};

static void set_drain(struct run *run, uint64_t until_ns)
{
	run->drain_until_ns = until_ns;
	__atomic_store_n(&run->region.header->drain_until_ns, until_ns, __ATOMIC_RELAXED);
	if (wake_dataplane(run->paths.wake) != 0)
		log_warn("control", "event=wake_failed"); /* it looks by itself, too */
}

void run_forget_drain(struct run *run)
{
	run->drain_until_ns = 0;
	__atomic_store_n(&run->region.header->drain_until_ns, 0, __ATOMIC_RELAXED);
}

static void on_dataplane_stopped(void *ctx)
{
	struct run *run = ctx;

	uv_stop(&run->loop);
}

void run_stop_now(struct run *run, int exit_status)
{
	if (exit_status)
		run->exit_status = exit_status;
	if (!run->stopping && !run->again)
		notify_send(&run->notify, "STOPPING=1\nSTATUS=stopping");
	run->stopping = 1;
	uv_timer_stop(&run->drain);
	supervisor_stop(run->supervisor, on_dataplane_stopped);
}

static uint64_t longest_drain_ms(const struct image_header *policy)
{
	const struct image_cluster *clusters = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	uint64_t longest = 0;

	for (uint32_t i = 0; i < policy->clusters.count; i++)
		if (clusters[i].timeouts.drain_ms > longest)
			longest = clusters[i].timeouts.drain_ms;
	return longest;
}

/* @open: connections, not counted those at rest. Return 1 when no worker begins another one. */
static int all_refuse(const struct run *run, uint64_t *open)
{
	const struct region *region = &run->region;
	int refuse = 1;

	*open = 0;
	for (uint32_t i = 0; i < region->shape.workers; i++) {
		const struct worker_block *w = &region->workers[i];

		/* Acquire: pairs with the worker's release; what began before is counted below. */
		if (!__atomic_load_n(&w->refuses_new, __ATOMIC_ACQUIRE))
			refuse = 0;
		*open += counter_read(&w->connections_open) - counter_read(&w->connections_resting);
	}
	return refuse;
}

static void on_look(uv_timer_t *timer)
{
	struct run *run = timer->data;
	const uint64_t now_ns = monotonic_ns();
	uint64_t open;
	const int none_left = all_refuse(run, &open) && open == 0;

	if (now_ns < run->drain_end_ns)
		run->drain_open = open;
	if (!run->drained && (none_left || now_ns >= run->drain_end_ns)) {
		run->drained = 1;
		log_info("control", "event=drained open=%lu", run->drain_open);
		(void)wake_dataplane(run->paths.wake);
	}
	if (run->drained &&
	    (none_left || now_ns >= run->drain_end_ns + RESET_MS * (uint64_t)NS_A_MS))
		run_stop_now(run, 0);
}

static void drain(struct run *run)
{
	const uint64_t ms = longest_drain_ms(reloader_policy(run->reloader));
	const uint64_t now_ns = monotonic_ns();

	all_refuse(run, &run->drain_open);
	run->draining = 1;
	run->drain_end_ns = now_ns + ms * NS_A_MS;
	log_info("control", "event=draining for_ms=%lu", ms);
	run_event(run, EVENT_DRAINING, ms);
	notify_send(&run->notify, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%llu",
		    (unsigned long long)(ms + EXTRA_MS) * US_A_MS);
	set_drain(run, run->drain_end_ns + DRAIN_RESET_NS);
	uv_timer_start(&run->drain, on_look, LOOK_MS, LOOK_MS);
}

void run_stop_asked(struct run *run)
{
	struct supervise_status status;

	supervisor_status(run->supervisor, &status);
	if (run->draining || run->stopping || status.state != SUPERVISE_UP)
		run_stop_now(run, 0);
	else
		drain(run);
}
