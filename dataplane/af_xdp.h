/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces "af_xdp:<netdev>". The XDP program before the sockets is ours (xdp_program.h), which
 * limits, and drops what is Fender's while no socket is there; or libxdp's, which hands over every
 * frame, and passes it to the kernel while no socket is there: only on an exclusive interface,
 * where the kernel has no address. A killed process leaves either behind; the next one replaces
 * ours and uses libxdp's.
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

/*
 * Ours: see that no other program is in the way, and load it; some 100 ms. Needs no queue. After
 * af_xdp_probe(); undone by af_xdp_close().
 */
int af_xdp_load(struct port *port, const struct ports *ports, char *why, size_t why_size);

/*
 * Open one socket a queue, then attach our program. On failure af_xdp_close() is still due.
 * -EAGAIN: may succeed in a moment.
 */
int af_xdp_open(struct port *port, const struct ports *ports, char *why, size_t why_size);

/* Close what is open; libxdp's XDP program goes with it, ours stays attached. */
void af_xdp_close(struct port *port);

#endif
