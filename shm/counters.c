/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/counters.h"

static const char *const names[POLICY_COUNTER_COUNT] = {
#define X(name, text) #name,
	POLICY_COUNTERS(X)
#undef X
};

static const char *const texts[POLICY_COUNTER_COUNT] = {
#define X(name, text) text,
	POLICY_COUNTERS(X)
#undef X
};

const char *policy_counter_name(unsigned int counter)
{
	return counter < POLICY_COUNTER_COUNT ? names[counter] : "unknown";
}

const char *policy_counter_text(unsigned int counter)
{
	return counter < POLICY_COUNTER_COUNT ? texts[counter] : "";
}
