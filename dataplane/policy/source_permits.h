/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permits by client (bulkhead scope: source). A source's permits are the sum of the words with its
 * tag in the one line its hash names. To enter is to add one to such a word (or to take an empty
 * one) and then to look at the sum again: above the limit the permit goes back and the call is
 * refused. So no admission ever exceeds the limit; two workers that try for a source's last permit
 * at the same instant may both be refused. Sources are told apart by 32 + log2(lines) bits.
 *
 * A word without permits is empty whatever its tag: the tag stays, so that permits can be counted
 * anew by place alone (source_clear(), source_recount()).
 */
#ifndef FENDER_DATAPLANE_POLICY_SOURCE_PERMITS_H
#define FENDER_DATAPLANE_POLICY_SOURCE_PERMITS_H

#include "dataplane/policy/view.h"

enum source_admission { SOURCE_ADMIT, SOURCE_REFUSE, SOURCE_LINE_FULL };

/* Of a cluster and the hash of a client's address: clients of each cluster for themselves. */
uint64_t source_hash(uint64_t cluster_key, uint64_t source);

/*
 * @hash: source_hash(). @limit: 0: no bound, counted all the same. *@place: what
 * source_leave() needs, set when admitted. SOURCE_LINE_FULL: other sources hold every word.
 */
enum source_admission source_enter(const struct policy_state *s, uint64_t hash, uint32_t limit,
				   uint32_t *place);
void source_leave(const struct policy_state *s, uint32_t place);

/* After a dataplane died, no worker running: forget all permits, then count each live one. */
void source_clear(const struct policy_state *s);
void source_recount(const struct policy_state *s, uint32_t place);

#endif
