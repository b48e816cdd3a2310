/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/waiting.h"

#include "dataplane/flow.h"
#include "dataplane/flow_attempt.h"
#include "dataplane/origin.h"
#include "dataplane/worker_state.h"

static struct conn *conn_of(const struct worker *w, const struct call *call)
{
	return &w->table.entries[call - w->calls];
}

void waiting_over(struct worker *w, struct conn *c)
{
	origin_rst_to_client(w, c);
	flow_over(w, c);
}

void waiting_step(struct worker *w, struct conn *c, const struct call_step *step)
{
	switch (step->next) {
	case CALL_SEND:
		flow_attempt_send(w, c, step->endpoint);
		return;
	case CALL_WAIT:
	case CALL_BACK_OFF:
		c->deadline_ns = step->wake_ns;
		conn_schedule(&w->table, c);
		return;
	case CALL_REJECTED:
	case CALL_FAILED:
		waiting_over(w, c);
		return;
	}
}

void waiting_expired(struct worker *w, struct conn *c)
{
	struct call_request request = flow_attempt_request_of(w, c);
	struct call_step step = call_expired(&w->engine, call_of(w, c), &request);

	call_show(w, c);
	waiting_step(w, c, &step);
}

static uint32_t run_granted(struct worker *w)
{
	struct call *call;
	uint32_t n = 0;

	for (; n < WAITING_BURST && (call = call_next_granted(&w->engine)) != NULL; n++) {
		struct conn *c = conn_of(w, call);
		struct call_request request = flow_attempt_request_of(w, c);
		struct call_step step = call_granted(&w->engine, call, &request);

		call_show(w, c);
		waiting_step(w, c, &step);
	}
	return n;
}

static uint32_t run_refused(struct worker *w)
{
	enum reason reason;
	struct call *call;
	uint32_t n = 0;

	for (; n < WAITING_BURST && (call = call_next_refused(&w->engine, &reason)) != NULL; n++)
		waiting_over(w, conn_of(w, call));
	return n;
}

unsigned int waiting_run(struct worker *w)
{
	return run_granted(w) + run_refused(w);
}
