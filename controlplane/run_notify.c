/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd is told of a run. */
#include <string.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "controlplane/run_state.h"
#include "shm/publish.h"

enum { NS_A_US = 1000, US_A_MS = 1000 };

static void on_watchdog(uv_timer_t *timer)
{
	const struct run *run = timer->data;

	notify_send(&run->notify, "WATCHDOG=1");
}

int run_start_notify(struct run *run)
{
	uint64_t every_ms;
	int rc = notify_open(&run->notify);

	if (rc != 0)
		log_warn("control", "event=not_notified error=\"NOTIFY_SOCKET: %s\"",
			 strerror(-rc));
	uv_timer_init(&run->loop, &run->watchdog);
	run->watchdog.data = run;
	every_ms = run->notify.watchdog_us / 2 / US_A_MS;
	if (run->notify.watchdog_us)
		uv_timer_start(&run->watchdog, on_watchdog, 0, every_ms ? every_ms : 1);
	return 0;
}

void run_end_notify(struct run *run)
{
	notify_close(&run->notify);
}

void run_notify_status(struct run *run)
{
	struct supervise_status status;

	supervisor_status(run->supervisor, &status);
	notify_send(&run->notify, "STATUS=dataplane %s, pid %d, %llu restarts, generation %llu",
		    supervise_state_name(status.state), status.pid,
		    (unsigned long long)status.restarts,
		    (unsigned long long)active_generation(
			    __atomic_load_n(&run->region.header->active, __ATOMIC_RELAXED)));
}

void run_notify_ready(struct run *run)
{
	notify_send(&run->notify, "READY=1");
	run_notify_status(run);
}

static void on_reloaded(void *ctx, const struct reload_report *report)
{
	const struct run *run = ctx;

	notify_send(&run->notify, "READY=1\nSTATUS=reload: %s, generation %llu in force",
		    reload_result_name(report->result), (unsigned long long)report->generation);
}

void run_reload_by_signal(struct run *run)
{
	notify_send(&run->notify, "RELOADING=1\nMONOTONIC_USEC=%llu",
		    (unsigned long long)(monotonic_ns() / NS_A_US));
	reloader_request_later(run->reloader, on_reloaded, run);
}
