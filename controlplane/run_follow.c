/* SPDX-License-Identifier: Apache-2.0 */
/* What follows the policy in force: health checks, names, endpoint files; and the events. */
#include <string.h>

#include "controlplane/log.h"
#include "controlplane/run_state.h"

enum { REFRESH_DEBOUNCE_MS = 50, EVENTS_MS = 200 };

static void on_refresh(uv_timer_t *timer)
{
	const struct run *run = timer->data;

	reloader_refresh(run->reloader);
}

/* Many names are resolved at once at the start. */
static void on_resolved(void *ctx)
{
	struct run *run = ctx;

	if (!uv_is_active((uv_handle_t *)&run->refresh))
		uv_timer_start(&run->refresh, on_refresh, REFRESH_DEBOUNCE_MS, 0);
}

static void on_endpoint_file(void *ctx)
{
	const struct run *run = ctx;

	reloader_refresh(run->reloader);
}

static void on_policy_file(void *ctx)
{
	const struct run *run = ctx;

	reloader_file_changed(run->reloader);
}

static void on_events(uv_timer_t *timer)
{
	struct run *run = timer->data;

	log_flush();
	/* What comes faster than that is lost, and counted. */
	for (int n = 0; n < EVENT_RING / EVENT_LOG_BURST; n++)
		if (event_log_run(&run->event_log) < EVENT_LOG_BURST)
			return;
}

static void tell(const char *what, int rc)
{
	if (rc != 0)
		log_error("control", "event=not_followed what=%s error=\"%s\"", what,
			  strerror(-rc));
}

void run_follow_policy(struct run *run)
{
	const struct image_header *policy;

	if (!run->watch)
		return;
	policy = reloader_policy(run->reloader);
	tell("health", health_sync(run->health, policy));
	tell("dns", resolver_sync(run->resolver, policy));
	tell("neighbours", neighbour_mirror_sync(run->neighbours, policy));
	tell("files", watch_sync(run->watch, policy, run->options->policy_path));
}

const struct endpoint_sets *run_resolved_sets(struct run *run)
{
	return run->resolver ? resolver_sets(run->resolver) : NULL;
}

static void start_events(struct run *run)
{
	event_log_start(&run->event_log, &run->region);
	uv_timer_init(&run->loop, &run->events);
	run->events.data = run;
	uv_timer_start(&run->events, on_events, EVENTS_MS, EVENTS_MS);
}

/* In the order of the stop; what was not made is NULL. */
static void stop_all(struct run *run)
{
	if (run->watch)
		watch_stop(run->watch);
	if (run->neighbours)
		neighbour_mirror_stop(run->neighbours);
	if (run->resolver)
		resolver_stop(run->resolver);
	if (run->health)
		health_stop(run->health);
}

int run_start_following(struct run *run)
{
	const struct resolver_config config = {
		.loop = &run->loop,
		.servers = run->options->dns_servers,
		.ctx = run,
		.changed = on_resolved,
	};
	const struct watch_calls files = {
		.ctx = run,
		.endpoints = on_endpoint_file,
		.policy = run->options->no_watch ? NULL : on_policy_file,
	};
	int rc = health_create(&run->health, &run->loop, &run->region);

	if (rc == 0)
		rc = resolver_create(&run->resolver, &config, run->why, sizeof(run->why));
	if (rc == 0)
		rc = neighbour_mirror_create(&run->neighbours, &run->loop, &run->region,
					     run->paths.wake);
	if (rc == 0)
		rc = watch_create(&run->watch, &run->loop, &files);
	if (rc != 0) {
		stop_all(run);
		return rc;
	}
	uv_timer_init(&run->loop, &run->refresh);
	run->refresh.data = run;
	start_events(run);
	run_follow_policy(run);
	return 0;
}

void run_stop_following(struct run *run)
{
	stop_all(run);
	uv_timer_stop(&run->refresh);
	uv_timer_stop(&run->events);
	on_events(&run->events);
}

void run_end_following(struct run *run)
{
	watch_free(run->watch);
	neighbour_mirror_free(run->neighbours);
	resolver_free(run->resolver);
	health_free(run->health);
}
