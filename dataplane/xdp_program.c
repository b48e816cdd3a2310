/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/xdp_program.h"

#include "dataplane/log.h"
#include "ebpf/device.h"
#include "ebpf/loaded.h"
#include "ebpf/maps.h"
#include "ebpf/object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/xsk.h>

/* A queue whose last owner has ended: the kernel frees it in a moment, on a busy machine later. */
enum { QUEUE_TRIES = 1000, QUEUE_PAUSE_MS = 1 };

static const struct attach_program none = {-1, -1};
static const struct attach_program *entered;
static uint32_t entered_row;

static void name_other(const struct attach_found *found, const char *device, char *why,
		       size_t why_size)
{
	snprintf(why, why_size,
		 "%s carries an XDP program that is not Fender's: %s%sid %u (`bpftool prog show id "
		 "%u`); stop what put it there, or take it away: `ip link set dev %s xdp%s off`",
		 device, found->name, found->name[0] ? ", " : "", found->id, found->id, device,
		 found->generic ? "generic" : "");
}

static int check(const struct xdp_device *device, char *why, size_t why_size)
{
	struct attach_found found;
	int rc = attach_look(device->root, device->if_index, &found);

	if (rc) {
		snprintf(why, why_size, "cannot ask %s for its XDP program: %s", device->name,
			 strerror(-rc));
		return rc;
	}
	if (!found.id || found.ours || found.free)
		return 0;
	name_other(&found, device->name, why, why_size);
	return -EBUSY;
}

static void explain_bind(int rc, const char *root, const char *map, char *why, size_t why_size)
{
	const char *hint = "";

	if (rc == -ESTALE)
		hint = ": it is another version's: stop both programs and start anew";
	else if (rc == -ENOENT)
		hint = ": the control plane makes it: start `fender run`";
	else if (rc == -EPERM || rc == -EACCES)
		hint = ": CAP_BPF is needed, and the right to enter the folder";
	snprintf(why, why_size, "cannot use the limiter's map %s/%s: %s%s", root,
		 map ? map : "interfaces", strerror(-rc), hint);
}

static int load(struct attach_program *program, const struct xdp_device *device, char *why,
		size_t why_size)
{
	struct bpf_object *object = object_open();
	const char *map = NULL;
	int rc;

	if (!object) {
		rc = errno ? -errno : -ENOMEM;
		snprintf(why, why_size, "cannot open the XDP program: %s", strerror(-rc));
		return rc;
	}
	rc = object_bind(object, device->root, &map);
	if (rc)
		explain_bind(rc, device->root, map, why, why_size);
	else
		rc = object_load(object, why, why_size);
	if (rc == 0) {
		rc = loaded_take(program, object);
		if (rc)
			snprintf(why, why_size, "too many files are open");
		else
			loaded_pin(device->root, object); /* for the next device */
	}
	bpf_object__close(object);
	return rc;
}

int xdp_program_load(struct attach_program *program, const struct xdp_device *device, char *why,
		     size_t why_size)
{
	int rc = check(device, why, why_size);

	*program = none;
	if (rc)
		return rc;
	if (attach_reuse(device->root, device->if_index, program) == 0) {
		log_line(LOG_LEVEL_DEBUG, "event=xdp_program_kept device=%s", device->name);
		return 0;
	}
	if (loaded_open(device->root, program) == 0) {
		log_line(LOG_LEVEL_DEBUG, "event=xdp_program_met device=%s", device->name);
		return 0;
	}
	log_line(LOG_LEVEL_DEBUG, "event=xdp_program_load device=%s", device->name);
	return load(program, device, why, why_size);
}

void xdp_program_enter(const struct attach_program *program, uint32_t row)
{
	entered_row = row;
	entered = program->program_fd >= 0 ? program : NULL;
}

void xdp_program_leave(void)
{
	entered = NULL;
}

/* The driver's or the kernel's refusal to attach. */
static void explain_attach(int rc, const char *device, char *why, size_t why_size)
{
	int peer = rc == -EINVAL || rc == -ENOSPC || rc == -ERANGE;

	snprintf(why, why_size, "%s does not take the XDP program: %s%s%s", device,
		 log_cause()[0] ? log_cause() : strerror(-rc),
		 rc == -EPERM ? ": CAP_NET_ADMIN and CAP_BPF are needed" : "",
		 peer ? " (a veth: its peer may have no more transmit queues than it has "
			"receive queues)"
		      : "");
}

int xdp_program_attach(const struct attach_program *program, const struct xdp_device *device,
		       int *generic, char *why, size_t why_size)
{
	struct attach_found found = {0};
	int rc;

	rc = device_set(device->root, device->if_index, device->row);
	if (rc) {
		snprintf(why, why_size, "cannot enter %s in the limiter's map %s/devices: %s",
			 device->name, device->root, strerror(-rc));
		return rc;
	}
	log_cause_forget();
	rc = attach_replace(device->root, device->if_index, program);
	if (rc == 0) {
		if (attach_look(device->root, device->if_index, &found) == 0)
			*generic = found.generic;
		return 0;
	}
	if (rc != -EBUSY)
		explain_attach(rc, device->name, why, why_size);
	else if (check(device, why, why_size) == 0)
		snprintf(why, why_size, "the XDP program of %s was changed meanwhile: start again",
			 device->name);
	return rc;
}

void xdp_program_close(struct attach_program *program)
{
	if (program->program_fd >= 0)
		close(program->program_fd);
	if (program->sockets_fd >= 0)
		close(program->sockets_fd);
	*program = none;
}

void xdp_program_make_way(int if_index)
{
	struct attach_found found;

	if (attach_look(NULL, if_index, &found) == 0 && strcmp(found.name, "fender_xdp") == 0)
		bpf_xdp_detach(if_index, 0, NULL);
}

/*
 * Linked in place of what the driver calls (DPDK 22.11, drivers/net/af_xdp: xsk_configure(),
 * remove_xdp_program()) with -Wl,--wrap.
 */
int __real_xsk_socket__create(struct xsk_socket **xsk, const char *device, uint32_t queue,
			      struct xsk_umem *umem, struct xsk_ring_cons *rx,
			      struct xsk_ring_prod *tx, const struct xsk_socket_config *config);
int __wrap_xsk_socket__create(struct xsk_socket **xsk, const char *device, uint32_t queue,
			      struct xsk_umem *umem, struct xsk_ring_cons *rx,
			      struct xsk_ring_prod *tx, const struct xsk_socket_config *config);
int __real_bpf_xdp_detach(int if_index, uint32_t flags, const struct bpf_xdp_attach_opts *options);
int __wrap_bpf_xdp_detach(int if_index, uint32_t flags, const struct bpf_xdp_attach_opts *options);

static int join(struct xsk_socket *xsk, uint32_t queue)
{
	const uint32_t key = entered_row * LIMIT_MAX_QUEUES + queue;
	int fd = xsk_socket__fd(xsk);

	if (!entered)
		return 0;
	if (queue >= LIMIT_MAX_QUEUES)
		return -E2BIG;
	return bpf_map_update_elem(entered->sockets_fd, &key, &fd, BPF_ANY) ? -errno : 0;
}

/* Asked again here and not from above: the driver loses its buffers when this fails. */
int __wrap_xsk_socket__create(struct xsk_socket **xsk, const char *device, uint32_t queue,
			      struct xsk_umem *umem, struct xsk_ring_cons *rx,
			      struct xsk_ring_prod *tx, const struct xsk_socket_config *config)
{
	const struct timespec pause = {.tv_nsec = QUEUE_PAUSE_MS * 1000000};
	struct xsk_socket_config wanted = *config;
	int rc = -EBUSY;

	if (entered)
		wanted.libxdp_flags |= XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
	for (int tries = 0; rc == -EBUSY && tries < QUEUE_TRIES; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		rc = __real_xsk_socket__create(xsk, device, queue, umem, rx, tx, &wanted);
	}
	if (rc)
		return rc;
	rc = join(*xsk, queue);
	if (rc)
		xsk_socket__delete(*xsk);
	return rc;
}

int __wrap_bpf_xdp_detach(int if_index, uint32_t flags, const struct bpf_xdp_attach_opts *options)
{
	return entered ? 0 : __real_bpf_xdp_detach(if_index, flags, options);
}
