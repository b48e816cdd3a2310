/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ebpf/xdp_world.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ebpf/device.h"
#include "ebpf/object.h"

enum {
	COUNTER_ROWS = LIMIT_INTERFACES + WORLD_LISTENERS,
	LOOPBACK = 1, /* index of the device of test runs */
};

static int skip(struct world *w, const char *why)
{
	snprintf(w->error, sizeof(w->error), "%s: %s", why, strerror(errno));
	return 1;
}

int world_open(struct world *w)
{
	const uint32_t connections = w->connections ? w->connections : WORLD_CONNECTIONS;
	const struct limits_sizes sizes = {.listeners = WORLD_LISTENERS,
					   .connections = connections,
					   .sources = connections,
					   .snat_ports = 2 * 2 * SNAT_PORTS};
	char folder[] = "/tmp/fender-unit-XXXXXX";

	w->socket = -1;
	if (geteuid() != 0) {
		errno = EPERM;
		return skip(w, "BPF needs root");
	}
	if (!mkdtemp(folder))
		return -1;
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", folder, "bpf", 0, NULL)) {
		rmdir(folder);
		return skip(w, "no BPF file system can be mounted");
	}
	snprintf(w->root, sizeof(w->root), "%s/fender-unit", folder);
	w->limits = limits_open(w->root, &sizes, w->error, sizeof(w->error));
	return w->limits ? 0 : -1;
}

void world_close(struct world *w)
{
	bpf_object__close(w->program);
	limits_close(w->limits);
	if (w->socket >= 0)
		close(w->socket);
	if (!w->root[0])
		return;
	limits_remove(w->root);
	*strrchr(w->root, '/') = '\0';
	umount(w->root);
	rmdir(w->root);
}

int world_map(const struct world *w, const char *name)
{
	return bpf_object__find_map_fd_by_name(w->program, name);
}

int world_load(struct world *w)
{
	int rc;

	w->program = object_open();
	if (!w->program)
		return -errno;
	rc = object_bind(w->program, w->root, NULL);
	return rc ? rc : bpf_object__load(w->program);
}

void world_attach(struct world *w, int attached)
{
	int fd = world_map(w, "xsks_map");

	if (w->socket < 0)
		w->socket = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	for (uint32_t i = 0; i < WORLD_INTERFACES; i++) {
		uint32_t queue = i * LIMIT_MAX_QUEUES;

		if (attached)
			bpf_map_update_elem(fd, &queue, &w->socket, BPF_ANY);
		else
			bpf_map_delete_elem(fd, &queue);
	}
}

void world_enter(struct world *w, uint32_t interface)
{
	const uint32_t slot = LOOPBACK;
	const struct limit_device none = {0};

	if (interface == NO_INTERFACE)
		bpf_map_update_elem(world_map(w, "devices"), &slot, &none, BPF_ANY);
	else
		device_set(w->root, LOOPBACK, interface);
}

static const struct limits_interface interfaces[] = {
	{.number = APP, .exclusive = 1},
	{.number = NET, .snat_low = SNAT_LOW, .snat_high = SNAT_HIGH},
	{.number = TAGGED, .exclusive = 1, .vlan = 7},
};

struct limits_policy world_policy(const struct world *w, struct limits_listener *listeners)
{
	static struct limits_address addresses[6];
	const struct limits_listener all[] = {
		{WEB, ip_of(APP_IP), htons(80), IPPROTO_TCP, APP, w->rules[WEB]},
		{WEB, ip_of(APP_IP6), htons(80), IPPROTO_TCP, APP, w->rules[WEB]},
		{DNS, ip_of(APP_IP), htons(53), IPPROTO_UDP, APP, w->rules[DNS]},
		{DNS, ip_of(APP_IP6), htons(53), IPPROTO_UDP, APP, w->rules[DNS]},
		{ANY, ip_of("0.0.0.0"), htons(5353), IPPROTO_UDP, NET, w->rules[ANY]},
		{TAG, ip_of(APP_IP), htons(80), IPPROTO_TCP, TAGGED, w->rules[TAG]},
		{IN, ip_of(NET_IP), htons(8080), IPPROTO_TCP, NET, w->rules[IN]},
	};
	const size_t count = sizeof(all) / sizeof(all[0]);

	addresses[0] = (struct limits_address){ip_of(APP_IP), APP, 0};
	addresses[1] = (struct limits_address){ip_of(APP_IP6), APP, 0};
	addresses[2] = (struct limits_address){ip_of(KEPT_IP), APP, 1};
	addresses[3] = (struct limits_address){ip_of(KEPT_IP6), APP, 1};
	addresses[4] = (struct limits_address){ip_of(NET_IP), NET, 0};
	addresses[5] = (struct limits_address){ip_of(NET_IP6), NET, 0};
	memcpy(listeners, all, sizeof(all));
	return (struct limits_policy){
		.generation = w->generation,
		.interfaces = interfaces,
		.interface_count = sizeof(interfaces) / sizeof(interfaces[0]),
		.addresses = addresses,
		.address_count = 6,
		.listeners = listeners,
		.listener_count = count - w->without_in,
		.lost_pass = w->lost_pass,
		.keep_others = w->keep_others,
	};
}

int world_apply(struct world *w)
{
	struct limits_listener listeners[WORLD_LISTENERS];
	struct limits_policy policy;

	w->generation++;
	policy = world_policy(w, listeners);
	return limits_apply(w->limits, &policy, w->error, sizeof(w->error));
}

uint32_t world_run(struct world *w, uint32_t interface, struct bytes *frame, uint32_t repeat)
{
	struct bytes out;
	struct bpf_test_run_opts o = {
		.sz = sizeof(o),
		.data_in = frame->data,
		.data_size_in = frame->size,
		.data_out = out.data,
		.data_size_out = sizeof(out.data),
		.repeat = (int)repeat,
	};
	struct bpf_program *p = bpf_object__find_program_by_name(w->program, "fender_xdp");

	world_enter(w, interface);
	if (bpf_prog_test_run_opts(bpf_program__fd(p), &o))
		return UINT32_MAX;
	memcpy(frame->data, out.data, o.data_size_out);
	return o.retval;
}

struct limit_counters world_counters(const struct world *w, uint32_t row)
{
	struct limit_counters c = {0};

	if (row < LIMIT_INTERFACES)
		limits_interface_counters(w->limits, (uint8_t)row, &c);
	else
		limits_listener_counters(w->limits, row - LIMIT_INTERFACES, &c);
	return c;
}

struct outcome world_meet(struct world *w, uint32_t interface, struct bytes *frame)
{
	struct outcome o = {.row = -1, .verdict = -1};
	struct limit_counters before[COUNTER_ROWS];

	for (uint32_t row = 0; row < COUNTER_ROWS; row++)
		before[row] = world_counters(w, row);
	o.action = world_run(w, interface, frame, 1);
	for (uint32_t row = 0; row < COUNTER_ROWS; row++) {
		struct limit_counters after = world_counters(w, row);

		for (int v = 0; v < LIMIT_COUNTER_SLOTS; v++) {
			uint64_t more = after.packets[v] - before[row].packets[v];

			if (!more)
				continue;
			o.row = o.row == -1 && more == 1 ? (int)row : -2;
			o.verdict = v;
		}
	}
	return o;
}

void world_own_port(struct world *w, uint32_t place, uint64_t owner)
{
	bpf_map_update_elem(world_map(w, "snat_owner"), &place, &owner, BPF_ANY);
}
