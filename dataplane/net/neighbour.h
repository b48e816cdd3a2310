/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Next hops and their MAC addresses, shared by all workers of the process. One 64-bit
 * word an entry holds {mac:48, generation:8, state:8} and changes by single atomic
 * swaps, so any worker may learn and any may read. An entry is found by hash of
 * (interface, address) when a connection is made; packets then use its number and
 * check the generation, which changes when the entry is reused for another address.
 *
 * Pure: time comes in, questions to ask go out as return values. No call blocks; each looks
 * at no more than NEIGHBOUR_CANDIDATES entries.
 *
 * Who is recycled when no candidate is free: first, oldest before younger, those that never
 * answered and those no packet of ours has used (their owners asked us); then those unused for
 * NEIGHBOUR_RECENT_NS. Static entries and those in recent use never are, so a flood of
 * invented addresses displaces only itself.
 *
 * XXX: a generation has 8 bits. A connection that was idle while its entry was reused
 * exactly n x 256 times sends to the wrong MAC of the same interface.
 */
#ifndef FENDER_DATAPLANE_NET_NEIGHBOUR_H
#define FENDER_DATAPLANE_NET_NEIGHBOUR_H

#include <stdint.h>

enum { NEIGHBOUR_ENTRIES = 4096, NEIGHBOUR_NONE = 0xffff };
enum { NEIGHBOUR_CANDIDATES = 16 }; /* places an address may be at */
enum { NEIGHBOUR_QUESTIONS = 3 };

#define NEIGHBOUR_RETRY_NS     1000000000ull  /* between two questions */
#define NEIGHBOUR_FAILED_NS    5000000000ull  /* pause after the last one */
#define NEIGHBOUR_REACHABLE_NS 30000000000ull /* a confirmation is good for */
#define NEIGHBOUR_RECENT_NS    60000000000ull

enum neighbour_state {
	NEIGHBOUR_FREE = 0,
	NEIGHBOUR_INCOMPLETE, /* asked, no answer yet */
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_STALE,  /* still used; probed when it is */
	NEIGHBOUR_FAILED, /* did not answer; asked again after a pause */
	NEIGHBOUR_STATIC, /* from the policy, never changes */
	NEIGHBOUR_KERNEL, /* of a shared interface: good until the kernel says otherwise */
};

struct neighbour_table;

/* Where and how to send: the answer of neighbour_resolve(). */
struct neighbour_view {
	uint8_t mac[6]; /* set when the answer is 0 */
	uint8_t state;
	uint8_t generation;
	/* The caller is the one to send a question now: 1 everybody, 2 unicast probe, else 0. */
	uint8_t ask;
};

/**
 * neighbour_table_create() - an empty table (256 KiB, touched as it fills)
 * @seed: random, so that a stranger cannot aim at one set
 * Return: NULL without memory.
 */
struct neighbour_table *neighbour_table_create(uint64_t seed);
void neighbour_table_destroy(struct neighbour_table *t);

/* Static entry; a second call for the same address changes its MAC. Return 0 or -ENOSPC. */
int neighbour_set_static(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			 const uint8_t mac[6]);

/**
 * neighbour_find() - entry of an address, made INCOMPLETE when new
 * Return: its number, or NEIGHBOUR_NONE when the table is full of entries in recent use.
 * Any thread; *generation receives what packets must check.
 */
uint16_t neighbour_find(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			uint64_t now_ns, uint8_t *generation);

/**
 * neighbour_resolve() - read an entry for sending
 *
 * view->ask is set for at most one caller per NEIGHBOUR_RETRY_NS. INCOMPLETE: after
 * NEIGHBOUR_QUESTIONS questions without an answer FAILED, for NEIGHBOUR_FAILED_NS, then asked
 * again. REACHABLE becomes STALE NEIGHBOUR_REACHABLE_NS after its last confirmation; STALE is
 * probed when used and becomes INCOMPLETE when as many probes got no answer. KERNEL stays; it
 * is probed when used NEIGHBOUR_REACHABLE_NS after its last confirmation.
 *
 * Return: 0 with a usable MAC; -EAGAIN still resolving; -EHOSTUNREACH failed; -ESTALE the
 * generation differs: find it again. Any thread.
 */
int neighbour_resolve(struct neighbour_table *t, uint16_t number, uint8_t generation,
		      uint64_t now_ns, struct neighbour_view *view);

/*
 * Learn from an ARP or ND message. Creates no entry, except when @create (we were asked by it,
 * so we shall answer). @override and @solicited as RFC 4861 7.2.5; ARP replies pass 1, 1,
 * questions of others 1, 0. A multicast or zero MAC is ignored, and who has
 * no address yet (a probe, all zero). Any thread.
 */
void neighbour_learn(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
		     const uint8_t mac[6], int create, int override, int solicited,
		     uint64_t now_ns);

/*
 * The kernel has a neighbour on a shared interface, or has it no longer: then what was learnt is
 * used on, and asked for when used. Static entries stay. Return: 0; -EINVAL not an address of one
 * station; -ENOSPC. Any thread.
 */
int neighbour_set_kernel(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			 const uint8_t mac[6], uint64_t now_ns);
void neighbour_kernel_gone(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16]);

/* Address and interface of an entry (to ask for it). Return 0, -1 when the generation differs. */
int neighbour_address(const struct neighbour_table *t, uint16_t number, uint8_t generation,
		      uint8_t *interface, uint8_t ip[16]);

#endif
