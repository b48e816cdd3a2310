/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about a network device, and the few things we ask of it. */
#ifndef FENDER_DATAPLANE_NETDEV_H
#define FENDER_DATAPLANE_NETDEV_H

#include <stdint.h>

enum { NETDEV_NAME_BYTES = 16 };

struct netdev {
	char name[NETDEV_NAME_BYTES];
	int if_index;
	int up;       /* administratively */
	int running;  /* and with a carrier */
	int software; /* no hardware behind it, or a virtual machine's: checksums may be partial */
	int passes_all; /* a veth or tap: its driver knows no filter of addresses */
	uint32_t mtu;   /* IP bytes */
	uint32_t rx_queues;
	uint32_t tx_queues;
	uint8_t combined; /* they come in pairs: channels are set as such */
	uint8_t mac[6];
};

/* Everything about @name. Return 0; -ENODEV; -errno. */
int netdev_read(struct netdev *dev, const char *name);

/* Is the device with this index still there under its name? *running: with a carrier. */
int netdev_alive(const char *name, int if_index, int *running);

/* Have exactly @queues combined channels. Return 0 or -errno. */
int netdev_set_queues(const struct netdev *dev, uint32_t queues);

/* VLAN tags stay in received frames; without effect where they do anyway. */
void netdev_keep_vlan_tags(const struct netdev *dev);

/* Id of the attached XDP program, 0 for none, -errno. */
int netdev_xdp_program(const struct netdev *dev);
/* Remove it, whatever it is. */
void netdev_xdp_detach(int if_index);

/*
 * Be the one Fender of this network namespace that uses the device, until the descriptor is
 * closed or the process ends. Return: descriptor; -EADDRINUSE another does; -errno.
 */
int netdev_claim(const struct netdev *dev);

/* Receive every multicast frame (neighbour discovery) while the descriptor is open. */
int netdev_all_multicast(const struct netdev *dev);

#endif
