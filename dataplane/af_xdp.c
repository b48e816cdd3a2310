/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/af_xdp.h"

#include "dataplane/log.h"
#include "dataplane/netdev.h"
#include "dataplane/xdp_program.h"
#include "ebpf/capability.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

enum { NAME_MAX_BYTES = 32, ARGS_BYTES = 128 };

static int check_device(const struct netdev *dev, uint32_t mtu, char *why, size_t why_size)
{
	if (!dev->up) {
		snprintf(why, why_size, "%s is down: `ip link set %s up`", dev->name, dev->name);
		return -ENETDOWN;
	}
	if (dev->mtu > POOL_XDP_MAX_MTU) {
		snprintf(why, why_size,
			 "the MTU of %s is %u, AF_XDP carries at most %d: set it to that or less "
			 "at both ends of the link",
			 dev->name, dev->mtu, POOL_XDP_MAX_MTU);
		return -EMSGSIZE;
	}
	if (mtu > dev->mtu) {
		snprintf(why, why_size, "mtu: %u is more than the %u of %s", mtu, dev->mtu,
			 dev->name);
		return -EMSGSIZE;
	}
	return 0;
}

/*
 * A queue that no worker polls would swallow its frames: have as many as are served. Not so a
 * veth, whose peer refuses XDP when it has more transmit queues than we have receive queues.
 */
static int fit_queues(const struct netdev *dev, uint32_t workers, char *why, size_t why_size)
{
	if (dev->rx_queues <= workers)
		return 0;
	if (dev->combined && netdev_set_queues(dev, workers) == 0) {
		log_line(LOG_LEVEL_INFO, "event=queues_reduced device=%s from=%u to=%u", dev->name,
			 dev->rx_queues, workers);
		return 0;
	}
	snprintf(why, why_size,
		 "%s has %u receive queues and sidecar.workers is %u: set it to %u, or "
		 "`ethtool -L %s %s %u` (a veth: its peer's tx too)",
		 dev->name, dev->rx_queues, workers, dev->rx_queues, dev->name,
		 dev->combined ? "combined" : "rx", workers);
	return -EINVAL;
}

static int claim(struct port *port, const struct netdev *dev, char *why, size_t why_size)
{
	port->claim_fd = netdev_claim(dev);
	if (port->claim_fd == -EADDRINUSE)
		snprintf(why, why_size, "another dataplane uses %s", dev->name);
	else if (port->claim_fd < 0)
		snprintf(why, why_size, "cannot claim %s: %s", dev->name,
			 strerror(-port->claim_fd));
	return port->claim_fd < 0 ? port->claim_fd : 0;
}

int af_xdp_probe(struct port *port, const char *netdev, uint32_t mtu, uint32_t workers, char *why,
		 size_t why_size)
{
	struct netdev dev;
	int rc = netdev_read(&dev, netdev);

	if (rc) {
		if (rc == -ENODEV)
			snprintf(why, why_size, "there is no network device %s here", netdev);
		else
			snprintf(why, why_size, "cannot read %s: %s", netdev, strerror(-rc));
		return rc;
	}
	rc = check_device(&dev, mtu, why, why_size);
	if (rc == 0)
		rc = claim(port, &dev, why, why_size);
	if (rc)
		return rc;
	rc = fit_queues(&dev, workers, why, why_size);
	if (rc) {
		close(port->claim_fd);
		port->claim_fd = -1;
		return rc;
	}
	netdev_keep_vlan_tags(&dev);
	/* Not where it is no use: closing it lasts an RCU grace period, after a kill as well. */
	if (!port->shared && !dev.passes_all)
		port->multicast_fd = netdev_all_multicast(&dev);
	if (!port->ours)
		xdp_program_make_way(dev.if_index);
	port->had_program = netdev_xdp_program(&dev) > 0;
	port->if_index = dev.if_index;
	port->mtu = (uint16_t)(mtu ? mtu : dev.mtu);
	port->queues = (uint16_t)RTE_MIN(workers, RTE_MIN(dev.rx_queues, dev.tx_queues));
	port->hardware = !dev.software;
	port->may_be_partial = dev.software != 0;
	memcpy(port->mac, dev.mac, sizeof(port->mac));
	snprintf(port->device, sizeof(port->device), "%s", dev.name);
	return 0;
}

static int is_known(const struct ports *ports, int fd)
{
	for (uint32_t i = 0; i < ports->count; i++)
		for (uint32_t q = 0; q < ports->port[i].open; q++)
			if (ports->port[i].queue_fd[q] == fd)
				return 1;
	return 0;
}

/* The driver keeps its socket to itself: look for the AF_XDP socket that was not there before. */
static int find_socket(const struct ports *ports)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1;

	if (!dir)
		return -1;
	while (found < 0 && (entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10), domain = 0;
		socklen_t bytes = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 &&
		    domain == AF_XDP && !is_known(ports, fd))
			found = fd;
	}
	closedir(dir);
	return found;
}

/*
 * Drivers of hardware may do zero copy; then the receive function needs a budget, or it would
 * block (a budget costs a system call a poll). Zero copy wants buffers that lie within
 * physically contiguous memory. Everything else is told to copy.
 */
static const char *mode_of(const struct port *port, const struct ports *ports)
{
	if (port->hardware && ports->buffers.hugetlb)
		return "busy_budget=64";
	return "busy_budget=0,force_copy=1";
}

static int open_queue(struct port *port, const struct ports *ports, uint16_t q)
{
	static const struct rte_eth_conf conf;
	char name[NAME_MAX_BYTES], args[ARGS_BYTES];
	uint16_t id;
	int rc;

	snprintf(name, sizeof(name), "net_af_xdp_%u_%u", port->interface, q);
	snprintf(args, sizeof(args), "iface=%.15s,start_queue=%u,queue_count=1,%s", port->device, q,
		 mode_of(port, ports));
	rc = rte_vdev_init(name, args);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &id);
	if (rc == 0)
		rc = rte_eth_dev_configure(id, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(id, 0, AF_XDP_DESCRIPTORS, SOCKET_ID_ANY, NULL,
					    ports->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(id, 0, AF_XDP_DESCRIPTORS, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(id);
	if (rc)
		return rc;
	port->queue_fd[q] = find_socket(ports);
	port->queue[q] = (struct port_queue){.port = id, .queue = 0};
	port->open = (uint16_t)(q + 1);
	return 0;
}

static void close_queue(struct port *port)
{
	uint16_t id = port->queue[--port->open].port;
	char name[RTE_ETH_NAME_MAX_LEN];

	rte_eth_dev_get_name_by_port(id, name);
	xdp_program_enter(&port->program, port->row);
	rte_eth_dev_stop(id);
	rte_vdev_uninit(name);
	xdp_program_leave();
}

static struct xdp_device device_of(const struct port *port, const struct ports *ports)
{
	return (struct xdp_device){
		.root = ports->bpf_root,
		.name = port->device,
		.if_index = port->if_index,
		.row = port->row,
	};
}

int af_xdp_load(struct port *port, const struct ports *ports, char *why, size_t why_size)
{
	const struct xdp_device device = device_of(port, ports);

	return xdp_program_load(&port->program, &device, why, why_size);
}

static int attach(const struct port *port, const struct ports *ports, char *why, size_t why_size)
{
	const struct xdp_device device = device_of(port, ports);
	int generic = 0;
	int rc = xdp_program_attach(&port->program, &device, &generic, why, why_size);

	if (rc)
		return rc;
	if (generic)
		log_line(LOG_LEVEL_WARN,
			 "event=xdp_generic device=%s why=\"its driver takes no XDP program: "
			 "slower, "
			 "and frames that were merged are lost: ethtool -K %s gro off lro off\"",
			 port->device, port->device);
	return 0;
}

/* What sockets need beside the program's loading, ours or libxdp's. NULL: all is there. */
static const char *missing_capability(const struct port *port)
{
	static const struct capability needed[] = {
		{CAP_NET_RAW, CAP_NET_RAW, "CAP_NET_RAW"},
		{CAP_NET_ADMIN, CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		/* libxdp asks for its program's maps by number */
		{CAP_SYS_ADMIN, CAP_SYS_ADMIN, "CAP_SYS_ADMIN (limiter: xdp does without)"},
	};

	return capability_missing(needed, port->ours ? 2 : 3);
}

/* Buffers are pinned, once for each socket: without CAP_IPC_LOCK as far as RLIMIT_MEMLOCK goes. */
static int may_lock(const struct ports *ports, size_t *bytes)
{
	static const struct capability lock = {CAP_IPC_LOCK, CAP_IPC_LOCK, "CAP_IPC_LOCK"};
	struct rlimit limit;

	*bytes = 0;
	for (uint32_t i = 0; i < ports->count; i++)
		if (ports->port[i].kind == DEVICE_AF_XDP)
			*bytes += ports->port[i].queues * ports->buffers.bytes;
	return !capability_missing(&lock, 1) || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
	       limit.rlim_cur >= *bytes;
}

/*
 * Why there is no socket. Return: -EPERM, which trying again does not change; -EAGAIN: the kernel
 * takes a dead process's queue in a work item of its own, which may wait for others' network
 * changes: it may be free in a moment.
 */
static int explain(const struct port *port, const struct ports *ports, int rc, char *why,
		   size_t why_size)
{
	const char *missing = missing_capability(port);
	size_t bytes;
	int locks = may_lock(ports, &bytes);
	int used = snprintf(why, why_size, "no AF_XDP socket on queue %u of %s: ", port->open,
			    port->device);

	why += used;
	why_size -= (size_t)used;
	if (missing)
		snprintf(why, why_size, "%s is missing", missing);
	else if (!locks)
		snprintf(why, why_size,
			 "CAP_IPC_LOCK is missing, and RLIMIT_MEMLOCK below the %zu KiB that all "
			 "sockets pin",
			 bytes / 1024);
	else
		snprintf(why, why_size, "%s", log_cause()[0] ? log_cause() : strerror(-rc));
	return missing || !locks ? -EPERM : -EAGAIN;
}

int af_xdp_open(struct port *port, const struct ports *ports, char *why, size_t why_size)
{
	for (uint16_t q = 0; q < port->queues; q++) {
		int rc;

		log_cause_forget();
		xdp_program_enter(&port->program, port->row);
		rc = open_queue(port, ports, q);
		xdp_program_leave();
		if (rc)
			return explain(port, ports, rc, why, why_size);
	}
	return port->ours ? attach(port, ports, why, why_size) : 0;
}

/*
 * A queue that failed to open is not given to the driver's close function, which would free what
 * the failure freed: its socket ends with the process, its program is removed here.
 */
void af_xdp_close(struct port *port)
{
	int failed = port->open < port->queues;

	while (port->open > 0)
		close_queue(port);
	if (failed && port->if_index && !port->had_program && !port->ours)
		netdev_xdp_detach(port->if_index);
	xdp_program_close(&port->program);
	if (port->multicast_fd >= 0)
		close(port->multicast_fd);
	if (port->claim_fd >= 0)
		close(port->claim_fd);
	port->multicast_fd = port->claim_fd = -1;
}
