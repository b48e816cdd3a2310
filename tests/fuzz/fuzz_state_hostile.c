/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy engine on state words that are written over while it works. Input: records of 8 bytes
 * (operation, call, where, value). Nothing may hang or end the process; and when all calls are
 * over and impossible words are repaired (policy/repair.h), nothing impossible is left.
 */
#include <stdint.h>

#include "dataplane/policy/repair.h"
#include "tests/unit/dataplane/policy_world.h"

enum { RECORD = 8, CALLS = 16, MOST = 2 * WORLD_CALLS };
enum operation { START, END, SUCCEED, FAIL, ATTEMPT_FAILS, EXPIRE, TURN, LATER, OPERATIONS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static struct world *create(void)
{
	struct world *w = world_simple(4);

	w->clusters[0].bulkhead = world_bulkhead(3, 4);
	w->clusters[0].endpoint_bulkhead = world_bulkhead(2, 0);
	w->clusters[0].breaker = world_breaker(3);
	w->clusters[0].outlier = world_outlier();
	w->clusters[0].retry = world_retry();
	w->clusters[0].balance.slow_start_ms = 1000;
	w->listeners[0].bulkhead = world_bulkhead(5, 2);
	return w;
}

/* Few bytes name the words that are in use; any other may be hit too. */
static void write_over(struct world *w, const uint8_t *record)
{
	uint64_t *words = (uint64_t *)&w->words;
	size_t count = sizeof(w->words) / sizeof(*words);
	uint64_t *at = &words[(record[1] | (size_t)record[2] << 8) % count];
	uint64_t value = 0;

	if (record[0] & 0x40)
		at = (uint64_t *)&w->words.clusters[0] + record[1] % 16;
	else if (record[0] & 0x20)
		at = (uint64_t *)&w->words.endpoints[record[2] % 4] + record[1] % 8;
	memcpy(&value, record + 3, 5);
	*at = record[0] & 0x10 ? *at ^ value << 24 : value << 24 | value;
}

static void run_turn(struct engine *e)
{
	const struct call_request request = {0};
	enum reason reason;
	struct call *call;

	for (int n = 0; n < CALLS && (call = call_next_granted(e)) != NULL; n++)
		(void)call_granted(e, call, &request);
	for (int n = 0; n < CALLS && call_next_refused(e, &reason) != NULL; n++)
		;
}

static void operate(struct world *w, const uint8_t *record)
{
	const struct call_request request = {.hash = record[3], .source = record[4]};
	struct engine *e = &w->engines[0];
	struct call *call = &w->calls[0][record[1] % CALLS];
	const uint32_t number = call->number;

	switch ((enum operation)(record[0] % OPERATIONS)) {
	case START:
		if (call->marks & CALL_OPEN)
			return;
		*call = (struct call){.number = number};
		if (call_start(e, call, &request).next == CALL_SEND)
			call_sent(e, call);
		return;
	case END:
		call_end(e, call);
		return;
	case SUCCEED:
		call_connected(e, call, 1000);
		call_succeeded(e, call);
		return;
	case FAIL:
		call_failed(e, call, REASON_UPSTREAM_RESET);
		return;
	case ATTEMPT_FAILS:
		if (call->held & CALL_ATTEMPT)
			(void)call_attempt_failed(e, call, &request, REASON_CONNECT_REFUSED);
		return;
	case EXPIRE:
		if ((call->marks & CALL_STARTED) && !(call->held & CALL_ATTEMPT))
			(void)call_expired(e, call, &request);
		return;
	case TURN:
		run_turn(e);
		return;
	default:
		world_later(w, record[2] * 16u);
		return;
	}
}

static void repair(struct world *w)
{
	static struct world_words none;
	const struct policy_state state = world_state(w, &w->words, 0);
	struct world_words words = none;
	const struct policy_state counted = world_state(w, &words, 0);
	struct repair r = {.view = &w->view,
			   .state = &state,
			   .counted = &counted,
			   .most = MOST,
			   .now_ns = w->now_ns};

	(void)repair_words(&r);
	r.counted = NULL;
	must(repair_words(&r) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = create();

	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		if (data[0] & 0x80)
			write_over(w, data);
		else
			operate(w, data);
	}
	for (uint32_t i = 0; i < CALLS; i++)
		call_end(&w->engines[0], &w->calls[0][i]);
	run_turn(&w->engines[0]);
	for (uint32_t i = 0; i < CALLS; i++)
		must(w->calls[0][i].held == 0);
	repair(w);
	world_destroy(w);
	return 0;
}
