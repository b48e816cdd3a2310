/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/limit_counters.h"

static const char *const names[WORKER_LIMIT_COUNT] = {
#define X(id, name) [WORKER_LIMIT_##id] = #name,
	WORKER_LIMIT_VERDICTS(X)
#undef X
};

const char *worker_limit_name(unsigned int verdict)
{
	return verdict < WORKER_LIMIT_COUNT ? names[verdict] : "unknown";
}
