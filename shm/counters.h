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
