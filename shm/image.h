/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy image: what the compiler in config/ writes and the dataplane
 * adopts. One flat block of bytes, offsets instead of pointers, fixed-width
 * integers in host byte order (addresses, ports and MACs in network order).
 *
 * The reader treats it as hostile: image_check() bounds-checks everything once
 * on a private copy; after that the arrays may be indexed without checks.
 *
 * One policy has one image, byte for byte. The arrays stand behind the header in the order of
 * its spans, each starting at the next multiple of 8; padding is zero; names, keys and sort
 * orders are those of shm/names.h and shm/image_order.h. image_check() refuses anything else.
 */
#ifndef FENDER_SHM_IMAGE_H
#define FENDER_SHM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/limits.h"

#define IMAGE_MAGIC 0x504e4446u /* "FDNP" */
#define IMAGE_ABI   1u

/* An array inside the image: byte offset from its start (8-aligned) and element count. */
struct image_span {
	uint32_t off;
	uint32_t count;
};

/* IPv4 is kept v4-mapped (::ffff:a.b.c.d), so one comparison serves both families. */
struct image_ip {
	uint8_t b[16];
};

enum image_family { FAMILY_V4 = 4, FAMILY_V6 = 6 };
enum image_proto { PROTO_TCP = 6, PROTO_UDP = 17 };
enum image_device { DEVICE_AF_XDP = 1, DEVICE_PCI = 2, DEVICE_VDEV = 3 };
enum image_idle { IDLE_ADAPTIVE = 0, IDLE_POLL = 1 };
enum image_hugepages { HUGEPAGES_AUTO = 0, HUGEPAGES_NEVER = 1, HUGEPAGES_ALWAYS = 2 };
enum image_algorithm { LB_ROUND_ROBIN = 0, LB_MAGLEV = 1 };
enum image_hash_on { HASH_ON_SOURCE_IP = 1, HASH_ON_SOURCE_PORT = 2 };

/* What needs a restart of the dataplane: compared by the control plane at reload. */
struct image_sidecar {
	uint32_t workers;
	uint32_t connections;
	uint32_t listeners; /* capacity of the state tables, not what is in use */
	uint32_t clusters;
	uint32_t endpoints;
	uint32_t slot_bytes;
	uint32_t idle;      /* enum image_idle */
	uint32_t hugepages; /* enum image_hugepages */
	uint64_t cpus;    /* bit i: CPU i may be used by a worker; 0: all allowed ones, unpinned */
	uint32_t spin_us; /* adaptive idle: how long to spin before sleeping */
	uint32_t name;    /* offset into strings */
	uint32_t verify_checksums;
	uint32_t buffers; /* packet buffers beyond what workers and queues need */
};
_Static_assert(sizeof(struct image_sidecar) == 56, "ABI");

/* Names differ. */
struct image_interface {
	uint32_t name;   /* offset into strings */
	uint32_t device; /* offset into strings: netdev, PCI address or vdev arguments */
	uint8_t kind;    /* enum image_device */
	uint8_t pad0;
	uint16_t vlan;          /* 0: untagged, else the one VLAN id this interface speaks */
	uint16_t mtu;           /* IP bytes; 0: the device's own */
	uint16_t snat_port_low; /* host order, inclusive */
	uint16_t snat_port_high;
	uint16_t pad1[3];
};
_Static_assert(sizeof(struct image_interface) == 24, "ABI");

/* No two alike. */
struct image_address {
	struct image_ip ip;
	uint8_t family;
	uint8_t prefix; /* bits, in terms of the family */
	uint16_t interface;
	uint32_t pad;
};
_Static_assert(sizeof(struct image_address) == 24, "ABI");

/*
 * Sorted: interface, family, then longest prefix first; ties by address. Host bits of to are
 * zero.
 */
struct image_route {
	struct image_ip to;
	struct image_ip via; /* all zero: on-link */
	uint8_t family;
	uint8_t prefix;
	uint16_t interface;
	uint32_t pad;
};
_Static_assert(sizeof(struct image_route) == 40, "ABI");

/* No two alike in interface and ip. */
struct image_neighbour {
	struct image_ip ip;
	uint8_t mac[6];
	uint16_t interface;
};
_Static_assert(sizeof(struct image_neighbour) == 24, "ABI");

/*
 * Sorted by (interface, proto, family, port, ip): found by binary search. Its cluster's
 * endpoints are of its family.
 */
struct image_listener {
	uint64_t key;       /* name_key(); finds its state and counters */
	struct image_ip ip; /* all zero (v4: mapped zero): every address of the interface */
	uint32_t name;
	uint16_t port; /* network order */
	uint16_t interface;
	uint16_t cluster; /* index into clusters */
	uint8_t proto;
	uint8_t family;
	uint32_t pad;
};
_Static_assert(sizeof(struct image_listener) == 40, "ABI");

/*
 * Milliseconds, at most MAX_TIMEOUT_MS; 0 = off where the reference says so, but connect, idle
 * and half_closed always end.
 */
struct image_timeouts {
	uint32_t connect_ms;
	uint32_t request_ms;
	uint32_t idle_tcp_ms;
	uint32_t idle_udp_ms;
	uint32_t half_closed_ms;
	uint32_t max_duration_ms;
	uint32_t verdict_after_ms;
	uint32_t drain_ms;
};
_Static_assert(sizeof(struct image_timeouts) == 32, "ABI");

/* In the order of the clusters, their endpoints fill the endpoint array without a gap. */
struct image_cluster {
	uint64_t key;
	uint32_t name;
	uint32_t first_endpoint; /* its endpoints are contiguous, sorted by address, port */
	uint32_t endpoint_count;
	uint8_t algorithm; /* enum image_algorithm */
	uint8_t hash_on;   /* bits of enum image_hash_on */
	uint16_t pad0;
	/*
	 * Elements of the tables array: endpoint numbers within the cluster. Maglev: the
	 * look-up table, its prime size. Round robin: one full smooth weighted cycle. Never empty
	 * for a cluster with endpoints, {0, 0} without. Each table starts where the one before
	 * it ended, or is the very table of an earlier cluster with as many endpoints.
	 */
	uint32_t table_first;
	uint32_t table_count;
	struct image_timeouts timeouts;
};
_Static_assert(sizeof(struct image_cluster) == 64, "ABI");

struct image_endpoint {
	uint64_t key; /* endpoint_key() */
	struct image_ip ip;
	struct image_ip snat;     /* our address towards it: one of its interface's */
	struct image_ip next_hop; /* itself when on-link, else the gateway */
	uint32_t name;            /* endpoint_name() */
	uint16_t port;            /* network order */
	uint16_t weight;          /* 1..MAX_WEIGHT */
	uint16_t interface;       /* it is reached by */
	uint8_t family;
	uint8_t pad0;
	uint32_t pad1;
};
_Static_assert(sizeof(struct image_endpoint) == 72, "ABI");

struct image_header {
	uint32_t magic;
	uint32_t abi;
	uint32_t length;       /* of the whole image, header included; multiple of 8 */
	uint32_t crc32c;       /* over length bytes with this field zero */
	uint64_t generation;   /* set when published; 0 as compiled */
	uint64_t content_hash; /* xxh64 of the image with crc32c, generation and this field zero */
	struct image_sidecar sidecar;
	struct image_span interfaces;
	struct image_span addresses;
	struct image_span routes;
	struct image_span neighbours;
	struct image_span listeners;
	struct image_span clusters;
	struct image_span endpoints;
	struct image_span tables;  /* uint16_t */
	struct image_span strings; /* bytes; the first is the empty string, the last a NUL */
	uint64_t pad;
};
_Static_assert(sizeof(struct image_header) == 32 + 56 + 9 * 8 + 8, "ABI");

/* Typed access to an array of an image that image_check() accepted. */
#define IMAGE_ARRAY(img, type, span) ((const type *)((const uint8_t *)(img) + (img)->span.off))

static inline const char *image_string(const struct image_header *img, uint32_t off)
{
	return (const char *)img + img->strings.off + off;
}

static inline struct image_ip image_ip_v4(uint32_t be_addr)
{
	struct image_ip ip = {.b = {[10] = 0xff, [11] = 0xff}};

	__builtin_memcpy(&ip.b[12], &be_addr, 4);
	return ip;
}

static inline int image_ip_is_v4(const uint8_t ip[16])
{
	const struct image_ip mapped = image_ip_v4(0);

	return __builtin_memcmp(ip, mapped.b, 12) == 0;
}

/**
 * image_seal() - set generation, content hash and checksum of an image
 * @img: image of img->length bytes, otherwise complete
 * @generation: of the publication; the compiler passes 0
 */
void image_seal(struct image_header *img, uint64_t generation);

/**
 * image_check() - decide whether a block of bytes is a usable policy image
 * @bytes: private copy of the image, 8-aligned (never shared memory itself)
 * @size: bytes readable at @bytes
 * @why: at least 160 bytes; receives one sentence when the image is refused
 *
 * Checks magic, ABI, length, checksum, every span, every index, enumerator, string offset,
 * sort order and bound of shm/limits.h. After 0 the arrays may be used unchecked.
 * Return: 0, or -EINVAL (content), -EPROTO (another ABI), -EMSGSIZE (length).
 */
int image_check(const void *bytes, size_t size, char *why, size_t why_size);

#endif
