/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in the limiter's maps: the contract of the XDP program (ebpf/fender.bpf.c), the
 * control plane (controlplane/limits.h), and the workers (snat_owner). Fixed-width integers, no
 * hidden padding; every size is asserted, on both sides by this one file. All times are
 * CLOCK_MONOTONIC ns. docs/limiter.md has the table of maps and who writes which.
 */
#ifndef FENDER_EBPF_MAPS_H
#define FENDER_EBPF_MAPS_H

#include <linux/types.h>

#include "ebpf/limit.h"
#include "shm/histogram_bucket.h"

enum limit_sizes {
	LIMIT_INTERFACES = 16,
	LIMIT_MAX_LISTENERS = 2048, /* numbers are slots of the state registry */
	LIMIT_MAX_QUEUES = 64,      /* of one interface */
	LIMIT_DEVICES = 1024,       /* slots of "devices" */
	LIMIT_DEVICE_TRIES = 4,     /* slots that one device may have */
	LIMIT_ABI = 2,              /* raised with every change of this file */
};

/* IPv4 as ::ffff:a.b.c.d. Words in network order. */
struct limit_ip {
	__be32 word[4];
};

/* ARRAY "config", one row. Written by the control plane. */
struct limit_config {
	/*
	 * generation << 1 | half: which half of "listener_rules" is in force. One 64-bit store puts
	 * a whole generation in force on every CPU.
	 */
	__u64 active;
	__u32 abi;
	__u32 pad;
};
_Static_assert(sizeof(struct limit_config) == 16, "ABI");

enum limit_interface_flag {
	LIMIT_CONFIGURED = 1 << 0, /* without it every frame goes to the kernel, counted */
	LIMIT_EXCLUSIVE = 1 << 1,  /* all frames are Fender's, but for addresses of the kernel */
	LIMIT_LOST_PASS = 1 << 2,  /* no dataplane will come back: frames go to the kernel */
	LIMIT_HAS_SNAT = 1 << 3,   /* snat_low..snat_high are set */
	LIMIT_UNLIMITED = 1 << 4,  /* says whose a frame is and limits nothing */
};

/* ARRAY "interfaces", LIMIT_INTERFACES rows. Written by the control plane. */
struct limit_interface {
	__u32 flags;     /* enum limit_interface_flag */
	__u16 vlan;      /* 0: untagged; frames with another tag are not Fender's */
	__u16 snat_low;  /* host order, inclusive */
	__u16 snat_high; /* inclusive */
	__u16 pad[3];
};
_Static_assert(sizeof(struct limit_interface) == 16, "ABI");

/*
 * ARRAY "devices": which interface a network device is. Its slot is its index modulo LIMIT_DEVICES,
 * or one of the next LIMIT_DEVICE_TRIES - 1. Written by the dataplane before it attaches the
 * program.
 */
struct limit_device {
	__u32 if_index;  /* 0: free */
	__u32 interface; /* row of "interfaces" */
};
_Static_assert(sizeof(struct limit_device) == 8, "ABI");

/* HASH "addresses": the interface's own addresses. Written by the control plane. */
struct limit_address_key {
	struct limit_ip ip;
	__u32 interface; /* row of "interfaces" */
};
_Static_assert(sizeof(struct limit_address_key) == 20, "ABI");

enum limit_address_flag {
	LIMIT_KERNEL_ADDRESS = 1 << 0, /* the kernel's, on an exclusive interface */
	LIMIT_SNAT_ADDRESS = 1 << 1,   /* snat_tcp and snat_udp are set */
};

struct limit_address {
	__u32 flags;    /* enum limit_address_flag */
	__u32 snat_tcp; /* place in snat_owner and snat_flows of (TCP, snat_low) */
	__u32 snat_udp;
};
_Static_assert(sizeof(struct limit_address) == 12, "ABI");

/* HASH "listeners": key to the listener's number (__u32). Written by the control plane. */
struct limit_listener_key {
	struct limit_ip ip;
	__be16 port;
	__u8 proto; /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 interface;
};
_Static_assert(sizeof(struct limit_listener_key) == 20, "ABI");

enum limit_action {
	LIMIT_DROP = 0,
	LIMIT_MARK = 1, /* TCP that is ECN-capable: CE up to the hard rules; the rest is dropped */
	LIMIT_OBSERVE = 2,
};

/* Which limits a listener has. */
enum limit_present {
	LIMIT_HAS_PACKETS = 1 << 0, /* per connection */
	LIMIT_HAS_BYTES = 1 << 1,   /* per connection */
	LIMIT_HAS_SOURCE = 1 << 2,
	LIMIT_HAS_LISTENER = 1 << 3,
	LIMIT_TO_ENDPOINT = 1 << 4, /* directions of the limits per connection */
	LIMIT_TO_CLIENT = 1 << 5,
	LIMIT_PER_CONNECTION = LIMIT_HAS_PACKETS | LIMIT_HAS_BYTES,
	LIMIT_PER_START = LIMIT_HAS_SOURCE | LIMIT_HAS_LISTENER,
};

/*
 * ARRAY "listener_rules": row 2 * listener + half. Written by the control plane, only the half that
 * is not in force. All zero: no limits.
 */
struct limit_rules {
	__u32 present;      /* enum limit_present */
	__u8 action;        /* of the limits per connection: enum limit_action */
	__u8 source_action; /* LIMIT_DROP or LIMIT_OBSERVE */
	__u8 listener_action;
	__u8 pad;
	/*
	 * Words written under another shape start anew, full. Changes with the algorithm and when
	 * observe becomes enforce; not with rate and burst.
	 */
	__u32 connection_shape;
	__u32 source_shape;
	__u32 listener_shape;
	/* UDP: a flow that was quiet for longer than this begins anew; 0: never. limit_tick()s */
	__u32 udp_idle;
	struct limit_rule connection[2]; /* packets, bytes */
	struct limit_rule hard[2];       /* LIMIT_MARK: the same with twice the ceiling */
	struct limit_rule source;        /* starts of connections, per source */
	struct limit_rule listener;      /* starts of connections */
	struct limit_rule coarse;        /* buckets that start full; the back-up of eviction */
};
_Static_assert(sizeof(struct limit_rules) == 24 + 7 * sizeof(struct limit_rule), "ABI");

/*
 * One bucket of a connection: one direction. LRU_HASH "connections4" and "connections6": towards
 * the endpoint, by the 5-tuple. ARRAY "snat_flows": towards the client, by SNAT port; never
 * evicted. Written by the XDP program, on any CPU.
 */
struct limit_flow {
	__u64 words[2]; /* limiter words: packets, bytes */
	/* (packets << 40) + bytes passed, modulo 2^64: a difference of two readings is exact
	 * below 2^24 packets and 2^40 bytes */
	__u64 passed;
	__u32 refused; /* packets dropped, marked, or that would have been; wraps */
	__u32 shape;   /* the rules' connection_shape when the words began */
	__u32 epoch;   /* snat_flows: of the owner when the words began */
	__u32 seen;    /* UDP towards the endpoint: limit_tick() of the last packet that passed */
};
_Static_assert(sizeof(struct limit_flow) == 40, "ABI");

enum { LIMIT_PASSED_SHIFT = 40, LIMIT_TICK_SHIFT = 20 };

/* Ticks of 1.05 ms, modulo 2^32: differences below 26 days are told right. */
static __always_inline __u32 limit_tick(__u64 now_ns)
{
	return (__u32)(now_ns >> LIMIT_TICK_SHIFT);
}

/* Keys of connections. Addresses and ports as on the wire. */
struct limit_key4 {
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
	__u16 listener;
	__u8 proto;
	__u8 pad;
};
_Static_assert(sizeof(struct limit_key4) == 16, "ABI");

struct limit_key6 {
	struct limit_ip src;
	struct limit_ip dst;
	__be16 sport;
	__be16 dport;
	__u16 listener;
	__u8 proto;
	__u8 pad;
};
_Static_assert(sizeof(struct limit_key6) == 40, "ABI");

/* LRU_HASH "sources": starts of one source's connections to one listener. XDP program. */
struct limit_source_key {
	struct limit_ip ip;
	__u32 listener;
};
_Static_assert(sizeof(struct limit_source_key) == 20, "ABI");

struct limit_source {
	__u64 word;
	__u32 refused;
	__u32 shape;
};
_Static_assert(sizeof(struct limit_source) == 16, "ABI");

/* ARRAY "listener_words", a row a listener. XDP program, on any CPU. */
struct limit_listener {
	__u64 starts; /* of connections */
	__u64 coarse; /* of full buckets */
	__u32 shape;
	__u32 pad[11];
};
_Static_assert(sizeof(struct limit_listener) == 64, "a cache line");

/*
 * ARRAY "snat_owner", BPF_F_MMAPABLE: one word a SNAT port, protocol and address, stored whole by
 * the worker that deals the port. 0: free. The epoch (never 0) is another one at every taking, so
 * that a port's next connection begins with a bucket of its own.
 */
#define LIMIT_OWNER(listener, epoch) ((__u64)(epoch) << 32 | (__u64)(listener) << 1 | 1)
#define LIMIT_OWNER_EPOCH(word)      ((__u32)((word) >> 32))
#define LIMIT_OWNER_LISTENER(word)   ((__u32)(word) >> 1)

/*
 * What became of a frame. Each frame is counted under exactly one: in its listener's row when it
 * belongs to one, else in its interface's.
 */
/*       enumerator       name                      goes to */
#define LIMIT_VERDICTS(X)                                                                       \
	X(PASSED, passed)                      /* Fender */                                     \
	X(MARKED, marked)                      /* Fender, with CE */                            \
	X(CONNECTION, rate_limited_connection) /* nowhere */                                    \
	X(SOURCE, rate_limited_source)         /* nowhere */                                    \
	X(LISTENER, rate_limited_listener)     /* nowhere */                                    \
	X(CONTENDED, rate_limited_contended)   /* nowhere: other CPUs kept changing the word */ \
	X(COLD, rate_limited_cold)             /* nowhere: no SYN, no bucket, none to be had */ \
	X(WOULD_CONNECTION, would_rate_limit_connection) /* Fender, as the others in observe */ \
	X(WOULD_SOURCE, would_rate_limit_source)                                                \
	X(WOULD_LISTENER, would_rate_limit_listener)                                            \
	X(WOULD_CONTENDED, would_rate_limit_contended)                                          \
	X(WOULD_COLD, would_rate_limit_cold)                                                    \
	X(NO_SOCKET, no_socket) /* nowhere: no worker listens on the queue */                   \
	X(FRAGMENT, fragment)   /* nowhere: of a connection of Fender's */                      \
	X(KERNEL, kernel)       /* the kernel: not Fender's, or LIMIT_LOST_PASS */

enum limit_verdict_name {
#define X(id, name) LIMIT_VERDICT_##id,
	LIMIT_VERDICTS(X)
#undef X
		LIMIT_VERDICT_COUNT,
};

/* What happened beside the verdict. */
enum limit_event {
	LIMIT_EVENT_FULL_START, /* a bucket began full */
	LIMIT_EVENT_COLD_START, /* began empty: no SYN, or too many full ones */
	LIMIT_EVENT_COUNT,
};

enum { LIMIT_COUNTER_SLOTS = 16, LIMIT_EVENT_SLOTS = 4 };
_Static_assert((int)LIMIT_VERDICT_COUNT <= (int)LIMIT_COUNTER_SLOTS, "counters are full");
_Static_assert((int)LIMIT_EVENT_COUNT <= (int)LIMIT_EVENT_SLOTS, "events are full");

/*
 * PERCPU_ARRAY "counters": LIMIT_INTERFACES rows of interfaces, then a row a listener. XDP program;
 * each CPU its own.
 */
struct limit_counters {
	__u64 packets[LIMIT_COUNTER_SLOTS];
	__u64 bytes[LIMIT_COUNTER_SLOTS]; /* IP length; of frames without IP the frame's */
	__u64 events[LIMIT_EVENT_SLOTS];
};
_Static_assert(sizeof(struct limit_counters) == 288, "ABI");

enum {
	LIMIT_TIME_SHIFT = 30, /* octaves of times begin at 2^-30 s */
	LIMIT_TIME_OCTAVES = 20,
	LIMIT_TIME_BUCKETS = LIMIT_TIME_OCTAVES * HISTOGRAM_OCTAVE_BUCKETS,
	/* A verdict is timed when these bits of the time it is taken at are 0: one in 256. */
	LIMIT_TIMED_MASK = 0xff,
};

/*
 * PERCPU_ARRAY "verdict_times", one row: how long verdicts took. XDP program; each CPU its own. A
 * time includes one reading of the clock.
 */
struct limit_times {
	__u64 sum_ns;
	__u64 under; /* 0 ns */
	__u64 over;  /* beyond 2^-10 s: the CPU was away */
	__u64 pad;
	__u64 bucket[LIMIT_TIME_BUCKETS];
};
_Static_assert(sizeof(struct limit_times) == 2592, "ABI");

#endif
