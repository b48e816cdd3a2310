/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces of the policy as DPDK ports. Started once, by the main thread. */
#ifndef FENDER_DATAPLANE_PORT_H
#define FENDER_DATAPLANE_PORT_H

#include <stdint.h>

#include "shm/image.h"

struct rte_mempool;

struct port {
	uint16_t id;	   /* DPDK port id */
	uint8_t kind;	   /* enum image_device */
	uint8_t interface; /* index in the image; ports[interface] */
	uint16_t queues;   /* receive = transmit queues; worker i polls queue i when i < queues */
	uint16_t mtu;	   /* IP bytes */
	uint16_t vlan;	   /* 0: untagged */
	uint8_t mac[6];
	uint8_t may_be_partial; /* checksums of veth and tap peers (FACTS 5) */
	uint8_t started;
	uint16_t pad;
	int queue_fd[MAX_WORKERS]; /* becomes readable when frames arrive; -1: must be polled */
};

struct ports {
	uint32_t count; /* = interfaces of the image */
	struct port port[MAX_INTERFACES];
	struct rte_mempool *pool; /* one for all: af_xdp then sends without a copy */
};

/**
 * ports_start() - probe, configure and start every interface of an image
 * @why: at least 256 bytes; one sentence that names the interface and what to do
 * Return: 0 or -errno; on failure everything started is stopped again.
 */
int ports_start(struct ports *ports, const struct image_header *image, char *why, size_t why_size);
void ports_stop(struct ports *ports);

#endif
