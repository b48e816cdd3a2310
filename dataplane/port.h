/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces of the policy as DPDK ports. Started once, by the main thread. */
#ifndef FENDER_DATAPLANE_PORT_H
#define FENDER_DATAPLANE_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/pool.h"
#include "dataplane/snat_owner.h"
#include "ebpf/attach.h"
#include "shm/counters.h"
#include "shm/image.h"
#include "shm/layout.h"

/*
 * A queue as DPDK names it. An AF_XDP queue is a DPDK port of its own: the driver allows no
 * second one on devices without combined channels (veth).
 */
struct port_queue {
	uint16_t port;
	uint16_t queue;
};

struct port {
	uint8_t kind;      /* enum image_device */
	uint8_t interface; /* index in the image; ports[interface] */
	uint16_t queues;   /* receive = transmit queues; worker i polls queue i when i < queues */
	uint16_t mtu;      /* IP bytes */
	uint16_t vlan;     /* 0: untagged */
	uint8_t mac[6];
	uint8_t may_be_partial; /* checksums of veth and tap peers (FACTS 5) */
	uint8_t shared;         /* the kernel has the address: it answers ARP, ND and ping there */
	uint8_t started;        /* main thread clears it when the device is gone */
	struct port_queue queue[MAX_WORKERS];
	int queue_fd[MAX_WORKERS]; /* becomes readable when frames arrive; -1: must be polled */

	/* The main thread's. */
	uint16_t open;      /* queues that are set up */
	uint16_t dpdk_port; /* pci, vdev: the one port */
	int if_index;       /* AF_XDP: of the netdev */
	int claim_fd;
	int multicast_fd;
	int hardware;                  /* AF_XDP: a NIC's driver, not a veth's */
	int had_program;               /* the netdev carried an XDP program before us */
	uint8_t ours;                  /* AF_XDP: our XDP program, else libxdp's */
	uint32_t row;                  /* of the limiter's map "interfaces" */
	struct attach_program program; /* ours */
	char device[64];               /* netdev, PCI address or name of the vdev */
	uint64_t missed_before;        /* port_status when we started: it counts on */
	uint64_t nombuf_before;
};

struct ports {
	uint32_t count; /* = interfaces of the image */
	struct port port[MAX_INTERFACES];
	struct rte_mempool *pool; /* one for all: af_xdp then sends without a copy */
	struct pool buffers;
	const char *bpf_root; /* where the limiter's maps are pinned; NULL: no program of ours */
	struct snat_owners owners;
};

struct ports_config {
	const struct image_header *image;
	const struct interface_control *control; /* [MAX_INTERFACES], in the region */
	const char *bpf_root;                    /* NULL: none; must outlive the ports */
	int is_restart; /* sockets of a dead process may still hold what is needed */
};

/**
 * ports_start() - probe, configure and start every interface of an image
 * @status: MAX_INTERFACES entries in the region; the main thread is their writer
 * @why: at least 256 bytes; one sentence that names the interface and what to do
 * Return: 0 or -errno; on failure everything started is stopped again.
 */
int ports_start(struct ports *ports, const struct ports_config *config, struct port_status *status,
		char *why, size_t why_size);
/* No worker may use them any more. libxdp's programs are detached, ours stay. */
void ports_stop(struct ports *ports);

/*
 * Write link state and losses of every port to @status; stop those whose device is gone (their
 * bit is in the result). A system call or two a port: some times a second at most.
 */
uint32_t ports_observe(struct ports *ports, struct port_status *status);

#endif
