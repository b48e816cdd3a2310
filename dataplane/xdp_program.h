/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our XDP program in front of an AF_XDP port, in place of the one that DPDK's driver would load,
 * attach and detach by itself. One program and one xsks_map serve all queues of all devices.
 *
 * The order: load; a socket on each queue, which goes into the map; attach. So frames
 * meet the program that was there before (with the sockets of a dead process it drops what is
 * Fender's) until the new one can hand all of them over, and a process that does not get the
 * queues changes nothing. Main thread only.
 */
#ifndef FENDER_DATAPLANE_XDP_PROGRAM_H
#define FENDER_DATAPLANE_XDP_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "ebpf/attach.h"

/* Where a program is attached. */
struct xdp_device {
	const char *root; /* where the control plane pins maps and programs */
	const char *name;
	int if_index;
	uint32_t row; /* of the limiter's map "interfaces" */
};

/**
 * xdp_program_load() - the program for one device, for xdp_program_close()
 * @why: continues "interface 'net': "; names a program that is in the way
 * The attached one where that would be the same, else the one that the control plane has loaded,
 * within some ms; of another build than the control plane's it is loaded, once for all devices:
 * some 100 ms. Return: 0; -EBUSY: another program is there; -errno.
 */
int xdp_program_load(struct attach_program *program, const struct xdp_device *device, char *why,
		     size_t why_size);

/*
 * Around the driver's opening and closing of a queue: its socket goes into this program's map, and
 * it loads, attaches and detaches nothing. None: it does as it likes. @row: the device's, of
 * "interfaces".
 */
void xdp_program_enter(const struct attach_program *program, uint32_t row);
void xdp_program_leave(void);

/*
 * After all sockets were opened. *generic: the driver takes no programs, ours runs on socket
 * buffers. Return: 0 or -errno with a sentence.
 */
int xdp_program_attach(const struct attach_program *program, const struct xdp_device *device,
		       int *generic, char *why, size_t why_size);

/* What is attached stays so. None is allowed. */
void xdp_program_close(struct attach_program *program);

/* Before libxdp's program is used: take ours away, which an earlier run left. */
void xdp_program_make_way(int if_index);

#endif
