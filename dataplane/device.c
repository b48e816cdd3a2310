/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/device.h"

#include "dataplane/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

enum { NO_PORT = RTE_MAX_ETHPORTS };

/* "net_tap0,iface=x" is device net_tap0 with arguments. */
static int create_vdev(struct port *port, const char *device)
{
	const char *comma = strchrnul(device, ',');

	snprintf(port->device, sizeof(port->device), "%.*s", (int)(comma - device), device);
	return rte_vdev_init(port->device, *comma ? comma + 1 : "");
}

static int fits(const struct rte_eth_dev_info *info, uint32_t mtu, char *why, size_t why_size)
{
	if (mtu <= info->max_mtu || info->max_mtu == 0)
		return 0;
	snprintf(why, why_size, "mtu: %u is more than the %u that driver %s carries", mtu,
		 info->max_mtu, info->driver_name);
	return -EMSGSIZE;
}

int device_probe(struct port *port, const char *device, uint32_t mtu, uint32_t workers, char *why,
		 size_t why_size)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	uint16_t id, own_mtu = RTE_ETHER_MTU;
	int rc = 0;

	port->dpdk_port = NO_PORT;
	log_cause_forget();
	if (port->kind == DEVICE_VDEV)
		rc = create_vdev(port, device);
	else
		snprintf(port->device, sizeof(port->device), "%s", device);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(port->device, &id);
	if (rc) {
		snprintf(why, why_size, "DPDK has no device %s: %s", port->device,
			 log_cause()[0] ? log_cause() : strerror(-rc));
		return rc;
	}
	port->dpdk_port = id;
	rc = rte_eth_dev_info_get(id, &info);
	if (rc == 0)
		rc = rte_eth_macaddr_get(id, &mac);
	if (rc) {
		snprintf(why, why_size, "%s says nothing about itself: %s", port->device,
			 strerror(-rc));
		return rc;
	}
	rte_eth_dev_get_mtu(id, &own_mtu);
	port->mtu = (uint16_t)(mtu ? mtu : own_mtu);
	port->queues = (uint16_t)RTE_MIN(workers,
					 (uint32_t)RTE_MIN(info.max_rx_queues, info.max_tx_queues));
	port->may_be_partial = strcmp(info.driver_name, "net_tap") == 0;
	memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return fits(&info, mtu, why, why_size);
}

static int set_up_queues(struct port *port, const struct ports *ports)
{
	uint16_t rx = DEVICE_DESCRIPTORS, tx = DEVICE_DESCRIPTORS, id = port->dpdk_port;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);

	for (uint16_t q = 0; rc == 0 && q < port->queues; q++) {
		rc = rte_eth_rx_queue_setup(id, q, rx, SOCKET_ID_ANY, NULL, ports->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(id, q, tx, SOCKET_ID_ANY, NULL);
		port->queue[q] = (struct port_queue){.port = id, .queue = q};
		port->queue_fd[q] = -1;
	}
	return rc;
}

/* Flows spread over the queues by the NIC; where it cannot, the first queue gets them all. */
static void spread_flows(const struct rte_eth_dev_info *info, uint16_t queues,
			 struct rte_eth_conf *conf)
{
	uint64_t fields =
		info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);

	if (queues < 2 || fields == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = fields;
}

int device_open(struct port *port, const struct ports *ports, char *why, size_t why_size)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = port->mtu}};
	struct rte_eth_dev_info info;
	uint16_t id = port->dpdk_port;
	int rc;

	log_cause_forget();
	rc = rte_eth_dev_info_get(id, &info);
	if (rc == 0) {
		spread_flows(&info, port->queues, &conf);
		rc = rte_eth_dev_configure(id, port->queues, port->queues, &conf);
	}
	if (rc == 0)
		rc = set_up_queues(port, ports);
	if (rc == 0)
		rc = rte_eth_dev_start(id);
	if (rc) {
		snprintf(why, why_size, "%s does not start: %s", port->device,
			 log_cause()[0] ? log_cause() : strerror(-rc));
		return rc;
	}
	port->open = port->queues;
	/* Neighbour discovery comes by multicast. */
	if (rte_eth_allmulticast_enable(id) != 0)
		rte_eth_promiscuous_enable(id);
	return 0;
}

void device_close(struct port *port)
{
	if (port->dpdk_port == NO_PORT)
		return;
	if (port->open)
		rte_eth_dev_stop(port->dpdk_port);
	if (port->kind == DEVICE_VDEV)
		rte_vdev_uninit(port->device);
	else
		rte_eth_dev_close(port->dpdk_port);
	port->dpdk_port = NO_PORT;
	port->open = 0;
}
