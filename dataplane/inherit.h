/* SPDX-License-Identifier: Apache-2.0 */
/* The connections that a dataplane before this one left in the region go on. */
#ifndef FENDER_DATAPLANE_INHERIT_H
#define FENDER_DATAPLANE_INHERIT_H

#include "dataplane/adopted.h"
#include "dataplane/conn/adopt.h"
#include "dataplane/worker.h"

/**
 * inherit_connections() - fill the tables of all workers and make the counters true
 * @policy: in force; what connections name and it does not drains from now on
 * @out: sums over the workers
 *
 * After worker_create() of all and upkeep_start(), before the workers run and the policy is handed
 * out. Derived words of the policies are counted from the connections, and what did not survive
 * is booked (conn/residue.h). Sets shared->lent. Main thread. Return 0 or -ENOMEM.
 */
int inherit_connections(struct worker_shared *shared, struct adopted *policy,
			struct conn_adopted *out);

#endif
