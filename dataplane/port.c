/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/port.h"

#include "dataplane/af_xdp.h"
#include "dataplane/device.h"
#include "dataplane/log.h"
#include "dataplane/netdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

enum {
	WORKER_BUFFERS = 1024,  /* its cache, bursts, frames waiting for a next hop */
	HANDOFF_BUFFERS = 1024, /* in rings to and from other workers, a worker */
	REASON_BYTES = 512,
	/* How long a restart waits for 2 MiB pages: where it can, where it cannot do without. */
	HUGE_PATIENCE_MS = 20,
	HUGE_PATIENCE_ALWAYS_MS = 1000,
};

static int probe(struct port *port, const struct image_header *image, char *why, size_t why_size)
{
	const struct image_interface *row =
		&IMAGE_ARRAY(image, struct image_interface, interfaces)[port->interface];
	const char *device = image_string(image, row->device);
	uint32_t workers = image->sidecar.workers;

	if (port->kind == DEVICE_AF_XDP)
		return af_xdp_probe(port, device, row->mtu, workers, why, why_size);
	return device_probe(port, device, row->mtu, workers, why, why_size);
}

/* What the control plane decided about the interface. The region is not believed. */
static int take_control(struct port *port, const struct ports_config *config, char *why,
			size_t why_size)
{
	const struct interface_control *from = &config->control[port->interface];
	uint32_t program = __atomic_load_n(&from->program, __ATOMIC_RELAXED);
	uint32_t row = __atomic_load_n(&from->row, __ATOMIC_RELAXED);

	if (port->kind != DEVICE_AF_XDP || program != PROGRAM_FENDER)
		return 0;
	if (!config->bpf_root || row >= MAX_INTERFACES) {
		snprintf(why, why_size,
			 config->bpf_root ? "its row in the limiter's maps does not exist"
					  : "the limiter's maps are needed: --bpf-root");
		return -EINVAL;
	}
	port->ours = 1;
	port->row = row;
	return 0;
}

static int open_port(struct port *port, const struct ports *ports, char *why, size_t why_size)
{
	if (port->kind == DEVICE_AF_XDP)
		return af_xdp_open(port, ports, why, why_size);
	return device_open(port, ports, why, why_size);
}

static void close_port(struct port *port)
{
	port->started = 0;
	if (port->kind == DEVICE_AF_XDP)
		af_xdp_close(port);
	else
		device_close(port);
}

static struct pool_need need_of(const struct ports *ports, const struct ports_config *config)
{
	const struct image_sidecar *sidecar = &config->image->sidecar;
	uint32_t workers = sidecar->workers;
	struct pool_need need = {.buffers = workers * WORKER_BUFFERS + sidecar->buffers};
	uint32_t mtu = 0;

	if (workers > 1)
		need.buffers += workers * HANDOFF_BUFFERS;
	for (uint32_t i = 0; i < ports->count; i++) {
		const struct port *port = &ports->port[i];
		int xdp = port->kind == DEVICE_AF_XDP;

		need.buffers += port->queues * (xdp ? AF_XDP_QUEUE_BUFFERS : DEVICE_QUEUE_BUFFERS);
		need.iova_contiguous |= port->kind == DEVICE_PCI;
		mtu = RTE_MAX(mtu, (uint32_t)port->mtu);
	}
	need.buffer_bytes = pool_buffer_bytes(mtu);
	if (config->is_restart)
		need.patience_ms = sidecar->hugepages == HUGEPAGES_ALWAYS ? HUGE_PATIENCE_ALWAYS_MS
									  : HUGE_PATIENCE_MS;
	return need;
}

static int create_pool(struct ports *ports, const struct ports_config *config, char *why,
		       size_t why_size)
{
	struct pool_need need = need_of(ports, config);
	int rc = pool_create(&ports->buffers, &need,
			     (enum image_hugepages)config->image->sidecar.hugepages, why, why_size);

	if (rc)
		return rc;
	ports->pool = ports->buffers.mempool;
	log_line(LOG_LEVEL_INFO, "event=buffers count=%u bytes=%u hugepages=%d", need.buffers,
		 need.buffer_bytes, ports->buffers.hugetlb);
	return 0;
}

static void write_status(const struct port *port, struct port_status *status)
{
	status->queues = port->queues;
	status->mtu = port->mtu;
	memcpy(status->mac, port->mac, sizeof(status->mac));
}

/* "interface 'net': " and what the device's own code says. */
static int explain(const struct image_header *image, uint32_t interface, int rc, const char *reason,
		   char *why, size_t why_size)
{
	const struct image_interface *row =
		&IMAGE_ARRAY(image, struct image_interface, interfaces)[interface];

	snprintf(why, why_size, "interface '%s': %s", image_string(image, row->name), reason);
	return rc;
}

int ports_start(struct ports *ports, const struct ports_config *config, struct port_status *status,
		char *why, size_t why_size)
{
	const struct image_header *image = config->image;
	const struct image_interface *row = IMAGE_ARRAY(image, struct image_interface, interfaces);
	char reason[REASON_BYTES] = "";
	int rc = 0;

	memset(ports, 0, sizeof(*ports));
	ports->bpf_root = config->bpf_root;
	/* Without the dispatcher: the device is ours alone, and it would leave pins behind. */
	setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
	for (uint32_t i = 0; i < image->interfaces.count; i++) {
		struct port *port = &ports->port[i];

		*port = (struct port){.kind = row[i].kind,
				      .interface = (uint8_t)i,
				      .vlan = row[i].vlan,
				      .shared = row[i].shared,
				      .program = {-1, -1},
				      .claim_fd = -1,
				      .multicast_fd = -1,
				      .dpdk_port = RTE_MAX_ETHPORTS};
		memset(port->queue_fd, 0xff, sizeof(port->queue_fd));
		ports->count = i + 1;
		rc = take_control(port, config, reason, sizeof(reason));
		if (rc == 0)
			rc = probe(port, image, reason, sizeof(reason));
		if (rc == 0 && port->ours)
			rc = af_xdp_load(port, ports, reason, sizeof(reason));
		if (rc) {
			explain(image, i, rc, reason, why, why_size);
			goto fail;
		}
	}
	rc = create_pool(ports, config, why, why_size);
	if (rc == 0)
		rc = snat_owners_open(&ports->owners, ports, image, why, why_size);
	if (rc)
		goto fail;
	for (uint32_t i = 0; i < ports->count; i++) {
		struct port *port = &ports->port[i];

		rc = open_port(port, ports, reason, sizeof(reason));
		if (rc) {
			explain(image, i, rc, reason, why, why_size);
			goto fail;
		}
		port->started = 1;
		port->missed_before = status[i].rx_missed;
		port->nombuf_before = status[i].rx_nombuf;
		write_status(port, &status[i]);
		log_line(LOG_LEVEL_INFO, "event=port device=%s queues=%u mtu=%u", port->device,
			 port->queues, port->mtu);
	}
	ports_observe(ports, status);
	return 0;
fail:
	ports_stop(ports);
	return rc;
}

void ports_stop(struct ports *ports)
{
	while (ports->count > 0)
		close_port(&ports->port[--ports->count]);
	snat_owners_close(&ports->owners);
	pool_destroy(&ports->buffers);
	ports->pool = NULL;
}

static void add_losses(const struct port *port, uint64_t *missed, uint64_t *nombuf)
{
	uint16_t last = RTE_MAX_ETHPORTS;

	for (uint16_t q = 0; q < port->open; q++) {
		struct rte_eth_stats stats;

		if (port->queue[q].port == last)
			continue;
		last = port->queue[q].port;
		if (rte_eth_stats_get(last, &stats) != 0)
			continue;
		*missed += stats.imissed;
		*nombuf += stats.rx_nombuf;
	}
}

static int link_of(const struct port *port, int *gone)
{
	struct rte_eth_link link = {0};
	int running = 0;

	if (port->kind == DEVICE_AF_XDP) {
		*gone = !netdev_alive(port->device, port->if_index, &running);
		return running;
	}
	*gone = 0;
	rte_eth_link_get_nowait(port->dpdk_port, &link);
	return link.link_status == RTE_ETH_LINK_UP;
}

uint32_t ports_observe(struct ports *ports, struct port_status *status)
{
	uint32_t stopped = 0;

	for (uint32_t i = 0; i < ports->count; i++) {
		struct port *port = &ports->port[i];
		uint64_t missed = port->missed_before, nombuf = port->nombuf_before;
		int gone, up;

		if (!port->started)
			continue;
		add_losses(port, &missed, &nombuf);
		__atomic_store_n(&status[i].rx_missed, missed, __ATOMIC_RELAXED);
		__atomic_store_n(&status[i].rx_nombuf, nombuf, __ATOMIC_RELAXED);
		up = link_of(port, &gone);
		__atomic_store_n(&status[i].link_up, (uint32_t)up, __ATOMIC_RELAXED);
		if (gone) {
			/* Workers may try once more: the socket only refuses. */
			__atomic_store_n(&port->started, 0, __ATOMIC_RELAXED);
			stopped |= 1u << i;
		}
	}
	return stopped;
}
