/* SPDX-License-Identifier: Apache-2.0 */
/* A call's way, as the packet path would take it through the engine. */
#include <string.h>

#include "dataplane/lb/candidates.h"
#include "dataplane/simulate/draw.h"
#include "dataplane/simulate/sim.h"

enum { MS = 1000 * 1000 };
#define NEVER UINT64_MAX

static uint64_t in_ms(uint64_t from_ns, uint32_t ms)
{
	return from_ns + (uint64_t)ms * MS;
}

static struct lane *lane_of(struct sim *sim, const struct sim_call *c)
{
	return &sim->lanes[c->lane];
}

static struct sim_call *take_call(struct lane *lane)
{
	struct sim_call *c;
	uint32_t number = lane->free;

	if (number != CALL_NOBODY)
		lane->free = lane->calls[number].free_next;
	else if (lane->fresh < lane->engine->entries)
		number = lane->fresh++;
	else
		return NULL;
	c = &lane->calls[number];
	memset(&c->call, 0, sizeof(c->call));
	c->call.number = number;
	c->live = 1;
	c->verdict = VERDICT_NONE;
	c->answered = 0;
	return c;
}

/* Nothing is held any more: the entry is free, and a client of a closed loop goes on. */
static void finish(struct sim *sim, struct sim_call *c)
{
	struct lane *lane = lane_of(sim, c);

	c->live = 0;
	c->life++;
	c->stamp++;
	c->free_next = lane->free;
	lane->free = c->call.number;
	load_over(sim, c->load);
}

static void end(struct sim *sim, struct sim_call *c)
{
	call_end(lane_of(sim, c)->engine, &c->call);
	finish(sim, c);
}

/* The one thing the call waits for; what it waited for before is void. */
static void expect(struct sim *sim, struct sim_call *c, enum item_kind kind, uint64_t at_ns)
{
	sim_schedule(sim, (struct heap_item){.at_ns = at_ns > sim->now_ns ? at_ns : sim->now_ns,
					     .kind = kind,
					     .worker = c->lane,
					     .subject = c->call.number,
					     .stamp = ++c->stamp});
}

static void succeed(struct sim *sim, struct sim_call *c)
{
	if (c->verdict == VERDICT_NONE) {
		c->verdict = VERDICT_SUCCESS;
		call_succeeded(lane_of(sim, c)->engine, &c->call);
	}
}

static void fail(struct sim *sim, struct sim_call *c, enum reason reason)
{
	if (c->verdict == VERDICT_NONE) {
		c->verdict = VERDICT_FAILURE;
		call_failed(lane_of(sim, c)->engine, &c->call, reason);
	}
}

/* When its first byte or its reset comes. */
static uint64_t answer_at(const struct sim_call *c)
{
	if (c->fate.fault == SIM_HANG || c->fate.fault == SIM_BLACKHOLE)
		return NEVER;
	return c->sent_ns + c->fate.answer_ns;
}

static enum item_kind answer_kind(const struct sim_call *c)
{
	return c->fate.fault == SIM_RESET ? ITEM_RESET : ITEM_ANSWER;
}

/* tcp: an answer to the SYN, or the nearer of the two timeouts. */
static void expect_connect(struct sim *sim, struct sim_call *c)
{
	uint64_t connect = in_ms(c->sent_ns, c->timeouts->connect_ms);
	uint64_t request = c->timeouts->request_ms != 0
				   ? in_ms(c->call.started_ns, c->timeouts->request_ms)
				   : NEVER;
	uint64_t timeout = connect < request ? connect : request;
	uint64_t accepted = c->sent_ns + c->fate.connect_ns;

	if (c->fate.fault != SIM_BLACKHOLE && accepted <= timeout)
		expect(sim, c, c->fate.fault == SIM_REFUSE ? ITEM_REFUSED : ITEM_CONNECTED,
		       accepted);
	else
		expect(sim, c, connect < request ? ITEM_CONNECT_TIMEOUT : ITEM_REQUEST_TIMEOUT,
		       timeout);
}

/* udp: a reply, its absence, or the flow's end. */
static void expect_reply(struct sim *sim, struct sim_call *c)
{
	uint64_t idle = in_ms(c->sent_ns, c->timeouts->idle_udp_ms);
	uint64_t late = NEVER, reply = answer_at(c);
	enum item_kind kind = ITEM_ANSWER;

	if (c->timeouts->expect_reply_ms != 0 && c->verdict == VERDICT_NONE)
		late = in_ms(c->sent_ns, c->timeouts->expect_reply_ms);
	if (c->fate.fault == SIM_REFUSE || c->fate.fault == SIM_RESET) {
		reply = c->sent_ns + c->fate.connect_ns;
		kind = ITEM_REFUSED;
	}
	if (reply <= late && reply <= idle)
		expect(sim, c, kind, reply);
	else if (late <= idle)
		expect(sim, c, ITEM_NO_REPLY, late);
	else
		expect(sim, c, ITEM_END, idle);
}

static void send_attempt(struct sim *sim, struct sim_call *c, uint32_t endpoint)
{
	const struct policy_view *v = &sim->world.current->view;
	uint16_t slot = v->endpoint_slot[endpoint];

	call_sent(lane_of(sim, c)->engine, &c->call);
	c->sent_ns = sim->now_ns;
	c->timeouts = &v->clusters[v->cluster_at[c->call.cluster]].timeouts;
	c->fate = model_attempt(&sim->model, slot, sim->now_ns - SIM_START_NS);
	if (c->udp)
		expect_reply(sim, c);
	else
		expect_connect(sim, c);
}

static void apply(struct sim *sim, struct sim_call *c, struct call_step step)
{
	record_gauges(sim, &c->call);
	switch (step.next) {
	case CALL_SEND:
		send_attempt(sim, c, step.endpoint);
		break;
	case CALL_WAIT:
	case CALL_BACK_OFF:
		expect(sim, c, ITEM_WAKE, step.wake_ns);
		break;
	case CALL_REJECTED:
		finish(sim, c);
		break;
	case CALL_FAILED:
		end(sim, c);
		break;
	}
}

static void attempt_failed(struct sim *sim, struct sim_call *c, enum reason reason)
{
	apply(sim, c, call_attempt_failed(lane_of(sim, c)->engine, &c->call, &c->request, reason));
}

static void refused(struct sim *sim, struct sim_call *c)
{
	if (!c->udp) {
		attempt_failed(sim, c, REASON_CONNECT_REFUSED);
		return;
	}
	fail(sim, c, REASON_UPSTREAM_UNREACHABLE);
	expect(sim, c, ITEM_END, in_ms(sim->now_ns, c->timeouts->idle_udp_ms));
}

static void connected(struct sim *sim, struct sim_call *c)
{
	uint64_t verdict = in_ms(sim->now_ns, c->timeouts->verdict_after_ms);

	c->connected_ns = sim->now_ns;
	call_connected(lane_of(sim, c)->engine, &c->call, c->fate.connect_ns);
	call_requested(lane_of(sim, c)->engine, &c->call);
	if (answer_at(c) <= verdict)
		expect(sim, c, answer_kind(c), answer_at(c));
	else
		expect(sim, c, ITEM_VERDICT, verdict);
}

/* Up for verdict_after without a reset. */
static void stood(struct sim *sim, struct sim_call *c)
{
	uint64_t idle = in_ms(c->connected_ns, c->timeouts->idle_tcp_ms);

	succeed(sim, c);
	if (answer_at(c) <= idle)
		expect(sim, c, answer_kind(c), answer_at(c));
	else
		expect(sim, c, ITEM_END, idle);
}

/* A flow lives on for its idle time, a connection until its client closes it. */
static uint64_t end_of(struct sim *sim, struct sim_call *c)
{
	uint64_t at = sim->now_ns +
		      draw_time(&sim->loads[c->load].holds, &sim->scenario->loads[c->load].hold);
	uint64_t begun = c->udp ? c->sent_ns : c->connected_ns;

	if (c->udp)
		at = in_ms(at, c->timeouts->idle_udp_ms);
	if (c->timeouts->max_duration_ms != 0 && at > in_ms(begun, c->timeouts->max_duration_ms))
		at = in_ms(begun, c->timeouts->max_duration_ms);
	return at;
}

static void answered(struct sim *sim, struct sim_call *c)
{
	succeed(sim, c);
	c->answered = 1;
	if (c->verdict != VERDICT_FAILURE) {
		histogram_add(&sim->latency[c->call.listener], sim->now_ns - c->call.started_ns);
		sim->last_answer_ns[c->call.listener] = sim->now_ns - SIM_START_NS;
	}
	expect(sim, c, ITEM_END, end_of(sim, c));
}

static void no_reply(struct sim *sim, struct sim_call *c)
{
	fail(sim, c, REASON_EXPECT_REPLY);
	expect_reply(sim, c);
}

void sim_call_item(struct sim *sim, const struct heap_item *item)
{
	struct sim_call *c = &sim->lanes[item->worker].calls[item->subject];
	struct engine *e = sim->lanes[item->worker].engine;

	if (item->stamp != (item->kind == ITEM_LEAVE ? c->life : c->stamp))
		return;
	switch (item->kind) {
	case ITEM_CONNECTED:
		connected(sim, c);
		break;
	case ITEM_REFUSED:
		refused(sim, c);
		break;
	case ITEM_RESET:
		fail(sim, c, REASON_UPSTREAM_RESET);
		end(sim, c);
		break;
	case ITEM_ANSWER:
		answered(sim, c);
		break;
	case ITEM_VERDICT:
		stood(sim, c);
		break;
	case ITEM_WAKE:
		apply(sim, c, call_expired(e, &c->call, &c->request));
		break;
	case ITEM_CONNECT_TIMEOUT:
		attempt_failed(sim, c, REASON_CONNECT_TIMEOUT);
		break;
	case ITEM_REQUEST_TIMEOUT:
		attempt_failed(sim, c, REASON_REQUEST_TIMEOUT);
		break;
	case ITEM_NO_REPLY:
		no_reply(sim, c);
		break;
	case ITEM_LEAVE:
		if (!c->answered)
			end(sim, c);
		break;
	default: /* ITEM_END */
		end(sim, c);
		break;
	}
}

/* Clients have addresses of their own in 10.128.0.0/9 or 2001:db8:cafe::/48, and any port. */
static struct flow_key client_key(struct random *random, uint32_t clients, uint8_t family)
{
	uint32_t client = __builtin_bswap32(random_below(random, clients) | 0x0a800000);
	struct flow_key key = {.k = {.sport = (uint16_t)random_next(random), .family = family}};

	if (family == FAMILY_V4) {
		key.k.src = client;
	} else {
		memcpy(key.src6, "\x20\x01\x0d\xb8\xca\xfe", 6);
		memcpy(&key.src6[12], &client, sizeof(client));
	}
	return key;
}

static void start(struct sim *sim, struct sim_call *c, uint16_t listener,
		  const struct flow_key *client)
{
	const struct policy_view *v = &sim->world.current->view;
	const struct image_listener *l = &v->listeners[listener];
	const struct sim_load *load = &sim->scenario->loads[c->load];

	c->udp = l->proto == PROTO_UDP;
	c->request = (struct call_request){
		.listener = listener,
		.hash = lb_hash(client, v->clusters[l->cluster].hash_on),
		.source = lb_hash(client, HASH_ON_SOURCE_IP),
		.no_queue = c->udp,
		.no_retry = c->udp,
		.no_verdict = c->udp && v->clusters[l->cluster].timeouts.expect_reply_ms == 0,
	};
	if (load->patience_ns != 0)
		sim_schedule(sim, (struct heap_item){.at_ns = sim->now_ns + load->patience_ns,
						     .kind = ITEM_LEAVE,
						     .worker = c->lane,
						     .subject = c->call.number,
						     .stamp = c->life});
	apply(sim, c, call_start(lane_of(sim, c)->engine, &c->call, &c->request));
}

void sim_arrive(struct sim *sim, uint32_t load)
{
	const struct policy_view *v = &sim->world.current->view;
	struct load_run *run = &sim->loads[load];
	uint16_t listener = v->listener_at[run->listener];
	uint32_t lane = random_below(&run->random, sim->world.workers);
	struct flow_key client;
	struct sim_call *c;

	load_arrived(sim, load);
	if (listener == VIEW_NONE) {
		sim->no_listener[run->listener]++;
		load_over(sim, load);
		return;
	}
	client = client_key(&run->random, sim->scenario->loads[load].clients,
			    v->listeners[listener].family);
	c = take_call(&sim->lanes[lane]);
	if (c == NULL) {
		sim->no_entry[run->listener]++;
		load_over(sim, load);
		return;
	}
	c->load = load;
	c->lane = lane;
	start(sim, c, listener, &client);
}

static int settle_lane(struct sim *sim, struct engine *e)
{
	enum reason reason;
	struct call *call;
	int some = 0;

	while ((call = call_next_granted(e)) != NULL) {
		struct sim_call *c = (struct sim_call *)call;

		apply(sim, c, call_granted(e, call, &c->request));
		some = 1;
	}
	while ((call = call_next_refused(e, &reason)) != NULL) {
		finish(sim, (struct sim_call *)call);
		some = 1;
	}
	return some;
}

void sim_settle(struct sim *sim)
{
	int some;

	do {
		some = 0;
		for (uint32_t i = 0; i < sim->world.workers; i++)
			some |= settle_lane(sim, sim->lanes[i].engine);
	} while (some);
}
