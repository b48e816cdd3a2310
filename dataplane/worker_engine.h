/* SPDX-License-Identifier: Apache-2.0 */
/* The policy engine of a worker: its memory, and what it shares with the others'. */
#ifndef FENDER_DATAPLANE_WORKER_ENGINE_H
#define FENDER_DATAPLANE_WORKER_ENGINE_H

struct worker;

/* After the connection table. 0 or -ENOMEM. */
int worker_engine_create(struct worker *w);
void worker_engine_free(struct worker *w);

/* The worker has taken another policy. */
void worker_engine_policy(struct worker *w);

#endif
