/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/snat_owner.h"

#include "dataplane/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

enum { PATH_BYTES = 256, WORD_BITS = 64 };

static const struct snat_range no_ports = {.low = 1, .high = 0};

static int fail(const char *root, const char *map, char *why, size_t why_size)
{
	int error = errno;

	snprintf(why, why_size, "cannot use the limiter's map %s/%s: %s", root, map,
		 strerror(error));
	return -error;
}

static int open_map(const char *root, const char *map)
{
	char path[PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/%s", root, map);

	if (n < 0 || n >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return bpf_obj_get(path);
}

static size_t array_bytes(uint32_t words)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ((size_t)words * sizeof(uint64_t) + page - 1) / page * page;
}

static int map_words(struct snat_owners *o, int fd)
{
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof(info);
	void *at;

	if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return -1;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(uint64_t)) {
		errno = ESTALE;
		return -1;
	}
	at = mmap(NULL, array_bytes(info.max_entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -1;
	o->words = at;
	o->count = info.max_entries;
	return 0;
}

/* Where @first of the map places low..high, if the array has it. */
static struct snat_range range_at(const struct snat_owners *o, uint32_t first,
				  const struct image_interface *i)
{
	uint32_t ports = (uint32_t)(i->snat_port_high - i->snat_port_low) + 1;

	if (first > o->count || ports > o->count - first)
		return no_ports;
	return (struct snat_range){first, i->snat_port_low, i->snat_port_high};
}

static int find_ranges_of(struct snat_owners *o, int fd, const struct image_header *image,
			  uint32_t n, uint32_t row)
{
	const struct image_address *address =
		&IMAGE_ARRAY(image, struct image_address, addresses)[n];
	const struct image_interface *interface =
		&IMAGE_ARRAY(image, struct image_interface, interfaces)[address->interface];
	struct limit_address_key key = {.interface = row};
	struct limit_address at;

	memcpy(&key.ip, &address->ip, sizeof(key.ip));
	if (bpf_map_lookup_elem(fd, &key, &at))
		return -1;
	if (!(at.flags & LIMIT_SNAT_ADDRESS)) {
		errno = ENOENT;
		return -1;
	}
	o->range[n][0] = range_at(o, at.snat_tcp, interface);
	o->range[n][1] = range_at(o, at.snat_udp, interface);
	if (o->range[n][0].low > o->range[n][0].high || o->range[n][1].low > o->range[n][1].high) {
		errno = ERANGE;
		return -1;
	}
	return 0;
}

static int find_ranges(struct snat_owners *o, int fd, const struct ports *ports,
		       const struct image_header *image)
{
	const struct image_address *address = IMAGE_ARRAY(image, struct image_address, addresses);

	o->addresses = image->addresses.count;
	o->range = calloc(o->addresses + 1, sizeof(*o->range));
	if (!o->range)
		return -1;
	for (uint32_t n = 0; n < o->addresses; n++) {
		const struct port *port = &ports->port[address[n].interface];

		o->range[n][0] = o->range[n][1] = no_ports;
		if (!port->ours || (address[n].flags & ADDRESS_KERNEL))
			continue;
		if (find_ranges_of(o, fd, image, n, port->row))
			return -1;
	}
	return 0;
}

static int needed(const struct ports *ports)
{
	for (uint32_t i = 0; i < ports->count; i++)
		if (ports->port[i].ours)
			return 1;
	return 0;
}

int snat_owners_open(struct snat_owners *o, const struct ports *ports,
		     const struct image_header *image, char *why, size_t why_size)
{
	const char *map = "snat_owner";
	int owners, addresses = -1, rc = -1;

	*o = (struct snat_owners){0};
	if (!needed(ports))
		return 0;
	owners = open_map(ports->bpf_root, map);
	if (owners >= 0)
		rc = map_words(o, owners);
	if (rc == 0) {
		map = "addresses";
		addresses = open_map(ports->bpf_root, map);
		rc = addresses < 0 ? -1 : find_ranges(o, addresses, ports, image);
	}
	if (rc == 0) {
		o->adopted = calloc(o->count / WORD_BITS + 1, sizeof(*o->adopted));
		rc = o->adopted ? 0 : -1;
	}
	if (rc)
		rc = fail(ports->bpf_root, map, why, why_size);
	if (owners >= 0)
		close(owners);
	if (addresses >= 0)
		close(addresses);
	if (rc)
		snat_owners_close(o);
	return rc;
}

void snat_owners_close(struct snat_owners *o)
{
	if (o->words)
		munmap(o->words, array_bytes(o->count));
	free(o->range);
	free(o->adopted);
	*o = (struct snat_owners){0};
}

void snat_owner_adopt(struct snat_owners *o, const struct conn *c, uint32_t epoch)
{
	const uint64_t *word = snat_owner_word(o, c);
	uint32_t place;
	uint64_t owner;

	if (!word || !o->adopted)
		return;
	place = (uint32_t)(word - o->words);
	o->adopted[place / WORD_BITS] |= 1ull << place % WORD_BITS;
	owner = __atomic_load_n(word, __ATOMIC_RELAXED);
	if (LIMIT_OWNER_EPOCH(owner) == 0 || LIMIT_OWNER_LISTENER(owner) != c->listener)
		snat_owner_take(o, c, epoch);
}

void snat_owner_sweep(struct snat_owners *o)
{
	if (!o->adopted)
		return;
	for (uint32_t place = 0; place < o->count; place++)
		if (!(o->adopted[place / WORD_BITS] >> place % WORD_BITS & 1) &&
		    __atomic_load_n(&o->words[place], __ATOMIC_RELAXED))
			__atomic_store_n(&o->words[place], 0, __ATOMIC_RELAXED);
	free(o->adopted);
	o->adopted = NULL;
}
