/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limiter's maps: made and pinned here, filled from a policy, read for the statistics. What
 * lies in them is ebpf/maps.h. All functions are the control plane's, from one thread; none
 * touches a program that is attached, so limits change without reloading one.
 *
 * The pins outlive the control plane, and so do the connections' state and the counters: a later
 * limits_open() meets them again.
 */
#ifndef FENDER_CONTROLPLANE_LIMITS_H
#define FENDER_CONTROLPLANE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "ebpf/limit_rule.h"
#include "ebpf/maps.h"
#include "shm/histogram.h"

struct limits;

/* What the maps must hold. Fixed while the pins exist. */
struct limits_sizes {
	uint32_t listeners;   /* numbers below this, at most LIMIT_MAX_LISTENERS */
	uint32_t connections; /* of each family at a time; the maps have twice that and 256 a CPU */
	uint32_t sources;     /* likewise */
	uint32_t snat_ports;  /* over all addresses, both protocols: limits_snat_ports() */
};

/**
 * limits_open() - make and pin the maps, or open those that are pinned
 * @root: a folder of its own on a BPF file system; made if it is not there
 * @why: at least 160 bytes
 *
 * Where it makes maps it loads the program once, so that a kernel that does not take it, or a
 * missing privilege, is known here and not when a port starts.
 * Return: for limits_close(). NULL: errno and a sentence in @why. errno is
 *   ESTALE  the pins are another version's or of other sizes: limits_remove() them, once no
 *           port uses them, and open again
 *   ENODEV  @root is not on a BPF file system
 *   EPERM, EACCES, EINVAL, …: the kernel's
 */
struct limits *limits_open(const char *root, const struct limits_sizes *sizes, char *why,
			   size_t why_size);

/* The pins stay. NULL is allowed. */
void limits_close(struct limits *l);

/* Whether limits_open() has pinned maps in @root. */
int limits_pinned(const char *root);

/*
 * Unpin what limits_open() pinned, and remove @root unless something else is pinned in it. Nothing
 * there is no error. Return: 0, -errno.
 */
int limits_remove(const char *root);

struct limits_interface {
	uint8_t number; /* row, below LIMIT_INTERFACES; the one given to device_set() */
	uint8_t exclusive;
	uint8_t unlimited; /* the program says whose a frame is and limits nothing */
	uint16_t vlan;     /* 0: untagged */
	uint16_t snat_low; /* host order, inclusive; 0: no SNAT */
	uint16_t snat_high;
};

struct limits_address {
	struct limit_ip ip; /* IPv4 mapped */
	uint8_t interface;
	uint8_t kernel; /* the kernel's, on an exclusive interface; has no SNAT ports */
};

/* A listener's limits. LIMIT_NONE: that one is absent. */
struct limits_rules {
	struct limit_spec packets; /* per connection and direction */
	struct limit_spec bytes;
	struct limit_spec source;   /* starts of connections, per source */
	struct limit_spec listener; /* starts of connections */
	struct limit_spec coarse;   /* buckets that begin full; LIMIT_NONE: by the map's size */
	uint32_t directions;        /* LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT; for packets and bytes */
	uint8_t action;             /* for packets and bytes: enum limit_action */
	uint8_t source_action;      /* LIMIT_DROP or LIMIT_OBSERVE */
	uint8_t listener_action;
	uint32_t udp_idle_ms; /* a flow that was quiet for longer is over; 0: never */
};

struct limits_listener {
	uint32_t number;    /* slot of the state registry: stable while its name is */
	struct limit_ip ip; /* all zero, or mapped zero: every address of the interface */
	uint16_t port;      /* network order */
	uint8_t proto;      /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t interface;
	struct limits_rules rules;
};

/*
 * A whole policy. A listener that left it stays listed until its connections have drained, or
 * they lose their limits and, on a shared interface, their packets. Interfaces and addresses
 * change only with a restart of the dataplane: SNAT ports are placed by their order.
 */
struct limits_policy {
	uint64_t generation; /* below 2^63 */
	const struct limits_interface *interfaces;
	size_t interface_count;
	const struct limits_address *addresses;
	size_t address_count;
	const struct limits_listener *listeners;
	size_t listener_count;
	uint8_t lost_pass; /* no dataplane will come back: LIMIT_LOST_PASS on every interface */
	/* Other listeners keep what the maps have of them: who was there before may know them. */
	uint8_t keep_others;
};

/* How many places in snat_owner the policy needs: struct limits_sizes. */
uint64_t limits_snat_ports(const struct limits_policy *policy);

/* Whose a place in snat_owner is: address, port (host order) and protocol. Return: 0, -ENOENT. */
struct limits_port {
	struct limit_ip ip;
	uint16_t port;
	uint8_t proto;
};
int limits_port_of(const struct limits_policy *policy, uint32_t place, struct limits_port *out);

/**
 * limits_apply() - put a policy in force
 *
 * Checks all of it, then writes the half of the rules that is not in force, and switches halves
 * with one store. On return no packet is judged by the old rules any more (at most some tens of
 * ms). A listener's address that is new, or changes its listener, has no limits for the
 * microseconds until the switch.
 * @why: at least 160 bytes
 * Return: 0. -EINVAL, -ERANGE, -ENOSPC: nothing has changed; -errno: the kernel refused an
 * update, the old rules are in force; a sentence in @why.
 */
int limits_apply(struct limits *l, const struct limits_policy *policy, char *why, size_t why_size);

/* The generation in force; 0: none yet. */
uint64_t limits_generation(const struct limits *l);

/* Begin anew what is kept of listener @number: another name has its slot now. Return: 0, -errno. */
int limits_forget_listener(struct limits *l, uint32_t number);

/* Counters of a listener or interface, all CPUs together; any thread. Return: 0, -errno (-ENOENT:
 * no such). */
int limits_listener_counters(const struct limits *l, uint32_t listener, struct limit_counters *sum);
int limits_interface_counters(const struct limits *l, uint8_t interface,
			      struct limit_counters *sum);

/* How long the XDP program took for its verdicts (one in 256). Any thread. Return: 0, -errno. */
int limits_verdict_times(const struct limits *l, struct histogram_sum *sum);

/* "rate_limited_connection" for LIMIT_VERDICT_CONNECTION, and so on; else "unknown". */
const char *limits_verdict_name(unsigned int verdict);

/* One direction of a connection, as its bucket knows it. */
struct limits_connection {
	struct limit_ip src; /* towards the client all of the tuple is zero: place says who */
	struct limit_ip dst;
	uint16_t sport; /* network order */
	uint16_t dport;
	uint16_t listener;
	uint8_t proto;
	uint8_t to_client;
	uint32_t place;   /* towards the client: of its SNAT port in snat_owner */
	uint32_t refused; /* packets since the entry began; of them marked and observed ones too */
	uint64_t passed;  /* struct limit_flow; limits_passed() */
};

/**
 * limits_top() - the connections that were refused most; any thread
 * @top: room for @count, most refused first; those that were refused nothing are left out
 *
 * Walks all entries (some 10 ms for 100,000); entries made or evicted meanwhile may be missed or
 * seen twice. Two calls some time apart give rates: limits_passed().
 * Return: how many, or -errno.
 */
int limits_top(const struct limits *l, struct limits_connection *top, size_t count);

/* Packets and bytes that passed between two readings of one connection's @passed. */
void limits_passed(uint64_t before, uint64_t after, uint64_t *packets, uint64_t *bytes);

#endif
