/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces "af_xdp:<netdev>". Such a device is Fender's alone: it receives every frame.
 *
 * The XDP program is the one libxdp brings; its fall-through, when no socket is there, passes
 * frames to the kernel, which has no address on the device. A killed process leaves the program
 * behind; the next one finds and uses it.
 */
#ifndef FENDER_DATAPLANE_AF_XDP_H
#define FENDER_DATAPLANE_AF_XDP_H

#include "dataplane/port.h"

enum {
	AF_XDP_DESCRIPTORS = 2048, /* receive and transmit ring of a queue */
	/* What a queue holds: its fill ring (the driver's fixed size), frames being sent. */
	AF_XDP_QUEUE_BUFFERS = 2048 + 512,
};

/**
 * af_xdp_probe() - judge the netdev; fills everything of @port but its queues
 * @mtu: of the policy, 0: the device's own
 * @why: continues the sentence "interface 'net': "
 * Return: 0 or -errno, then nothing is held.
 */
int af_xdp_probe(struct port *port, const char *netdev, uint32_t mtu, uint32_t workers, char *why,
		 size_t why_size);

/* Open one socket a queue. On failure af_xdp_close() is still due. */
int af_xdp_open(struct port *port, const struct ports *ports, char *why, size_t why_size);

/* Close what is open; the XDP program goes with it. */
void af_xdp_close(struct port *port);

#endif
