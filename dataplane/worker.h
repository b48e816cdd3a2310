/* SPDX-License-Identifier: Apache-2.0 */
/* One worker: its queues, its connections, its loop. */
#ifndef FENDER_DATAPLANE_WORKER_H
#define FENDER_DATAPLANE_WORKER_H

#include <stdint.h>

#include "dataplane/adopted.h"
#include "dataplane/judged.h"
#include "dataplane/policy/queue.h"
#include "dataplane/port.h"
#include "shm/region.h"

struct worker;
struct lent_ports;
struct neighbour_table;

enum draining {
	DRAINING_NOT,
	DRAINING_REFUSE, /* new connections are */
	DRAINING_RESET,  /* and all others reset */
};

/* What all workers of the process share; read-only for them but for the last three. */
struct worker_shared {
	const struct region *region;
	struct ports *ports;
	struct neighbour_table *neighbours;
	uint32_t workers;
	struct worker *worker[MAX_WORKERS];
	struct queues listener_queues; /* calls that wait for permits */
	struct queues cluster_queues;
	struct judged judged;
	struct lent_ports *lent; /* NULL: every port is its bucket's, see conn/lent.h */
	const struct adopted
		*adopted;  /* main thread: release store; workers: acquire once a loop */
	uint32_t stop;     /* main thread sets, workers leave their loop */
	uint32_t draining; /* enum draining: main thread sets, workers do */
};

/* What workers need of each other, sized by the region. Before the first of them. 0 or -ENOMEM. */
int worker_shared_create(struct worker_shared *shared);
void worker_shared_destroy(struct worker_shared *shared);

/*
 * Take all memory of worker @number, sized by the region and by shared->adopted, which must be
 * set; before the ports carry traffic. Its connections are those that the region holds:
 * inherit_connections() is due before it runs. Return 0 or -errno.
 */
int worker_create(struct worker_shared *shared, uint32_t number, char *why, size_t why_size);
void worker_destroy(struct worker *worker);

/* The loop; returns when shared->stop is set. @arg: struct worker. Runs on its own lcore. */
int worker_run(void *arg);

/* Generation of the policy that it decides by: it uses none before that. Any thread. */
uint64_t worker_applied(const struct worker *worker);

/* Wake a sleeping worker (policy handed out, stop). Any thread. */
void worker_wake(struct worker *worker);

#endif
