/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/burst.h"

#include "dataplane/conn/shard.h"
#include "dataplane/flow.h"
#include "dataplane/local.h"
#include "dataplane/pkt/l4_checksum.h"
#include "dataplane/pkt/parse.h"
#include "dataplane/transmit.h"
#include "dataplane/worker_state.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

/* A frame that survived parsing. */
struct accepted {
	struct rte_mbuf *frame;
	struct packet *p;
	uint8_t interface;
};

/* What the parser cannot know: our MAC address and the interface's VLAN. */
static enum reason check_link(const struct port *port, const struct packet *p)
{
	static const uint8_t nobody[6];

	if (unlikely(p->vlan != port->vlan))
		return REASON_VLAN;
	if (likely(memcmp(p->data, port->mac, 6) == 0))
		return REASON_NONE;
	/* Group addresses carry questions about neighbours; nothing else is for us. */
	if ((p->data[0] & 1) && (p->kind == PACKET_ARP || p->kind == PACKET_ND))
		return REASON_NONE;
	/* Devices without addresses (pcap, null): everything they read is ours. */
	if (port->kind == DEVICE_VDEV && memcmp(port->mac, nobody, 6) == 0)
		return REASON_NONE;
	return REASON_NOT_OURS;
}

static int parse_one(struct worker *w, uint8_t interface, struct rte_mbuf *frame, struct packet *p)
{
	const struct port *port = &w->shared->ports->port[interface];
	enum reason reason = REASON_MALFORMED;

	p->data = rte_pktmbuf_mtod(frame, uint8_t *);
	p->bytes = frame->data_len;
	if (likely(frame->nb_segs == 1))
		reason = packet_parse(p, interface);
	if (likely(reason == REASON_NONE))
		reason = check_link(port, p);
	if (unlikely(w->verify_checksums) && reason == REASON_NONE && p->kind <= PACKET_UDP &&
	    !l4_checksum_ok(p, port->may_be_partial))
		reason = REASON_CHECKSUM;
	if (likely(reason == REASON_NONE))
		return 1;
	drop(w, frame, reason);
	return 0;
}

/* Pass 1: parse; drop what is bad, answer what is for us, keep what belongs to a flow. */
static uint32_t parse_pass(struct worker *w, uint8_t interface, struct rte_mbuf **frames,
			   uint32_t n, struct accepted *flows)
{
	int sharded = w->shared->workers > 1;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint32_t i = 0; i < n; i++) {
		struct packet *p = &w->parsed[kept];
		uint32_t owner;

		if (!parse_one(w, interface, frames[i], p))
			continue;
		if (unlikely(p->kind >= PACKET_ECHO)) {
			local_packet(w, interface, p, frames[i]);
			continue;
		}
		if (sharded) {
			owner = shard_owner(w->owners, w->shared->lent, w->policy->image, interface,
					    &p->key);
			if (owner != w->number) {
				frames[i]->port = interface;
				if (unlikely(w->capturing))
					capture_forget(w, frames[i]);
				transmit_to_owner(w, owner, frames[i]);
				continue;
			}
		}
		flows[kept++] = (struct accepted){frames[i], p, interface};
	}
	return kept;
}

/* The buckets of the burst's connections. */
static void limits_pass(struct worker *w, const uint32_t *found, uint32_t n)
{
	limiter_set_time(&w->limiter, w->now_ns);
	for (uint32_t i = 0; i < n; i++)
		if (found[i] != LOOKUP_NONE)
			rte_prefetch0(&w->limiter.flows[found[i] >> 1]);
}

/* Passes 2 and 3: look up in bulk, then decide one by one. @n: 1..BURST */
static void decide_pass(struct worker *w, const struct accepted *flows, uint32_t n)
{
	const struct flow_key *keys[BURST];
	uint32_t found[BURST];
	uint32_t k = 0;

	do
		keys[k] = &flows[k].p->key;
	while (++k < n);
	conn_lookup_bulk(&w->table, keys, n, found);
	if (unlikely(w->limiter.judging))
		limits_pass(w, found, n);
	w->table_inserted = 0;
	w->table_released = 0;
	for (uint32_t i = 0; i < n; i++)
		flow_packet(w, flows[i].interface, flows[i].p, flows[i].frame, found[i]);
}

void burst_received(struct worker *w, uint8_t interface, struct rte_mbuf **frames, uint32_t n)
{
	struct interface_counters *counters = &w->interfaces[interface];
	struct accepted flows[BURST];
	uint64_t bytes = 0;
	uint32_t kept;

	for (uint32_t i = 0; i < n; i++)
		bytes += rte_pktmbuf_pkt_len(frames[i]);
	counter_add(&counters->rx_packets, n);
	counter_add(&counters->rx_bytes, bytes);
	counter_add(&w->packets->received, n);
	if (unlikely(w->capturing))
		capture_received(w, interface, frames, n);
	kept = parse_pass(w, interface, frames, n, flows);
	if (kept)
		decide_pass(w, flows, kept);
	if (unlikely(w->capturing))
		capture_decided(w);
}

/* They were parsed by the receiver, but what it learnt lies in its memory: read them again. */
void burst_handed_in(struct worker *w, struct rte_mbuf **frames, uint32_t n)
{
	struct accepted flows[BURST];
	uint32_t kept = 0;

	counter_add(&w->packets->handed_in, n);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t interface = (uint8_t)frames[i]->port;

		if (unlikely(w->capturing))
			capture_received(w, interface, &frames[i], 1);
		if (!parse_one(w, interface, frames[i], &w->parsed[kept]))
			continue;
		flows[kept] = (struct accepted){frames[i], &w->parsed[kept], interface};
		kept++;
	}
	if (kept)
		decide_pass(w, flows, kept);
	if (unlikely(w->capturing))
		capture_decided(w);
}
