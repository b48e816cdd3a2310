/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture.h"

#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "dataplane/net/route.h"
#include "dataplane/pkt/parse.h"
#include "dataplane/worker_state.h"
#include "shm/capture.h"

struct staged {
	const struct rte_mbuf *frame; /* NULL: left out */
	uint8_t has_verdict;
	uint8_t has_key; /* TCP and UDP */
	struct flow_key key;
	struct capture_record record;
};

struct stage {
	uint32_t count;
	struct staged frame[BURST];
};

_Static_assert((int)TX_BURST <= (int)BURST, "a stage holds either burst");

struct capture {
	struct capture_filter filter;
	struct stage received;
	struct stage sending;
	struct stage other; /* one frame that ends outside of both */
};

struct capture *capture_create(void)
{
	return calloc(1, sizeof(struct capture));
}

void capture_free(struct capture *c)
{
	free(c);
}

void capture_look(struct worker *w)
{
	const struct capture_control *control = w->shared->region->capture;
	const uint64_t *from = (const uint64_t *)&control->filter;
	uint64_t words[sizeof(struct capture_filter) / sizeof(uint64_t)];

	/* Pairs with the release of who switches it on: the filter is there. */
	w->capturing = __atomic_load_n(&control->until_ns, __ATOMIC_ACQUIRE) > w->now_ns;
	if (likely(!w->capturing))
		return;
	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	memcpy(&w->capture->filter, words, sizeof(words));
}

/* -- a record ---------------------------------------------------------------------------- */

static void read_key(struct staged *s, struct rte_mbuf *frame)
{
	struct packet p = {
		.data = rte_pktmbuf_mtod(frame, uint8_t *),
		.bytes = frame->data_len,
	};

	s->has_key = packet_parse(&p, s->record.interface) == REASON_NONE && p.kind <= PACKET_UDP;
	if (s->has_key)
		s->key = p.key;
}

static void stage_frame(struct worker *w, struct stage *stage, uint8_t interface,
			struct rte_mbuf *frame)
{
	struct staged *s = &stage->frame[stage->count];
	uint16_t bytes = frame->data_len < CAPTURE_SNAP ? frame->data_len : CAPTURE_SNAP;

	if (stage->count == BURST)
		return;
	stage->count++;
	s->frame = frame;
	s->has_verdict = 0;
	memset(&s->record, 0, sizeof(s->record));
	s->record.at_ns = w->now_ns;
	s->record.frame_bytes = rte_pktmbuf_pkt_len(frame);
	s->record.connection = CAPTURE_NO_CONNECTION;
	s->record.listener = CAPTURE_NO_SLOT;
	s->record.interface = interface;
	s->record.data_bytes = bytes;
	memcpy(s->record.data, rte_pktmbuf_mtod(frame, void *), bytes);
	read_key(s, frame);
}

/* The key of the packet that this one answers. */
static struct flow_key answered(const struct flow_key *key)
{
	struct flow_key other = *key;

	other.k.src = key->k.dst;
	other.k.dst = key->k.src;
	other.k.sport = key->k.dport;
	other.k.dport = key->k.sport;
	memcpy(other.src6, key->dst6, sizeof(other.src6));
	memcpy(other.dst6, key->src6, sizeof(other.dst6));
	return other;
}

static void find_listener(const struct worker *w, struct staged *s, const struct flow_key *key)
{
	const struct policy_view *v = &w->policy->view;
	const struct image_ip to = flow_destination(key);
	const struct image_listener *listener = route_listener(
		v->image, key->k.interface, key->k.proto, key->k.family, to.b, key->k.dport);

	if (listener)
		s->record.listener = v->listener_slot[listener - v->listeners];
}

static void find_connection(const struct worker *w, struct staged *s)
{
	const struct flow_key key =
		s->record.direction == CAPTURE_RECEIVED ? s->key : answered(&s->key);
	uint32_t found = conn_lookup(&w->table, &key);

	if (found == LOOKUP_NONE) {
		find_listener(w, s, &key);
		return;
	}
	s->record.connection = found >> 1;
	s->record.listener = w->table.entries[found >> 1].listener;
}

static int has_host(const struct staged *s, const struct image_ip *host)
{
	const struct image_ip src = flow_source(&s->key), dst = flow_destination(&s->key);

	return memcmp(src.b, host->b, sizeof(src.b)) == 0 ||
	       memcmp(dst.b, host->b, sizeof(dst.b)) == 0;
}

static int is_wanted(const struct staged *s, const struct capture_filter *f)
{
	const struct capture_record *r = &s->record;

	if ((f->flags & (CAPTURE_HOST | CAPTURE_PORT | CAPTURE_PROTO)) && !s->has_key)
		return 0;
	return (!(f->flags & CAPTURE_DROPPED) || r->verdict == CAPTURE_DROPPED_FOR) &&
	       (!(f->flags & CAPTURE_REASON) || r->reason == f->reason) &&
	       (!(f->flags & CAPTURE_INTERFACE) || r->interface == f->interface) &&
	       (!(f->flags & CAPTURE_LISTENER) || r->listener == f->listener) &&
	       (!(f->flags & CAPTURE_PROTO) || s->key.k.proto == f->proto) &&
	       (!(f->flags & CAPTURE_PORT) || s->key.k.sport == f->port ||
		s->key.k.dport == f->port) &&
	       (!(f->flags & CAPTURE_HOST) || has_host(s, &f->host));
}

static void record_stage(struct worker *w, struct stage *stage)
{
	struct capture_ring *ring = &w->shared->region->capture_rings[w->number];

	for (uint32_t i = 0; i < stage->count; i++) {
		struct staged *s = &stage->frame[i];

		if (!s->frame)
			continue;
		if (s->has_key)
			find_connection(w, s);
		if (is_wanted(s, &w->capture->filter))
			capture_write(ring, &s->record);
	}
	stage->count = 0;
}

/* -- where frames come and go -------------------------------------------------------------- */

void capture_received(struct worker *w, uint8_t interface, struct rte_mbuf **frames, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		/* For the record of what is dropped later, and no mark of what we make. */
		frames[i]->port = interface;
		stage_frame(w, &w->capture->received, interface, frames[i]);
	}
}

void capture_decided(struct worker *w)
{
	record_stage(w, &w->capture->received);
}

static struct staged *find(struct stage *stage, const struct rte_mbuf *frame)
{
	for (uint32_t i = 0; i < stage->count; i++)
		if (stage->frame[i].frame == frame)
			return &stage->frame[i];
	return NULL;
}

static void set_verdict(struct staged *s, enum capture_verdict verdict, enum reason reason)
{
	s->has_verdict = 1;
	s->record.verdict = (uint8_t)verdict;
	s->record.reason = (uint8_t)reason;
}

/* It waited for its next hop, or was made here. */
static void record_late(struct worker *w, struct rte_mbuf *frame, enum reason reason)
{
	const uint32_t interfaces = w->shared->ports->count;
	struct stage *stage = &w->capture->other;
	uint8_t interface = frame->port < interfaces ? (uint8_t)frame->port : CAPTURE_NO_INTERFACE;

	stage_frame(w, stage, interface, frame);
	stage->frame[0].record.direction =
		interface == CAPTURE_NO_INTERFACE ? CAPTURE_SENT : CAPTURE_RECEIVED;
	set_verdict(&stage->frame[0], CAPTURE_DROPPED_FOR, reason);
	record_stage(w, stage);
}

void capture_verdict(struct worker *w, struct rte_mbuf *frame, enum reason reason)
{
	struct staged *s = find(&w->capture->received, frame);

	if (s && !s->has_verdict)
		set_verdict(s, reason == REASON_NONE ? CAPTURE_CONSUMED : CAPTURE_DROPPED_FOR,
			    reason);
	else if (reason != REASON_NONE)
		record_late(w, frame, reason);
}

void capture_forget(struct worker *w, const struct rte_mbuf *frame)
{
	struct staged *s = find(&w->capture->received, frame);

	if (s)
		s->frame = NULL;
}

void capture_sending(struct worker *w, uint8_t interface, struct rte_mbuf **frames, uint32_t n)
{
	struct stage *stage = &w->capture->sending;

	for (uint32_t i = 0; i < n; i++) {
		struct staged *s = &stage->frame[stage->count];

		stage_frame(w, stage, interface, frames[i]);
		s->record.direction = CAPTURE_SENT;
		s->record.verdict = frames[i]->port == RTE_MBUF_PORT_INVALID ? CAPTURE_ORIGINATED
									     : CAPTURE_TRANSMITTED;
	}
}

void capture_sent(struct worker *w, uint32_t sent, enum reason reason)
{
	struct stage *stage = &w->capture->sending;

	for (uint32_t i = sent; i < stage->count; i++)
		set_verdict(&stage->frame[i], CAPTURE_DROPPED_FOR, reason);
	record_stage(w, stage);
}
