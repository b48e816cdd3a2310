/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's state, for supervise.c and supervise_upgrade.c. */
#ifndef FENDER_CONTROLPLANE_SUPERVISE_PRIVATE_H
#define FENDER_CONTROLPLANE_SUPERVISE_PRIVATE_H

#include "controlplane/backoff.h"
#include "controlplane/liveness.h"
#include "controlplane/process.h"
#include "controlplane/starved.h"
#include "controlplane/supervise.h"

enum { UPGRADE_LINE_BYTES = 1024 };

enum upgrade_phase {
	UPGRADE_NONE,
	UPGRADE_PREPARING, /* the heir starts beside the dataplane */
	UPGRADE_STOPPING,  /* the heir is ready, the dataplane is to make room */
	UPGRADE_STARTING,  /* the heir is the dataplane, not yet up */
};

struct upgrade {
	enum upgrade_phase phase;
	char binary[PATH_BYTES];
	uv_timer_t timer;
	uv_pipe_t pipe; /* what the heir says */
	int pipe_open;  /* until it is closed */
	char line[UPGRADE_LINE_BYTES];
	size_t used;
	uint64_t begun_ns;
	uint64_t stop_ns; /* the dataplane was told to make room */
	pid_t from;
	supervisor_upgraded *done;
	void *ctx;
};

/* A process and whose it is. */
struct seat {
	struct process process;
	struct supervisor *s;
};

struct supervisor {
	struct supervisor_config config;
	/* The process's arguments: uv_spawn() wants them writable. */
	char binary[PATH_BYTES];
	char region[PATH_BYTES];
	char instance[NAME_BYTES];
	char run_dir[PATH_BYTES];
	char bpf_root[PATH_BYTES];
	char log_format[16];
	char log_level[16];
	enum supervise_state state;
	struct seat seats[2];
	struct process *process; /* the dataplane's seat */
	struct process *heir;   /* the other one: of an upgrade, or of a dying dataplane; or NULL */
	uint64_t since_ns;      /* the process's start */
	uint64_t heir_since_ns; /* the start of a dying one's */
	uv_poll_t notice;       /* that the dataplane is dying */
	int notice_fd;          /* -1: none, and closed */
	uint64_t restarts;
	uint32_t hung_ticks;
	struct cpu_look cpu; /* when it looked hung first */
	uint64_t starved_ns; /* since when it is; 0: it is not */
	int start_timeout;   /* told, and killed */
	uint32_t adopt_tries;
	uint32_t start_tries;
	int was_up; /* some process came up */
	int is_up;  /* this one did */
	int asked;  /* its end is by supervisor_restart() */
	struct backoff backoff;
	uv_timer_t tick;
	uv_timer_t delay; /* back-off, adoption retry, or the time to stop */
	struct upgrade upgrade;
	void (*stopped)(void *ctx);
};

/* The one that the dataplane does not have. */
struct process *supervise_other_seat(struct supervisor *s);

/* Start @binary in @process; with @report as an heir, which reports to that pipe. */
void supervise_spawn(struct supervisor *s, struct process *process, char *binary,
		     uv_pipe_t *report);

/* Is the dataplane up? Then s->state is, and whoever waits for that is told. */
void supervise_look(struct supervisor *s);

/* Be told when the dataplane, which has come up, begins to die; and no longer. */
void succession_watch(struct supervisor *s);
void succession_unwatch(struct supervisor *s);
/* The dataplane has died. Return 1 when its heir has taken its seat. */
int succession_take(struct supervisor *s);

void upgrade_init(struct supervisor *s);
/* The dataplane has ended. Return 1 when its heir has taken its seat. */
int upgrade_dataplane_ended(struct supervisor *s);
/* The heir has ended before it had the seat. */
void upgrade_heir_ended(struct supervisor *s);
/* The dataplane has just come up. */
void upgrade_up(struct supervisor *s);
/* We stop: no heir any more. */
void upgrade_cancel(struct supervisor *s);

#endif
