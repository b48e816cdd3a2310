/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/run_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/api.h"
#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/program_record.h"

static void on_signal(uv_signal_t *handle, int number)
{
	struct run *run = handle->data;

	log_info("control", "event=signal name=SIG%s", sigabbrev_np(number));
	if (number != SIGHUP) {
		run_upgrade_cancel(run);
		run_stop_asked(run);
	} else if (!run->draining && !run->stopping) {
		supervisor_start_again(run->supervisor);
		run_reload_by_signal(run);
	}
}

static void on_ready(void *ctx)
{
	struct run *run = ctx;

	struct supervise_status status;

	supervisor_status(run->supervisor, &status);
	log_info("control", "event=ready instance=%s", run->instance);
	run->dataplane_pid = status.pid;
	run_event(run, EVENT_DATAPLANE_READY, (uint64_t)status.pid);
	run_dataplane_found(run);
	run_upgrade_ready(run);
	run_notify_ready(run);
}

static void on_died(void *ctx)
{
	struct run *run = ctx;

	run_event(run, EVENT_DATAPLANE_DIED, (uint64_t)run->dataplane_pid);
	run->dataplane_pid = 0;
	reloader_dataplane_died(run->reloader);
	run_notify_status(run);
}

static void on_gave_up(void *ctx)
{
	if (!run_upgrade_failed(ctx, "the dataplane could not start with it: its log says why"))
		run_stop_now(ctx, 1);
}

static int on_dataplane_is_dead(void *ctx)
{
	struct run *run = ctx;

	return supervisor_dataplane_is_dead(run->supervisor);
}

static void on_first_refused(void *ctx)
{
	if (!run_upgrade_failed(ctx, "the dataplane refused it: its log says why"))
		run_stop_now(ctx, 1);
}

static const struct endpoint_sets *on_sets(void *ctx)
{
	return run_resolved_sets(ctx);
}

static void on_published(void *ctx)
{
	const struct run *run = ctx;

	run_follow_policy(ctx);
	run_loss_policy(ctx);
	if (run->begun)
		run_notify_status(ctx);
}

int run_start_loop(struct run *run)
{
	static const int numbers[RUN_SIGNALS] = {SIGHUP, SIGTERM, SIGINT};
	int rc = uv_loop_init(&run->loop);

	if (rc != 0)
		return run_fail(run, "libuv", rc);
	signal(SIGPIPE, SIG_IGN);
	run_upgrade_watch(run);
	uv_timer_init(&run->loop, &run->drain);
	run->drain.data = run;
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
	run_free_limits(run);
}

int run_make_supervisor(struct run *run)
{
	struct supervisor_config config = {
		.loop = &run->loop,
		.binary = run->dataplane,
		.named_binary = run->named_dataplane,
		.instance = run->instance,
		.paths = &run->paths,
		.region = &run->region,
		.bpf_root = run_limits_root(run),
		.log_format = run->options->log_format,
		.log_level = run->options->log_level,
		.ctx = run,
		.ready = on_ready,
		.died = on_died,
		.gave_up = on_gave_up,
		.lost = run_dataplane_lost,
		.before_start = run_before_dataplane,
		.may_prepare = run_may_prepare_dataplane,
	};

	/* One that an upgrade brings is to prove itself first: run_upgrade_ready(). */
	if (run->carry->phase == CARRY_NOTHING)
		program_record_write(run->paths.program, run->named_dataplane, run->dataplane);
	return supervisor_create(&run->supervisor, &config);
}

int run_publish_policy(struct run *run)
{
	struct reloader_config config = {
		.loop = &run->loop,
		.region = &run->region,
		.policy_path = run->options->policy_path,
		.history_path = run->paths.history,
		.wake_path = run->paths.wake,
		.ctx = run,
		.dataplane_is_dead = on_dataplane_is_dead,
		.first_refused = on_first_refused,
		.sets = on_sets,
		.stage = run_limits_stage,
		.published = on_published,
	};
	struct reloader_images images = {
		.wanted = run->wanted,
		.active = run->active,
		.file_hash = run->file_hash,
		.refused = &run->refusal,
		.unproven = run->carry->phase == CARRY_PROVES,
	};

	run->wanted = NULL;
	run->active = NULL;
	return reloader_create(&run->reloader, &config, &images, run->why, sizeof(run->why));
}

void run_stop_reloader(struct run *run)
{
	reloader_stop(run->reloader);
}

static int listen_all(struct run *run)
{
	const struct run_options *o = run->options;
	int rc = admin_listen(run->admin, run->paths.socket, o->admin_group, ADMIN_OPERATE,
			      run->why, sizeof(run->why));

	if (rc == 0)
		rc = admin_listen(run->admin, run->paths.socket_ro, o->read_group, ADMIN_READ,
				  run->why, sizeof(run->why));
	if (rc == 0 && o->metrics)
		rc = admin_listen_tcp(run->admin, o->metrics, run->why, sizeof(run->why));
	return rc;
}

int run_start_admin(struct run *run)
{
	const struct admin_config config = {
		.loop = &run->loop,
		.routes = api_routes,
		.route_count = api_route_count,
		.ctx = run,
	};
	int rc = admin_create(&run->admin, &config);

	if (rc != 0)
		return rc;
	rc = listen_all(run);
	if (rc != 0)
		admin_stop(run->admin);
	return rc;
}

void run_stop_admin(struct run *run)
{
	admin_stop(run->admin);
}

int run_start_dataplane(struct run *run)
{
	run_restore_routes(run);
	run_limits_seed(run);
	supervisor_start(run->supervisor);
	return 0;
}
