/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces "pci:<address>" and "vdev:<arguments>": devices that DPDK drives by itself. */
#ifndef FENDER_DATAPLANE_DEVICE_H
#define FENDER_DATAPLANE_DEVICE_H

#include "dataplane/port.h"

enum { DEVICE_DESCRIPTORS = 1024, DEVICE_QUEUE_BUFFERS = 2 * DEVICE_DESCRIPTORS };

/* As af_xdp_probe(); a vdev is created. */
int device_probe(struct port *port, const char *device, uint32_t mtu, uint32_t workers, char *why,
		 size_t why_size);
int device_open(struct port *port, const struct ports *ports, char *why, size_t why_size);
void device_close(struct port *port);

#endif
