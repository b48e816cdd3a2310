/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <bpf/libbpf.h>

_Static_assert(NETDEV_NAME_BYTES == IFNAMSIZ, "a device's name");

static struct ifreq request_for(const char *name)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", name);
	return request;
}

static int ask(int fd, unsigned long what, struct ifreq *request)
{
	return ioctl(fd, what, request) == 0 ? 0 : -errno;
}

static int ask_ethtool(int fd, const char *name, void *command)
{
	struct ifreq request = request_for(name);

	request.ifr_data = command;
	return ask(fd, SIOCETHTOOL, &request);
}

static void read_channels(int fd, struct netdev *dev)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};

	dev->rx_queues = dev->tx_queues = 1;
	if (ask_ethtool(fd, dev->name, &channels) != 0)
		return;
	dev->combined = channels.combined_count > 0;
	dev->rx_queues = channels.combined_count + channels.rx_count;
	dev->tx_queues = channels.combined_count + channels.tx_count;
	if (dev->rx_queues == 0)
		dev->rx_queues = 1;
	if (dev->tx_queues == 0)
		dev->tx_queues = 1;
}

static void read_driver(int fd, struct netdev *dev)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};

	dev->software = ask_ethtool(fd, dev->name, &driver) != 0 || driver.bus_info[0] == '\0' ||
			strcmp(driver.driver, "virtio_net") == 0;
	dev->passes_all = strcmp(driver.driver, "veth") == 0 || strcmp(driver.driver, "tun") == 0;
}

static int read_basics(int fd, struct netdev *dev)
{
	struct ifreq request = request_for(dev->name);
	int rc = ask(fd, SIOCGIFINDEX, &request);

	if (rc)
		return rc;
	dev->if_index = request.ifr_ifindex;
	rc = ask(fd, SIOCGIFFLAGS, &request);
	if (rc)
		return rc;
	dev->up = (request.ifr_flags & IFF_UP) != 0;
	dev->running = (request.ifr_flags & IFF_RUNNING) != 0;
	rc = ask(fd, SIOCGIFMTU, &request);
	if (rc)
		return rc;
	dev->mtu = (uint32_t)request.ifr_mtu;
	rc = ask(fd, SIOCGIFHWADDR, &request);
	if (rc)
		return rc;
	memcpy(dev->mac, request.ifr_hwaddr.sa_data, sizeof(dev->mac));
	return 0;
}

int netdev_read(struct netdev *dev, const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	memset(dev, 0, sizeof(*dev));
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	if (fd < 0)
		return -errno;
	rc = read_basics(fd, dev);
	if (rc == 0) {
		read_channels(fd, dev);
		read_driver(fd, dev);
	}
	close(fd);
	return rc;
}

int netdev_alive(const char *name, int if_index, int *running)
{
	struct ifreq request = request_for(name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	*running = 0;
	if (fd < 0)
		return 1; /* cannot know */
	rc = ask(fd, SIOCGIFINDEX, &request);
	if (rc == 0 && request.ifr_ifindex != if_index)
		rc = -ENODEV;
	if (rc == 0 && ask(fd, SIOCGIFFLAGS, &request) == 0)
		*running = (request.ifr_flags & IFF_RUNNING) != 0;
	close(fd);
	return rc != -ENODEV;
}

int netdev_set_queues(const struct netdev *dev, uint32_t queues)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	rc = ask_ethtool(fd, dev->name, &channels);
	channels.cmd = ETHTOOL_SCHANNELS;
	channels.combined_count = queues;
	if (rc == 0)
		rc = ask_ethtool(fd, dev->name, &channels);
	close(fd);
	return rc;
}

void netdev_keep_vlan_tags(const struct netdev *dev)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ask_ethtool(fd, dev->name, &flags) == 0 && (flags.data & ETH_FLAG_RXVLAN)) {
		flags.cmd = ETHTOOL_SFLAGS;
		flags.data &= ~(uint32_t)ETH_FLAG_RXVLAN;
		ask_ethtool(fd, dev->name, &flags);
	}
	close(fd);
}

int netdev_xdp_program(const struct netdev *dev)
{
	uint32_t id = 0;
	int rc = bpf_xdp_query_id(dev->if_index, 0, &id);

	return rc ? rc : (int)id;
}

void netdev_xdp_detach(int if_index)
{
	bpf_xdp_detach(if_index, 0, NULL);
}

int netdev_claim(const struct netdev *dev)
{
	/* An abstract name lives in the network namespace, as the device does. */
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int bytes = snprintf(&name.sun_path[1], sizeof(name.sun_path) - 1, "fender/af_xdp/%d",
			     dev->if_index);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes)) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

int netdev_all_multicast(const struct netdev *dev)
{
	struct packet_mreq request = {.mr_ifindex = dev->if_index, .mr_type = PACKET_MR_ALLMULTI};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}
