/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_icmp.h"

#include "dataplane/flow.h"
#include "dataplane/flow_attempt.h"
#include "dataplane/forward.h"
#include "dataplane/worker_state.h"

#include <endian.h>
#include <string.h>

#include <rte_mbuf.h>

/* Destination unreachable; not "fragmentation needed", which is no verdict. */
static int is_unreachable(const struct packet *p)
{
	const uint8_t *icmp = p->data + p->l4;

	if (p->key.k.family == FAMILY_V6)
		return icmp[0] == 1;
	return icmp[0] == 3 && icmp[1] != 4;
}

/*
 * Is a SYN of ours what could not be delivered? Its sequence number is no stranger's guess (RFC
 * 5927 4.1). Stacks give up connecting at any such error, so waiting for an answer helps nobody.
 */
static int refuses_syn(const struct packet *p, const struct conn *c, enum direction dir)
{
	uint32_t seq;

	if (c->state != CONN_SYN_SENT || dir != REVERSE || !is_unreachable(p))
		return 0;
	memcpy(&seq, p->data + p->inner_l4 + 4, sizeof(seq));
	return be32toh(seq) == c->isn;
}

/* The client hears of it only when no other attempt is made. */
static void tcp_unreachable(struct worker *w, struct packet *p, struct rte_mbuf *frame,
			    struct conn *c)
{
	if (flow_attempt_failed(w, c, REASON_UPSTREAM_UNREACHABLE)) {
		consume(w, frame);
		return;
	}
	forward_icmp_error(w, p, frame, c, REVERSE);
	c->state = CONN_RESTING;
	flow_over(w, c);
}

void flow_icmp(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
	       enum direction dir)
{
	int failed = dir == REVERSE && c->fwd.proto == PROTO_UDP && !(c->flags & CONN_VERDICT) &&
		     is_unreachable(p);

	/* Nothing the client knows of is under way. */
	if (c->state == CONN_WAITING || c->state == CONN_TOMBSTONE) {
		drop(w, frame, REASON_ICMP_UNMATCHED);
		return;
	}
	if (refuses_syn(p, c, dir)) {
		tcp_unreachable(w, p, frame, c);
		return;
	}
	forward_icmp_error(w, p, frame, c, dir);
	if (failed) {
		c->flags |= CONN_VERDICT;
		call_failed(&w->engine, call_of(w, c), REASON_UPSTREAM_UNREACHABLE);
		call_show(w, c);
	}
}
