/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/reasons.h"

static const char *const names[REASON_COUNT] = {
#define X(id, name, text) [REASON_##id] = #name,
	REASONS(X)
#undef X
};

static const char *const texts[REASON_COUNT] = {
#define X(id, name, text) [REASON_##id] = text,
	REASONS(X)
#undef X
};

const char *reason_name(unsigned int reason)
{
	return reason < REASON_COUNT ? names[reason] : "unknown";
}

const char *reason_text(unsigned int reason)
{
	return reason < REASON_COUNT ? texts[reason] : "";
}
