/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared region: what the control plane and the dataplane both map.
 *
 *   header | section table | 3 policy slots | registry | worker blocks |
 *   interface, listener, cluster, endpoint counters | ports | connections |
 *   policy counters | listener, cluster, endpoint state | sources | outcomes | events |
 *   interface control | limits: counters, connections, sources |
 *   latency histograms | neighbours of the kernel | captured packets
 *
 * Sections are page-aligned, their place and size stand in the section table.
 * No pointers: offsets and indexes only. Every line has one writer, named here.
 * All times are CLOCK_MONOTONIC ns of the boot named by boot_id.
 *
 * Any change of a size or an offset is a new REGION_ABI (tests/unit/shm/test_layout.c
 * holds the golden layout).
 */
#ifndef FENDER_SHM_LAYOUT_H
#define FENDER_SHM_LAYOUT_H

#include <stdint.h>

#include "shm/capture.h"
#include "shm/counters.h"
#include "shm/events.h"
#include "shm/histogram.h"
#include "shm/kernel_neighbours.h"
#include "shm/limit_counters.h"
#include "shm/limits.h"
#include "shm/state.h"

#define REGION_MAGIC 0x4745524e44464f46ull
#define REGION_ABI   3u

enum section_kind {
	SECTION_SLOTS = 1,          /* POLICY_SLOTS x slot_bytes; control plane */
	SECTION_REGISTRY_LISTENERS, /* struct registry_entry; control plane */
	SECTION_REGISTRY_CLUSTERS,
	SECTION_REGISTRY_ENDPOINTS,
	SECTION_WORKERS,            /* struct worker_block x workers; its worker */
	SECTION_INTERFACE_COUNTERS, /* [worker][MAX_INTERFACES]; the worker */
	SECTION_LISTENER_COUNTERS,  /* [worker][listener slots] struct listener_counters */
	SECTION_CLUSTER_COUNTERS,   /* [worker][cluster slots] struct call_counters */
	SECTION_ENDPOINT_COUNTERS,  /* [worker][endpoint slots] struct call_counters */
	SECTION_PORTS,              /* struct port_status x MAX_INTERFACES; dataplane main thread */
	SECTION_CONNECTIONS,        /* [worker][connections_per_worker] struct conn; the worker */
	SECTION_POLICY_COUNTERS,    /* [worker][cluster slots] struct policy_counters; the worker */
	SECTION_LISTENER_STATE,     /* [listener slots], shm/state.h: any worker by atomics */
	SECTION_CLUSTER_STATE,      /* [cluster slots] */
	SECTION_ENDPOINT_STATE,     /* [endpoint slots] */
	SECTION_SOURCES,            /* struct source_line x source_lines */
	SECTION_CLUSTER_OUTCOMES,   /* [worker][cluster slots] struct outcomes; the worker */
	SECTION_ENDPOINT_OUTCOMES,  /* [worker][endpoint slots] */
	SECTION_EVENTS,             /* struct event_ring; any worker, main thread, control plane */
	SECTION_INTERFACES,         /* struct interface_control x MAX_INTERFACES; control plane */
	SECTION_LIMIT_COUNTERS,     /* [worker][listener slots]; the worker */
	SECTION_FLOW_LIMITS,        /* [worker][connections_per_worker]; the worker */
	SECTION_LIMIT_SOURCES,      /* [source_lines]; any worker by atomics */
	SECTION_HISTOGRAMS,         /* [worker][cluster slots]; the worker */
	SECTION_HISTOGRAM_BLOCKS,   /* [worker][16 x cluster slots], shm/histogram.h; the worker */
	SECTION_KERNEL_NEIGHBOURS,  /* struct kernel_neighbours, its header says who writes */
	SECTION_CAPTURE_CONTROL,    /* struct capture_control; control plane */
	SECTION_CAPTURE_RINGS,      /* [worker] struct capture_ring; the worker */
	SECTION_KIND_END,
};

struct section {
	uint32_t kind;
	uint32_t element_bytes;
	uint64_t off;   /* from the region's start, page-aligned */
	uint64_t bytes; /* multiple of the page size */
	uint64_t count; /* elements in all */
};
_Static_assert(sizeof(struct section) == 32, "ABI");

enum { REGION_MAX_SECTIONS = 32 };

/*
 * A name that has state: listener, cluster or endpoint. Open addressing by key, linear
 * probing; an entry's position is the "slot" that counters and connections use. The control
 * plane inserts before it publishes; key is stored last, with release.
 */
struct registry_entry {
	uint64_t key;        /* 0: free, 1: removed */
	uint64_t generation; /* last generation that named it; removed: see registry.h */
	char name[112];      /* listener or cluster name, or "<cluster>/<ip>:<port>" */
};
_Static_assert(sizeof(struct registry_entry) == 128, "ABI");

/*
 * How a dataplane that starts shall open an interface. Written before it is started, and read at
 * its start only: what fell back because the kernel does not take the program stays so.
 */
struct interface_control {
	uint32_t limiter; /* enum image_limiter in force: xdp, dpdk or none */
	uint32_t program; /* enum interface_program */
	uint32_t row;     /* of the limiter's map "interfaces" */
	uint32_t pad[13];
};
_Static_assert(sizeof(struct interface_control) == 64, "ABI");

enum interface_program {
	PROGRAM_NONE = 0,    /* no AF_XDP */
	PROGRAM_FENDER = 1,  /* ebpf/fender.bpf.c, its maps pinned below bpf_root */
	PROGRAM_DEFAULT = 2, /* libxdp's: redirects all, limits nothing */
};

#define DRAIN_RESET_NS 10000000000ull

enum worker_state { WORKER_STOPPED = 0, WORKER_RUNNING = 1, WORKER_PARKED = 2 };

/* One worker's own block. Writer: that worker, but for nothing. */
struct worker_block {
	uint32_t state;              /* enum worker_state */
	uint32_t cpu;                /* it last ran on */
	uint64_t heartbeat_ns;       /* refreshed at least every 100 ms while RUNNING */
	uint64_t applied_generation; /* of the policy it decides by */
	uint64_t loops;
	uint64_t sleeps;
	uint64_t busy_loops; /* loops that found work */
	uint64_t neighbours_pending;
	uint64_t connections_open; /* gauge: entries in use, resting ones included */
	uint64_t connections_resting;
	uint64_t resting_recycled; /* ended early because the table or the ports were short */
	uint64_t challenges_answered;
	uint64_t syn_repeated;
	uint64_t wheel_fired;
	uint64_t applied_ns;      /* when it took applied_generation; stored before that */
	uint64_t refuses_new;     /* 1: as drain_until_ns says; stored after connections_open */
	uint64_t damaged_entries; /* connections ended because their entry was written over */
	struct packet_counters packets;
};
_Static_assert(sizeof(struct worker_block) == 128 + 576, "ABI");

enum nack_reason {
	NACK_NONE = 0,
	NACK_IMAGE,     /* image_check refused it */
	NACK_RESTART,   /* it changes what needs a restart */
	NACK_REGISTRY,  /* a name has no registry entry */
	NACK_RESOURCES, /* memory for the private copy */
};

struct region_header {
	/* Written once at creation. */
	uint64_t magic;
	uint32_t abi_version;
	uint32_t header_bytes;
	uint64_t total_bytes;
	uint64_t region_id; /* random */
	uint64_t hash_seed; /* random: keys the connection table */
	uint64_t created_ns;
	uint8_t boot_id[16];
	char instance[NAME_BYTES];
	uint32_t workers;
	uint32_t connections_per_worker;
	uint32_t listener_slots; /* powers of two, at least twice the capacity */
	uint32_t cluster_slots;
	uint32_t endpoint_slots;
	uint32_t slot_bytes;
	uint32_t source_lines; /* a power of two */
	uint32_t section_count;
	uint32_t ready;         /* 1, stored last with release */
	uint32_t static_crc32c; /* over the fields up to here, and sections */
	uint32_t pad0[6];

	/* Control plane's line. */
	uint64_t active;       /* generation << 2 | slot; 0: nothing published */
	uint64_t writer_epoch; /* of the newest writer, see publisher_begin() */
	uint64_t controlplane_pid;
	uint64_t controlplane_heartbeat_ns;
	uint64_t drain_until_ns; /* until then new connections are refused, and in the last
				  * DRAIN_RESET_NS of it those still open reset; 0: neither */
	uint64_t pad1[3];

	/* Dataplane main thread's lines. */
	uint64_t reading; /* bit i: slot i is being copied */
	uint64_t adopted_generation;
	uint64_t nacked_generation;
	uint64_t nack; /* enum nack_reason */
	uint64_t dataplane_pid;
	uint64_t dataplane_started_ns;
	uint64_t dataplane_heartbeat_ns;
	uint64_t dataplane_starts;
	char nack_text[192];

	struct section sections[REGION_MAX_SECTIONS];
} __attribute__((aligned(64)));
_Static_assert(__builtin_offsetof(struct region_header, active) % 64 == 0, "one writer a line");
_Static_assert(__builtin_offsetof(struct region_header, reading) % 64 == 0, "one writer a line");
_Static_assert(__builtin_offsetof(struct region_header, sections) % 64 == 0, "one writer a line");

#endif
