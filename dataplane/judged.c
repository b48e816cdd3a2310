/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/judged.h"

#include <errno.h>
#include <stdlib.h>

int judged_create(struct judged *j, uint32_t slots)
{
	*j = (struct judged){.cluster = calloc(slots, sizeof(*j->cluster)), .slots = slots};
	return j->cluster ? 0 : -ENOMEM;
}

void judged_destroy(struct judged *j)
{
	free(j->cluster);
	j->cluster = NULL;
}

void judged_add(struct judged *j, uint32_t slot, struct outlier_judged now)
{
	if (now.ejected == 0 && now.refused == 0)
		return;
	__atomic_fetch_add(&j->cluster[slot].ejected, now.ejected, __ATOMIC_RELAXED);
	__atomic_fetch_add(&j->cluster[slot].refused, now.refused, __ATOMIC_RELAXED);
	/* Release: pairs with the acquire in judged_count(). */
	__atomic_store_n(&j->any, 1, __ATOMIC_RELEASE);
}

void judged_count(struct judged *j, struct policy_counters *counters)
{
	if (__builtin_expect(!__atomic_load_n(&j->any, __ATOMIC_RELAXED), 1))
		return;
	/* Acquire: what was added before `any` was set is seen; later, it is set again. */
	__atomic_exchange_n(&j->any, 0, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < j->slots; i++) {
		struct outlier_judged *now = &j->cluster[i];

		counter_add(&counters[i].ejections,
			    __atomic_exchange_n(&now->ejected, 0, __ATOMIC_RELAXED));
		counter_add(&counters[i].ejections_overflow,
			    __atomic_exchange_n(&now->refused, 0, __ATOMIC_RELAXED));
	}
}
