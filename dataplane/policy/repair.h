/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the state that no call can have brought about, because something was written over them:
 * counts above what can exist, phases that there are not, times that have not come. Left alone
 * some would refuse every call until an operator or a restart resets them.
 *
 * XXX: only what is impossible is seen. A count that is wrong by a few is not: counting afresh
 * while workers count is exact for nobody, and a permit too many breaks a limit. What is put in
 * the place of an impossible one may be off by the calls that began and ended meanwhile.
 */
#ifndef FENDER_DATAPLANE_POLICY_REPAIR_H
#define FENDER_DATAPLANE_POLICY_REPAIR_H

#include "dataplane/policy/view.h"

struct repair {
	const struct policy_view *view;
	const struct policy_state *state;
	/*
	 * What the live calls hold, by rebuild_call(); only words that are counted there are read.
	 * NULL: nothing is changed.
	 */
	const struct policy_state *counted;
	uint64_t most; /* calls that can exist at once, over all workers */
	uint64_t now_ns;
};

/* Words that are impossible, or were. O(slots) loads; the main thread, at any time. */
unsigned int repair_words(const struct repair *r);

#endif
