/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters: 64-bit words with one writer each (the worker), summed by the
 * reader. They only grow, except the gauges named so. Laws, per worker:
 *
 *   received + handed_in + originated =
 *           transmitted + consumed + handed_out + sum(dropped) + held
 *   calls: started = succeeded + failed + cancelled + rejected + in flight
 */
#ifndef FENDER_SHM_COUNTERS_H
#define FENDER_SHM_COUNTERS_H

#include <stdint.h>

#include "shm/reasons.h"

/* Single writer: a plain load, a relaxed store. Readers use counter_read(). */
static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* One worker's packets. */
struct packet_counters {
	uint64_t received;    /* frames taken from interfaces */
	uint64_t originated;  /* frames Fender made: ARP, ND, ICMP, RST, repeated SYN */
	uint64_t transmitted; /* frames an interface took */
	uint64_t consumed;    /* frames that were for Fender itself and did their work */
	uint64_t handed_out;  /* to another worker: owner of the flow or of the queue */
	uint64_t handed_in;   /* from another worker */
	uint64_t held;        /* gauge: waiting for a next hop's address or a flush */
	uint64_t pad;
	uint64_t dropped[REASON_SLOTS];
};
_Static_assert(sizeof(struct packet_counters) == 576, "ABI");

/* One interface, as one worker saw it. */
struct interface_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes; /* without the frame check sequence */
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t tx_full; /* frames the interface did not take (dropped) */
	uint64_t pad[3];
};
_Static_assert(sizeof(struct interface_counters) == 64, "ABI");

/* Calls of a listener, cluster or endpoint, as one worker saw them. */
struct call_counters {
	uint64_t started;
	uint64_t succeeded;
	uint64_t failed;
	uint64_t cancelled; /* ended without a verdict on the endpoint */
	uint64_t rejected;
	uint64_t opened; /* connections and flows created */
	uint64_t closed; /* and gone; open now = opened - closed */
	uint64_t pad0;
	uint64_t to_endpoint_packets;
	uint64_t to_endpoint_bytes; /* IP total length, as it came in */
	uint64_t to_client_packets;
	uint64_t to_client_bytes;
	uint64_t pad1[4];
};
_Static_assert(sizeof(struct call_counters) == 128, "ABI");

/*
 * What the policies of a cluster decided, as one worker saw it. One list: members, statistics and
 * documents come from it. would_*: an observed policy's refusals, which did not happen.
 */
#define POLICY_COUNTERS(X)                                                                    \
	X(attempts, "attempts sent, first ones and retries")                                  \
	X(attempt_failures, "attempts that failed")                                           \
	X(retries, "attempts after the first")                                                \
	X(retry_success, "calls that succeeded by a retry")                                   \
	X(retry_no_budget, "retries refused: the budget was empty")                           \
	X(retry_no_deadline, "retries refused: the request timeout would pass first")         \
	X(retry_breaker, "retries refused: the cluster breaker is open, or it was its probe") \
	X(retry_no_endpoint, "retries refused: no endpoint took them")                        \
	X(retry_limit, "calls whose last allowed attempt failed")                             \
	X(queued, "calls that waited in the cluster's queue")                                 \
	X(queue_granted, "of these, those that got a permit")                                 \
	X(queue_left, "of these, those whose client left")                                    \
	X(probes, "calls admitted by a half-open breaker of the cluster")                     \
	X(endpoint_probes, "attempts admitted by a half-open breaker of an endpoint")         \
	X(breaker_opened, "times the cluster breaker opened")                                 \
	X(ejections, "times an endpoint's breaker opened")                                    \
	X(ejections_overflow, "ejections refused by max_ejected or for the last endpoint")    \
	X(slow_calls, "verdicts later than slow_call.threshold")                              \
	X(panic, "picks made among all endpoints because too few were usable")                \
	X(spilled, "picks beyond the first priority")                                         \
	X(other_zone, "picks outside the own zone")                                           \
	X(bounded, "candidates passed over because of bounded_load")                          \
	X(endpoint_full, "candidates passed over because of the endpoint bulkhead")           \
	X(stale_verdicts, "verdicts of an earlier epoch: they changed nothing")               \
	X(would_circuit_open, "calls an observed breaker would have refused")                 \
	X(would_bulkhead, "calls an observed bulkhead would have queued or refused")          \
	X(would_retry, "retries an observed policy would have made")                          \
	X(would_eject, "attempts sent to an endpoint an observed policy would have ejected")  \
	X(stale_tables, "adoptions of a table that was not built from its endpoints")

enum policy_counter {
#define X(name, text) POLICY_COUNTER_##name,
	POLICY_COUNTERS(X)
#undef X
		POLICY_COUNTER_COUNT,
};
enum { POLICY_COUNTER_SLOTS = 40 };
struct policy_counters {
	union {
		struct {
#define X(name, text) uint64_t name;
			POLICY_COUNTERS(X)
#undef X
		};
		uint64_t all[POLICY_COUNTER_SLOTS];
	};
	uint64_t rejected[REASON_SLOTS]; /* sums to the cluster's call_counters.rejected */
	uint64_t failed[REASON_SLOTS];
};
_Static_assert(sizeof(struct policy_counters) == POLICY_COUNTER_SLOTS * 8 + 2 * 512, "ABI");

/* Of policy_counters.all[counter]: its name as shown everywhere ("retry_limit"), or "unknown". */
const char *policy_counter_name(unsigned int counter);
/* One line for an operator, or "". */
const char *policy_counter_text(unsigned int counter);

/* Why a listener's calls were rejected or failed. */
struct listener_counters {
	struct call_counters calls;
	uint64_t rejected[REASON_SLOTS]; /* sums to calls.rejected */
	uint64_t failed[REASON_SLOTS];   /* sums to calls.failed */
};
_Static_assert(sizeof(struct listener_counters) == 128 + 2 * 512, "ABI");

/* One interface, written by the dataplane's main thread from the driver. */
struct port_status {
	uint64_t rx_missed; /* frames lost in the receive ring */
	uint64_t rx_nombuf;
	uint32_t link_up;
	uint32_t queues;
	uint32_t mtu;
	uint8_t mac[6];
	uint16_t pad0;
	uint32_t pad1;
	uint64_t pad2[3];
};
_Static_assert(sizeof(struct port_status) == 64, "ABI");

#endif
