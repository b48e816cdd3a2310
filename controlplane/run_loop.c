/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/run_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/operate.h"
#include "controlplane/stats_json.h"

static void on_dataplane_stopped(void *ctx)
{
	struct run *run = ctx;

	uv_stop(&run->loop);
}

static void stop(struct run *run, int exit_status)
{
	if (exit_status)
		run->exit_status = exit_status;
	supervisor_stop(run->supervisor, on_dataplane_stopped);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct run *run = handle->data;

	log_info("control", "event=signal name=SIG%s", sigabbrev_np(number));
	if (number == SIGHUP)
		reloader_request_later(run->reloader);
	else
		stop(run, 0);
}

static void on_ready(void *ctx)
{
	struct run *run = ctx;

	log_info("control", "event=ready instance=%s", run->instance);
}

static void on_died(void *ctx)
{
	struct run *run = ctx;

	reloader_dataplane_died(run->reloader);
}

static void on_gave_up(void *ctx)
{
	stop(ctx, 1);
}

static int on_dataplane_is_dead(void *ctx)
{
	struct run *run = ctx;

	return supervisor_dataplane_is_dead(run->supervisor);
}

static void on_first_refused(void *ctx)
{
	stop(ctx, 1);
}

static const struct table_report *table_report_of(void *ctx, uint32_t cluster)
{
	return reloader_table_report(ctx, cluster);
}

static json_t *on_stats(void *ctx)
{
	struct run *run = ctx;
	struct supervise_status status;
	struct stats_process process;
	struct stats stats;
	json_t *json;

	supervisor_status(run->supervisor, &status);
	process = (struct stats_process){
		.state = supervise_state_name(status.state),
		.pid = status.pid,
		.restarts = status.restarts,
		.uptime_ms = status.uptime_ms,
		.ready = status.state == SUPERVISE_UP,
	};
	if (stats_collect(&stats, &run->region, reloader_policy(run->reloader), monotonic_ns()))
		return NULL;
	stats.table_report = table_report_of;
	stats.table_ctx = run->reloader;
	stats.build_us = reloader_build_us(run->reloader);
	json = stats_json(&stats, &process);
	stats_free(&stats);
	return json;
}

static int is_ready(void *ctx, char *why, size_t why_size)
{
	struct run *run = ctx;
	struct supervise_status status;

	supervisor_status(run->supervisor, &status);
	snprintf(why, why_size, "the dataplane is %s", supervise_state_name(status.state));
	return status.state == SUPERVISE_UP;
}

static void on_reload(void *ctx, reload_done *done, void *done_ctx)
{
	struct run *run = ctx;

	reloader_request(run->reloader, done, done_ctx);
}

/* 1: answered; 0: no such path. */
static int on_operate(void *ctx, const char *path, unsigned int *status, json_t **body)
{
	const struct run *run = ctx;
	struct operate_target target;
	enum operation operation;
	char names[ADMIN_PATH_BYTES], why[160];
	int rc;

	snprintf(names, sizeof(names), "%s", path);
	if (operate_parse(names, &target, &operation) != 0)
		return 0;
	rc = operate(&run->region, reloader_policy(run->reloader), &target, operation, why,
		     sizeof(why));
	if (rc == 0)
		log_info("control", "event=operation path=%s", path);
	*status = rc == 0 ? 200 : rc == -ENOENT ? 404 : 400;
	*body = rc == 0 ? json_pack("{s:s}", "result", "ok") : json_pack("{s:s}", "error", why);
	return 1;
}

static const struct endpoint_sets *on_sets(void *ctx)
{
	return run_resolved_sets(ctx);
}

static void on_published(void *ctx)
{
	run_follow_policy(ctx);
}

int run_start_loop(struct run *run)
{
	static const int numbers[RUN_SIGNALS] = {SIGHUP, SIGTERM, SIGINT};
	int rc = uv_loop_init(&run->loop);

	if (rc != 0)
		return run_fail(run, "libuv", rc);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < RUN_SIGNALS; i++) {
		uv_signal_init(&run->loop, &run->signals[i]);
		run->signals[i].data = run;
		uv_signal_start(&run->signals[i], on_signal, numbers[i]);
	}
	return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void run_end_loop(struct run *run)
{
	uv_walk(&run->loop, close_handle, NULL);
	uv_run(&run->loop, UV_RUN_DEFAULT);
	uv_loop_close(&run->loop);
	admin_free(run->admin);
	run_end_following(run);
	reloader_free(run->reloader);
	supervisor_free(run->supervisor);
}

int run_make_supervisor(struct run *run)
{
	struct supervisor_config config = {
		.loop = &run->loop,
		.binary = run->dataplane,
		.instance = run->instance,
		.paths = &run->paths,
		.region = &run->region,
		.ctx = run,
		.ready = on_ready,
		.died = on_died,
		.gave_up = on_gave_up,
	};

	return supervisor_create(&run->supervisor, &config);
}

int run_publish_policy(struct run *run)
{
	struct reloader_config config = {
		.loop = &run->loop,
		.region = &run->region,
		.policy_path = run->options->policy_path,
		.wake_path = run->paths.wake,
		.ctx = run,
		.dataplane_is_dead = on_dataplane_is_dead,
		.first_refused = on_first_refused,
		.sets = on_sets,
		.published = on_published,
	};
	struct reloader_images images = {run->wanted, run->active};

	run->wanted = NULL;
	run->active = NULL;
	return reloader_create(&run->reloader, &config, &images, run->why, sizeof(run->why));
}

void run_stop_reloader(struct run *run)
{
	reloader_stop(run->reloader);
}

int run_start_admin(struct run *run)
{
	struct admin_calls calls = {run, on_stats, is_ready, on_reload, on_operate};

	return admin_create(&run->admin, &run->loop, run->paths.socket, &calls, run->why,
			    sizeof(run->why));
}

void run_stop_admin(struct run *run)
{
	admin_stop(run->admin);
}

int run_start_dataplane(struct run *run)
{
	supervisor_start(run->supervisor);
	return 0;
}
