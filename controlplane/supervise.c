/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "controlplane/backoff.h"
#include "controlplane/liveness.h"
#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/pidfd.h"
#include "controlplane/process.h"

enum {
	TICK_MS = 100,
	/* A worker must look hung this often in a row: we may have been stopped with it. */
	HUNG_TICKS = 5,
	START_MS = 30000,
	STOP_MS = 5000,
	ADOPT_RETRY_MS = 200,
	ADOPT_TRIES = 25,
	START_TRIES = 8, /* of starts that fail for now: about 3 s with the back-off */
};

struct supervisor {
	struct supervisor_config config;
	/* The process's arguments: uv_spawn() wants them writable. */
	char binary[PATH_BYTES];
	char region[PATH_BYTES];
	char instance[NAME_BYTES];
	char run_dir[PATH_BYTES];
	enum supervise_state state;
	struct process process;
	uint64_t since_ns; /* the process's start */
	uint64_t restarts;
	uint32_t hung_ticks;
	uint32_t adopt_tries;
	uint32_t start_tries;
	int was_up; /* some process came up */
	struct backoff backoff;
	uv_timer_t tick;
	uv_timer_t delay; /* back-off, adoption retry, or the time to stop */
	void (*stopped)(void *ctx);
};

static void launch(struct supervisor *s);

const char *supervise_state_name(enum supervise_state state)
{
	static const char *const names[] = {
		[SUPERVISE_IDLE] = "idle",
		[SUPERVISE_STARTING] = "starting",
		[SUPERVISE_UP] = "up",
		[SUPERVISE_WAITING] = "waiting",
		[SUPERVISE_STOPPING] = "stopping",
		[SUPERVISE_STOPPED] = "stopped",
	};

	return names[state];
}

static uint64_t life_ms(const struct supervisor *s)
{
	return (monotonic_ns() - s->since_ns) / 1000000;
}

static void on_delay_over(uv_timer_t *timer)
{
	launch(timer->data);
}

static void log_death(const struct supervisor *s)
{
	uint64_t ms = life_ms(s);

	if (s->process.exit_signal)
		log_error("dataplane", "event=died pid=%d signal=%d lived_ms=%lu", s->process.pid,
			  s->process.exit_signal, ms);
	else if (s->process.exit_status >= 0)
		log_error("dataplane", "event=died pid=%d status=%ld lived_ms=%lu", s->process.pid,
			  (long)s->process.exit_status, ms);
	else
		log_error("dataplane", "event=died pid=%d lived_ms=%lu", s->process.pid, ms);
}

static void finish_stop(struct supervisor *s)
{
	uv_timer_stop(&s->delay);
	uv_timer_stop(&s->tick);
	s->state = SUPERVISE_STOPPED;
	if (s->stopped)
		s->stopped(s->config.ctx);
}

/*
 * Before it was ever up, a dataplane that says why it cannot start would say so again: give up.
 * EX_TEMPFAIL is for what may pass, as a queue that the kernel has not yet taken from a dead one.
 */
static int is_final(struct supervisor *s)
{
	if (s->was_up || s->process.exit_signal || s->process.exit_status <= 0)
		return 0;
	return s->process.exit_status != EX_TEMPFAIL || s->start_tries++ == START_TRIES;
}

static void on_ended(void *ctx)
{
	struct supervisor *s = ctx;
	uint64_t lived_ms = life_ms(s);
	uint32_t delay_ms;

	if (s->state == SUPERVISE_STOPPED)
		return;
	if (s->state == SUPERVISE_STOPPING) {
		log_info("dataplane", "event=stopped pid=%d", s->process.pid);
		s->process.pid = 0;
		finish_stop(s);
		return;
	}
	log_death(s);
	s->process.pid = 0;
	s->hung_ticks = 0;
	s->state = SUPERVISE_WAITING;
	if (is_final(s)) {
		log_error("dataplane", "event=start_failed status=%ld",
			  (long)s->process.exit_status);
		s->config.gave_up(s->config.ctx);
		return;
	}
	s->restarts++;
	delay_ms = backoff_died(&s->backoff, lived_ms);
	log_info("dataplane", "event=restart delay_ms=%u restarts=%lu", delay_ms, s->restarts);
	uv_timer_start(&s->delay, on_delay_over, delay_ms, 0);
	s->config.died(s->config.ctx);
}

static void spawn(struct supervisor *s)
{
	char region_option[] = "--region";
	char instance_option[] = "--instance";
	char run_dir_option[] = "--run-dir";
	char *argv[] = {s->binary,   region_option,  s->region,  instance_option,
			s->instance, run_dir_option, s->run_dir, NULL};

	s->since_ns = monotonic_ns();
	s->state = SUPERVISE_STARTING;
	process_spawn(&s->process, s->config.loop, argv);
	if (s->process.pid)
		log_info("dataplane", "event=started pid=%d", s->process.pid);
}

static void adopt_process(struct supervisor *s, int pidfd, pid_t pid)
{
	s->since_ns = s->config.region->header->dataplane_started_ns;
	s->state = SUPERVISE_STARTING;
	process_watch(&s->process, s->config.loop, pidfd, pid);
	log_info("dataplane", "event=adopted pid=%d", pid);
}

/* Start a process, or take over the one that holds the lock. */
static void launch(struct supervisor *s)
{
	pid_t pid;
	int pidfd = pidfd_of_dataplane(s->config.paths, s->config.region, &pid);

	if (pidfd >= 0) {
		s->adopt_tries = 0;
		adopt_process(s, pidfd, pid);
	} else if (pidfd == -EAGAIN && s->adopt_tries++ < ADOPT_TRIES) {
		uv_timer_start(&s->delay, on_delay_over, ADOPT_RETRY_MS, 0);
	} else {
		s->adopt_tries = 0;
		spawn(s);
	}
}

static void tick_starting(struct supervisor *s, const struct liveness *live)
{
	if (live->up == live->workers && live->applied_generation > 0) {
		s->state = SUPERVISE_UP;
		s->was_up = 1;
		log_info("dataplane", "event=ready pid=%d workers=%u generation=%lu after_ms=%lu",
			 s->process.pid, live->workers, live->applied_generation, life_ms(s));
		s->config.ready(s->config.ctx);
	} else if (life_ms(s) > START_MS) {
		log_error("dataplane", "event=start_timeout pid=%d workers_up=%u of=%u",
			  s->process.pid, live->up, live->workers);
		process_signal(&s->process, SIGKILL);
	}
}

static void tick_up(struct supervisor *s, const struct liveness *live)
{
	if (live->hung == NO_WORKER) {
		s->hung_ticks = 0;
		return;
	}
	if (++s->hung_ticks != HUNG_TICKS)
		return;
	log_error("dataplane", "event=hung pid=%d worker=%d action=kill", s->process.pid,
		  live->hung);
	process_signal(&s->process, SIGKILL);
}

static void on_tick(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	struct region_header *header = s->config.region->header;
	uint64_t now_ns = monotonic_ns();
	struct liveness live;

	__atomic_store_n(&header->controlplane_heartbeat_ns, now_ns, __ATOMIC_RELAXED);
	if (s->process.pid == 0)
		return;
	liveness_read(&live, s->config.region, s->since_ns, now_ns);
	if (s->state == SUPERVISE_STARTING)
		tick_starting(s, &live);
	else if (s->state == SUPERVISE_UP)
		tick_up(s, &live);
}

int supervisor_create(struct supervisor **out, const struct supervisor_config *config)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->config = *config;
	snprintf(s->binary, sizeof(s->binary), "%s", config->binary);
	snprintf(s->region, sizeof(s->region), "%s", config->paths->region);
	snprintf(s->instance, sizeof(s->instance), "%s", config->instance);
	snprintf(s->run_dir, sizeof(s->run_dir), "%s", config->paths->run_dir);
	process_init(&s->process, on_ended, s);
	uv_timer_init(config->loop, &s->tick);
	uv_timer_init(config->loop, &s->delay);
	s->tick.data = s;
	s->delay.data = s;
	*out = s;
	return 0;
}

void supervisor_start(struct supervisor *s)
{
	uv_timer_start(&s->tick, on_tick, 0, TICK_MS);
	launch(s);
}

static void on_stop_timeout(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	log_warn("dataplane", "event=stop_timeout pid=%d action=kill", s->process.pid);
	process_signal(&s->process, SIGKILL);
}

void supervisor_stop(struct supervisor *s, void (*stopped)(void *ctx))
{
	if (s->state == SUPERVISE_STOPPED)
		return;
	if (s->state == SUPERVISE_STOPPING) {
		process_signal(&s->process, SIGKILL);
		return;
	}
	s->stopped = stopped;
	s->state = SUPERVISE_STOPPING;
	uv_timer_stop(&s->delay);
	if (s->process.pid == 0) {
		finish_stop(s);
		return;
	}
	process_signal(&s->process, SIGTERM);
	uv_timer_start(&s->delay, on_stop_timeout, STOP_MS, 0);
}

void supervisor_status(const struct supervisor *s, struct supervise_status *out)
{
	*out = (struct supervise_status){
		.state = s->state,
		.pid = s->process.pid,
		.restarts = s->restarts,
		.uptime_ms = s->process.pid ? life_ms(s) : 0,
	};
}

int supervisor_dataplane_is_dead(const struct supervisor *s)
{
	/* While ours lives the lock is not looked at: it may be about to take it. */
	return s->process.pid == 0 && lock_held(s->config.paths->dataplane_lock) == 0;
}

void supervisor_free(struct supervisor *s)
{
	free(s);
}

int supervise_end_stray(const struct paths *paths, const struct region *region)
{
	static const int signals[] = {SIGTERM, SIGKILL};
	pid_t pid;
	int pidfd = pidfd_of_dataplane(paths, region, &pid);
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	if (pidfd == -ESRCH)
		return 0;
	if (pidfd < 0)
		return -EBUSY;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pidfd_signal(pidfd, signals[i]);
		if (poll(&end, 1, STOP_MS) == 1)
			break;
	}
	close(pidfd);
	if (lock_held(paths->dataplane_lock) != 0)
		return -EBUSY;
	log_info("dataplane", "event=stray_stopped pid=%d", pid);
	return 0;
}
