/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program of two interfaces with maps of its own, on a BPF file system of its own, driven
 * by BPF_PROG_TEST_RUN. Interface 0 is exclusive, 1 is shared and has SNAT ports.
 */
#ifndef FENDER_TESTS_UNIT_EBPF_XDP_WORLD_H
#define FENDER_TESTS_UNIT_EBPF_XDP_WORLD_H

#include <linux/bpf.h>

#include "controlplane/limits.h"
#include "tests/unit/ebpf/xdp_frame.h"

#define APP_IP   "10.9.0.1" /* interface 0 */
#define APP_IP6  "fd00:9::1"
#define KEPT_IP  "10.9.0.2" /* the kernel's, on interface 0 */
#define KEPT_IP6 "fd00:9::2"
#define NET_IP   "10.8.0.1" /* interface 1 */
#define NET_IP6  "fd00:8::1"

enum {
	APP = 0,
	NET = 1,
	TAGGED = 2, /* exclusive, VLAN 7 */
	WORLD_INTERFACES = 3,

	WEB = 1, /* listeners: TCP 80 on APP, both families */
	DNS = 2, /* UDP 53 on APP_IP and APP_IP6 */
	IN = 3,  /* TCP 8080 on NET_IP */
	ANY = 4, /* UDP 5353 on all of NET's IPv4 addresses */
	TAG = 5, /* TCP 80 on TAGGED */
	WORLD_LISTENERS = 8,
	NO_INTERFACE = LIMIT_INTERFACES, /* of world_enter(): a device that the maps do not know */

	SNAT_LOW = 61000,
	SNAT_HIGH = 61003,
	SNAT_PORTS = 4,
	WORLD_CONNECTIONS = 256,
};

struct world {
	struct limits *limits;
	struct bpf_object *program;
	int socket; /* AF_XDP, of all interfaces while world_attach() */
	char root[64];
	char error[256];
	struct limits_rules rules[WORLD_LISTENERS]; /* what world_apply() puts in force */
	uint64_t generation;
	uint8_t lost_pass;
	uint8_t without_in; /* the listener IN left the policy */
	uint8_t keep_others;
	uint32_t connections; /* 0: WORLD_CONNECTIONS */
};

/* Where a frame went: the XDP action, and the one counter that counted it. */
struct outcome {
	uint32_t action;
	int row;     /* of "counters"; -1: none, -2: more than one */
	int verdict; /* enum limit_verdict_name */
};

/*
 * Make a BPF file system and the maps. Return: 0; 1: this process may not, @w->error says why:
 * skip; -1: failed.
 */
int world_open(struct world *w);
void world_close(struct world *w);

/* Load the program; needs maps that are filled or not. Return 0 or -errno. */
int world_load(struct world *w);

/* Sockets on queue 0 of every interface, or none. */
void world_attach(struct world *w, int attached);

/* Put w->rules in force. Return: of limits_apply(). */
int world_apply(struct world *w);
struct limits_policy world_policy(const struct world *w, struct limits_listener *listeners);

/* Test runs come in by a device that is @interface from now on. */
void world_enter(struct world *w, uint32_t interface);

/* Run @frame through the program on @interface @repeat times. Return: the last action. */
uint32_t world_run(struct world *w, uint32_t interface, struct bytes *frame, uint32_t repeat);

/* The same once, and what it counted. */
struct outcome world_meet(struct world *w, uint32_t interface, struct bytes *frame);

/* Store a SNAT port's owner, as a worker does. */
void world_own_port(struct world *w, uint32_t place, uint64_t owner);

/* Descriptor of a map of the program. */
int world_map(const struct world *w, const char *name);

struct limit_counters world_counters(const struct world *w, uint32_t row);

#endif
