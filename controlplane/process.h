/* SPDX-License-Identifier: Apache-2.0 */
/* One process, started by us or met running, watched until it ends. */
#ifndef FENDER_CONTROLPLANE_PROCESS_H
#define FENDER_CONTROLPLANE_PROCESS_H

#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum { PROCESS_STATUS_UNKNOWN = -1, PROCESS_NOT_STARTED = 127, PROCESS_REPORT_FD = 3 };

struct process {
	uv_process_t child; /* one that we started */
	uv_poll_t watch;    /* one that we met */
	int pidfd;          /* of that one, else -1 */
	pid_t pid;          /* 0: none */
	int64_t exit_status;
	int exit_signal;          /* 0: none, or unknown */
	void (*ended)(void *ctx); /* exit_status and exit_signal are set, pid is still its number */
	void *ctx;
};

void process_init(struct process *p, void (*ended)(void *ctx), void *ctx);

/**
 * process_spawn() - start argv[0] in a session of its own, its output on our stderr
 *
 * @report: an initialized pipe whose other end is its descriptor PROCESS_REPORT_FD, or NULL
 *
 * A program that cannot be started has ended with PROCESS_NOT_STARTED, told in a later turn
 * of the loop.
 */
void process_spawn(struct process *p, uv_loop_t *loop, char **argv, uv_pipe_t *report);

/* Watch the process behind @pidfd (taken over). Its exit status stays unknown: not our child. */
void process_watch(struct process *p, uv_loop_t *loop, int pidfd, pid_t pid);

/* Nothing when there is none. Never meets another process under the same number. */
void process_signal(struct process *p, int signal);

#endif
