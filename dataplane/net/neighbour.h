/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Next hops and their MAC addresses, shared by all workers of the process. One 64-bit
 * word an entry holds {mac:48, generation:8, state:8} and changes by single atomic
 * stores, so any worker may learn and any may read. An entry is found by hash of
 * (interface, address) when a connection is made; packets then use its number and
 * check the generation, which changes when the entry is reused for another address.
 *
 * Pure: time comes in, questions to ask go out as return values.
 */
#ifndef FENDER_DATAPLANE_NET_NEIGHBOUR_H
#define FENDER_DATAPLANE_NET_NEIGHBOUR_H

#include <stdint.h>

enum { NEIGHBOUR_ENTRIES = 4096, NEIGHBOUR_NONE = 0xffff };

enum neighbour_state {
	NEIGHBOUR_FREE = 0,
	NEIGHBOUR_INCOMPLETE, /* asked, no answer yet */
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_STALE,  /* still used; probed when it is */
	NEIGHBOUR_FAILED, /* did not answer; asked again after a pause */
	NEIGHBOUR_STATIC, /* from the policy, never changes */
};

struct neighbour_table;

/* Where and how to send: the answer of neighbour_resolve(). */
struct neighbour_view {
	uint8_t mac[6];
	uint8_t state;
	uint8_t generation;
	uint8_t ask; /* the caller is the one to send a question now: 1 everybody, 2 unicast probe
		      */
};

struct neighbour_table *neighbour_table_create(void);
void neighbour_table_destroy(struct neighbour_table *t);

/* Static entry. Return 0 or -ENOSPC. */
int neighbour_set_static(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			 const uint8_t mac[6]);

/**
 * neighbour_find() - entry of an address, made INCOMPLETE when new
 * Return: its number, or NEIGHBOUR_NONE when the table is full of entries in recent use.
 * Any thread; *generation receives what packets must check.
 */
uint16_t neighbour_find(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			uint64_t now_ns, uint8_t *generation);

/*
 * Read an entry for sending. view->ask is set for at most one caller per retry interval
 * (1 s; at most 3 questions, then FAILED for 5 s; STALE after 30 s without confirmation).
 * Return: 0 with a usable MAC; -EAGAIN still resolving; -EHOSTUNREACH failed; -ESTALE the
 * generation differs: find it again.
 */
int neighbour_resolve(struct neighbour_table *t, uint16_t number, uint8_t generation,
		      uint64_t now_ns, struct neighbour_view *view);

/*
 * Learn from an ARP or ND message. Creates no entry, except when @create (we were asked by it,
 * so we shall answer). @override and @solicited as RFC 4861 7.2.5; ARP passes 1, 1 for replies.
 */
void neighbour_learn(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
		     const uint8_t mac[6], int create, int override, int solicited,
		     uint64_t now_ns);

/* Address and interface of an entry (to ask for it). Return 0, -1 when the generation differs. */
int neighbour_address(const struct neighbour_table *t, uint16_t number, uint8_t generation,
		      uint8_t *interface, uint8_t ip[16]);

#endif
