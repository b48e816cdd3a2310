/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_line.h"

#include <stdio.h>
#include <string.h>

enum { NS_A_SECOND = 1000000000 };

static uint64_t add(uint64_t hash, const char *text, size_t bytes)
{
	/* FNV-1a */
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
	return hash;
}

/* Up to the first space: "event=ejected", or the first word of what is no fact. */
static struct log_rate *rate_of(struct log_rates *rates, const char *subject, const char *facts)
{
	const size_t bytes = strcspn(facts, " ");
	uint64_t key = add(0xcbf29ce484222325ull, subject, strlen(subject));
	struct log_rate *rate;

	key = add(key, facts, bytes) | 1;
	rate = &rates->rate[0];
	for (size_t i = 0; i < LOG_RATES; i++) {
		if (rates->rate[i].key == key)
			return &rates->rate[i];
		if (rates->rate[i].second < rate->second)
			rate = &rates->rate[i];
	}
	*rate = (struct log_rate){.key = key};
	snprintf(rate->name, sizeof(rate->name), "%.*s", (int)bytes, facts);
	snprintf(rate->subject, sizeof(rate->subject), "%s", subject);
	return rate;
}

int log_may(struct log_rates *rates, const char *subject, const char *facts, uint64_t now_ns,
	    uint32_t *suppressed)
{
	struct log_rate *rate = rate_of(rates, subject, facts);
	const uint64_t second = now_ns / NS_A_SECOND;

	*suppressed = 0;
	if (rate->second != second) {
		rate->second = second;
		rate->count = 0;
	}
	if (rate->count == LOG_BURST) {
		rate->suppressed++;
		return 0;
	}
	rate->count++;
	*suppressed = rate->suppressed;
	rate->suppressed = 0;
	return 1;
}

const struct log_rate *log_overdue(struct log_rates *rates, uint64_t now_ns, uint32_t *suppressed)
{
	for (struct log_rate *rate = rates->rate; rate < rates->rate + LOG_RATES; rate++) {
		if (!rate->suppressed || rate->second == now_ns / NS_A_SECOND)
			continue;
		*suppressed = rate->suppressed;
		rate->suppressed = 0;
		return rate;
	}
	return NULL;
}
