/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a dataplane died: every derived word counted anew from the live calls, learned state
 * kept. Permits, attempts and retries in flight, queue lengths, probe slots, ejected endpoints.
 */
#ifndef FENDER_DATAPLANE_POLICY_REBUILD_H
#define FENDER_DATAPLANE_POLICY_REBUILD_H

#include "dataplane/policy/view.h"
#include "shm/call.h"

/* Set every derived word to zero. No worker runs. */
void rebuild_begin(const struct policy_state *s);

/* Count what one live call holds. Slots out of range are passed over. */
void rebuild_call(const struct policy_state *s, const struct call *call);

/**
 * rebuild_source() - find the place of a call that holds a source's permit, before rebuild_call()
 * @cluster: of the call; NULL: it has left the policy
 * @source: as of struct call_request
 * Where there is none for it the call holds no such permit any more.
 */
void rebuild_source(const struct policy_state *s, struct call *call,
		    const struct image_cluster *cluster, uint64_t source);

/*
 * Ejected words from the endpoints' breakers, once the policy is known: of each cluster its
 * endpoints whose breaker is not closed.
 */
void rebuild_ejected(const struct policy_view *v, const struct policy_state *s);

#endif
