/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread while the workers run: it adopts policies, reports the ports' state and
 * waits for the wake FIFO, a signal, or the next report.
 */
#ifndef FENDER_DATAPLANE_CONTROL_H
#define FENDER_DATAPLANE_CONTROL_H

#include <stddef.h>

#include "dataplane/kernel_neighbours.h"
#include "dataplane/repair.h"
#include "dataplane/upkeep.h"
#include "dataplane/worker.h"
#include "shm/region.h"

struct control {
	struct region *region;
	struct worker_shared *shared;
	struct ports *ports;
	int wake_fd;   /* FIFO */
	int signal_fd; /* SIGTERM, SIGINT */
	uint64_t seen; /* generation adopted or refused last */
	struct kernel_neighbours_view neighbours;
	struct repairs repairs;
	uint64_t started_ns;
	struct upkeep upkeep; /* started by whoever starts the workers */
	struct adopted *current;
	struct adopted *old; /* until every worker applied current */
};

/**
 * control_first_policy() - adopt the policy to start with, into c->current
 *
 * Waits up to 10 s for one to be published. A policy that does not fit the region or is refused
 * is reported in the region and waited past.
 * Return: 0; -ETIME; -EINTR stopped by a signal. @why: one sentence.
 */
int control_first_policy(struct control *c, char *why, size_t why_size);

/* Run until a stop signal. Workers are running. Return 0. */
int control_run(struct control *c);

/* Say that we live; also between the steps of a slow start. */
void control_heartbeat(struct control *c);

#endif
