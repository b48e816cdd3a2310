/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "controlplane/lock.h"
#include "controlplane/log.h"
#include "controlplane/pidfd.h"
#include "controlplane/supervise_private.h"

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

static void launch(struct supervisor *s);

const char *supervise_state_name(enum supervise_state state)
{
	static const char *const names[] = {
		[SUPERVISE_IDLE] = "idle",       [SUPERVISE_STARTING] = "starting",
		[SUPERVISE_UP] = "up",           [SUPERVISE_WAITING] = "waiting",
		[SUPERVISE_LOST] = "lost",       [SUPERVISE_STOPPING] = "stopping",
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

	if (s->asked)
		log_info("dataplane", "event=ended pid=%d lived_ms=%lu", s->process->pid, ms);
	else if (s->process->exit_status == EX_IOERR)
		log_error(
			"dataplane",
			"event=died pid=%d status=%d why=\"its region was truncated\" lived_ms=%lu",
			s->process->pid, EX_IOERR, ms);
	else if (s->process->exit_signal)
		log_error("dataplane", "event=died pid=%d signal=%d lived_ms=%lu", s->process->pid,
			  s->process->exit_signal, ms);
	else if (s->process->exit_status >= 0)
		log_error("dataplane", "event=died pid=%d status=%ld lived_ms=%lu", s->process->pid,
			  (long)s->process->exit_status, ms);
	else
		log_error("dataplane", "event=died pid=%d lived_ms=%lu", s->process->pid, ms);
}

static void finish_stop(struct supervisor *s)
{
	succession_unwatch(s);
	uv_timer_stop(&s->delay);
	uv_timer_stop(&s->tick);
	s->state = SUPERVISE_STOPPED;
	if (s->stopped)
		s->stopped(s->config.ctx);
}

/* When no process is left, nor an heir that may hold the lock. Return 1 when it is so. */
static int stop_when_alone(struct supervisor *s)
{
	if (s->process->pid != 0 || s->heir)
		return 0;
	finish_stop(s);
	return 1;
}

/*
 * Before it was ever up, a dataplane that says why it cannot start would say so again: give up.
 * EX_TEMPFAIL is for what may pass, as a queue that the kernel has not yet taken from a dead one.
 */
static int is_final(struct supervisor *s)
{
	if (s->was_up || s->process->exit_signal || s->process->exit_status <= 0)
		return 0;
	return s->process->exit_status != EX_TEMPFAIL || s->start_tries++ == START_TRIES;
}

/* Start the next one when it is time for it. */
static void come_back(struct supervisor *s)
{
	/* One that never came up has not lived, however long it took to find out. */
	uint32_t delay_ms = s->asked ? 0 : backoff_died(&s->backoff, s->is_up ? life_ms(s) : 0);

	s->asked = 0;
	if (delay_ms > 0)
		upgrade_cancel(s);
	if (delay_ms == BACKOFF_MAX_MS && s->config.lost(s->config.ctx)) {
		s->state = SUPERVISE_LOST;
		log_error("dataplane", "event=given_up restarts=%lu", s->restarts);
		return;
	}
	s->restarts++;
	log_info("dataplane", "event=restart delay_ms=%u restarts=%lu", delay_ms, s->restarts);
	if (delay_ms > 0 || !succession_take(s))
		uv_timer_start(&s->delay, on_delay_over, delay_ms, 0);
}

static void on_dataplane_ended(struct supervisor *s)
{
	if (s->state == SUPERVISE_STOPPED)
		return;
	if (s->state == SUPERVISE_STOPPING) {
		log_info("dataplane", "event=stopped pid=%d", s->process->pid);
		s->process->pid = 0;
		stop_when_alone(s);
		return;
	}
	if (upgrade_dataplane_ended(s)) {
		log_info("dataplane", "event=handed_over pid=%d", s->process->pid);
		return;
	}
	succession_unwatch(s);
	log_death(s);
	s->process->pid = 0;
	s->hung_ticks = 0;
	s->start_timeout = 0;
	s->starved_ns = 0;
	s->state = SUPERVISE_WAITING;
	if (is_final(s)) {
		log_error("dataplane", "event=start_failed status=%ld",
			  (long)s->process->exit_status);
		s->config.gave_up(s->config.ctx);
		return;
	}
	come_back(s);
	s->config.died(s->config.ctx);
}

static void on_ended(void *ctx)
{
	const struct seat *seat = ctx;
	struct supervisor *s = seat->s;

	if (&seat->process == s->process)
		on_dataplane_ended(s);
	else
		upgrade_heir_ended(s);
	if (s->state == SUPERVISE_STOPPING)
		stop_when_alone(s);
}

struct process *supervise_other_seat(struct supervisor *s)
{
	return s->process == &s->seats[0].process ? &s->seats[1].process : &s->seats[0].process;
}

void supervise_spawn(struct supervisor *s, struct process *process, char *binary, uv_pipe_t *report)
{
	char heir_of[8] = "";
	struct {
		char name[16];
		char *value; /* empty: not given */
	} options[] = {
		{"--region", s->region},         {"--instance", s->instance},
		{"--run-dir", s->run_dir},       {"--bpf-root", s->bpf_root},
		{"--log-format", s->log_format}, {"--log-level", s->log_level},
		{"--takeover", heir_of},
	};
	char *argv[2 * sizeof(options) / sizeof(options[0]) + 2] = {binary};
	size_t n = 1;

	if (report)
		snprintf(heir_of, sizeof(heir_of), "%d", PROCESS_REPORT_FD);
	else if (process == s->heir)
		snprintf(heir_of, sizeof(heir_of), "dead");
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!options[i].value[0])
			continue;
		argv[n++] = options[i].name;
		argv[n++] = options[i].value;
	}
	process_spawn(process, s->config.loop, argv, report);
	if (process->pid)
		log_info("dataplane", "event=started pid=%d takeover=%d", process->pid,
			 process == s->heir);
}

static void spawn(struct supervisor *s)
{
	if (s->config.before_start(s->config.ctx) != 0)
		return;
	s->since_ns = monotonic_ns();
	s->state = SUPERVISE_STARTING;
	s->is_up = 0;
	supervise_spawn(s, s->process, s->binary, NULL);
}

static void adopt_process(struct supervisor *s, int pidfd, pid_t pid)
{
	s->since_ns = s->config.region->header->dataplane_started_ns;
	s->state = SUPERVISE_STARTING;
	s->is_up = 0;
	process_watch(s->process, s->config.loop, pidfd, pid);
	log_info("dataplane", "event=adopted pid=%d", pid);
}

/* Start a process, or take over the one that holds the lock. */
static void launch(struct supervisor *s)
{
	pid_t pid;
	int pidfd = pidfd_of_dataplane(s->config.paths, &pid);

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
		s->is_up = 1;
		log_info("dataplane", "event=ready pid=%d workers=%u generation=%lu after_ms=%lu",
			 s->process->pid, live->workers, live->applied_generation, life_ms(s));
		succession_watch(s);
		s->config.ready(s->config.ctx);
		upgrade_up(s);
	} else if (life_ms(s) > START_MS && !s->start_timeout) {
		s->start_timeout = 1;
		log_error("dataplane", "event=start_timeout pid=%d workers_up=%u of=%u",
			  s->process->pid, live->up, live->workers);
		process_signal(s->process, SIGKILL);
	}
}

/* It may move again as soon as the machine lets it: looked at anew. */
static int is_starved(struct supervisor *s)
{
	struct cpu_look now;

	cpu_look(&now, s->process->pid, monotonic_ns());
	if (!cpu_starved(&s->cpu, &now))
		return 0;
	if (s->starved_ns == 0) {
		s->starved_ns = s->cpu.at_ns;
		log_warn("dataplane",
			 "event=starved pid=%d why=\"its threads wait for a CPU\" action=wait",
			 s->process->pid);
	}
	s->hung_ticks = 0;
	return 1;
}

static void tick_up(struct supervisor *s, const struct liveness *live)
{
	if (live->hung == NO_WORKER && !live->main_hung) {
		s->hung_ticks = 0;
		if (s->starved_ns)
			log_info("dataplane", "event=starved_over pid=%d ms=%lu", s->process->pid,
				 (monotonic_ns() - s->starved_ns) / 1000000);
		s->starved_ns = 0;
		return;
	}
	if (++s->hung_ticks == 1)
		cpu_look(&s->cpu, s->process->pid, monotonic_ns());
	if (s->hung_ticks != HUNG_TICKS || is_starved(s))
		return;
	if (live->hung == NO_WORKER)
		log_error("dataplane", "event=hung pid=%d thread=main action=kill",
			  s->process->pid);
	else
		log_error("dataplane", "event=hung pid=%d worker=%d action=kill", s->process->pid,
			  live->hung);
	process_signal(s->process, SIGKILL);
}

void supervise_look(struct supervisor *s)
{
	struct liveness live;

	if (s->process->pid == 0)
		return;
	liveness_read(&live, s->config.region, s->since_ns, monotonic_ns());
	if (s->state == SUPERVISE_STARTING)
		tick_starting(s, &live);
	else if (s->state == SUPERVISE_UP)
		tick_up(s, &live);
}

void supervisor_look(struct supervisor *s)
{
	supervise_look(s);
}

static void on_tick(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	struct region_header *header = s->config.region->header;

	__atomic_store_n(&header->controlplane_heartbeat_ns, monotonic_ns(), __ATOMIC_RELAXED);
	supervise_look(s);
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
	if (config->bpf_root)
		snprintf(s->bpf_root, sizeof(s->bpf_root), "%s", config->bpf_root);
	if (config->log_format)
		snprintf(s->log_format, sizeof(s->log_format), "%s", config->log_format);
	if (config->log_level)
		snprintf(s->log_level, sizeof(s->log_level), "%s", config->log_level);
	for (size_t i = 0; i < sizeof(s->seats) / sizeof(s->seats[0]); i++) {
		s->seats[i].s = s;
		process_init(&s->seats[i].process, on_ended, &s->seats[i]);
	}
	s->process = &s->seats[0].process;
	s->notice_fd = -1;
	upgrade_init(s);
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

void supervisor_start_again(struct supervisor *s)
{
	if (s->state != SUPERVISE_LOST && s->state != SUPERVISE_WAITING)
		return;
	if (s->state == SUPERVISE_LOST) {
		s->restarts++;
		s->backoff = (struct backoff){0};
	}
	s->state = SUPERVISE_WAITING;
	uv_timer_start(&s->delay, on_delay_over, 0, 0);
}

void supervisor_restart(struct supervisor *s)
{
	if (s->state != SUPERVISE_UP && s->state != SUPERVISE_STARTING)
		return;
	s->asked = 1;
	process_signal(s->process, SIGTERM);
}

static void on_stop_timeout(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	log_warn("dataplane", "event=stop_timeout pid=%d action=kill", s->process->pid);
	process_signal(s->process, SIGKILL);
}

void supervisor_stop(struct supervisor *s, void (*stopped)(void *ctx))
{
	if (s->state == SUPERVISE_STOPPED)
		return;
	if (s->state == SUPERVISE_STOPPING) {
		process_signal(s->process, SIGKILL);
		return;
	}
	s->stopped = stopped;
	s->state = SUPERVISE_STOPPING;
	upgrade_cancel(s);
	uv_timer_stop(&s->delay);
	if (stop_when_alone(s))
		return;
	process_signal(s->process, SIGTERM);
	uv_timer_start(&s->delay, on_stop_timeout, STOP_MS, 0);
}

void supervisor_status(const struct supervisor *s, struct supervise_status *out)
{
	*out = (struct supervise_status){
		.state = s->state,
		.pid = s->process->pid,
		.restarts = s->restarts,
		.uptime_ms = s->process->pid ? life_ms(s) : 0,
	};
}

int supervisor_dataplane_is_dead(const struct supervisor *s)
{
	/* While ours lives the lock is not looked at: it may be about to take it. */
	return s->process->pid == 0 && lock_held(s->config.paths->dataplane_lock) == 0;
}

void supervisor_free(struct supervisor *s)
{
	if (s && s->notice_fd >= 0)
		close(s->notice_fd);
	free(s);
}

int supervise_end_stray(const struct paths *paths)
{
	static const int signals[] = {SIGTERM, SIGKILL};
	pid_t pid;
	int pidfd = pidfd_of_dataplane(paths, &pid);
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
