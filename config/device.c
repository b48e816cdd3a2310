/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of interfaces: af_xdp:<netdev>, pci:<address>, vdev:<arguments>. */
#include "config/values.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shm/image.h"

_Static_assert(sizeof(((struct value_device *)0)->name) == MAX_DEVICE_BYTES, "room for a device");

/* The kernel's rule for names of network devices, without the comma that ends an argument. */
static const char *read_netdev(const char *name, struct value_device *out)
{
	size_t n = strlen(name);

	if (n == 0 || n > 15 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "af_xdp: with the name of a network device (1 to 15 bytes)";
	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)name[i]) || strchr("/:,=[]\"", name[i]) != NULL)
			return "af_xdp: with the name of a network device";
	}
	snprintf(out->name, sizeof(out->name), "%s", name);
	snprintf(out->identity, sizeof(out->identity), "%.15s", name);
	return NULL;
}

static bool read_hex(const char **at, size_t min, size_t max, unsigned int *out)
{
	size_t n = 0;

	*out = 0;
	for (; n < max && isxdigit((unsigned char)**at); n++, (*at)++) {
		char digit = (char)tolower((unsigned char)**at);

		*out = *out * 16 + (unsigned int)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
	}
	return n >= min;
}

static bool read_mark(const char **at, char mark)
{
	if (**at != mark)
		return false;
	(*at)++;
	return true;
}

/* [domain:]bus:device.function, kept in the long form. */
static const char *read_pci(const char *text, struct value_device *out)
{
	unsigned int domain = 0, bus, device, function;
	const char *second = strchr(text, ':');
	const char *at = text;

	if (second != NULL && strchr(second + 1, ':') != NULL &&
	    !(read_hex(&at, 1, 4, &domain) && read_mark(&at, ':')))
		return "pci: with an address such as 0000:00:1f.6";
	if (!read_hex(&at, 2, 2, &bus) || !read_mark(&at, ':') || !read_hex(&at, 2, 2, &device) ||
	    !read_mark(&at, '.') || !read_hex(&at, 1, 1, &function) || *at != '\0' ||
	    device > 0x1f || function > 7)
		return "pci: with an address such as 0000:00:1f.6";
	snprintf(out->name, sizeof(out->name), "%04x:%02x:%02x.%x", domain, bus, device, function);
	snprintf(out->identity, sizeof(out->identity), "%.32s", out->name);
	return NULL;
}

/* A driver's name ("net_", "eth_") and its arguments, as DPDK takes them. */
static const char *read_vdev(const char *text, struct value_device *out)
{
	static const char expected[] = "vdev: with a DPDK device and its arguments such as "
				       "net_null0 or net_memif0,role=client";
	size_t n = strlen(text), name = strcspn(text, ",");

	if (n >= sizeof(out->name) || name <= 4 || name >= sizeof(out->identity) ||
	    (strncmp(text, "net_", 4) != 0 && strncmp(text, "eth_", 4) != 0))
		return expected;
	for (size_t i = 0; i < n; i++) {
		if (!isgraph((unsigned char)text[i]))
			return expected;
	}
	memcpy(out->name, text, n + 1);
	memcpy(out->identity, text, name);
	out->identity[name] = '\0';
	return NULL;
}

const char *value_device(const char *text, struct value_device *out)
{
	static const struct {
		const char *prefix;
		uint8_t kind;
		const char *(*read)(const char *text, struct value_device *out);
	} kinds[] = {
		{"af_xdp:", DEVICE_AF_XDP, read_netdev},
		{"pci:", DEVICE_PCI, read_pci},
		{"vdev:", DEVICE_VDEV, read_vdev},
	};

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, n) != 0)
			continue;
		out->kind = kinds[i].kind;
		return kinds[i].read(text + n, out);
	}
	return "af_xdp:<network device>, pci:<address> or vdev:<DPDK device>";
}
