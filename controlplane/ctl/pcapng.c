/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/pcapng.h"

#include <errno.h>
#include <string.h>

#include "shm/version.h"

enum block_type { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum option_code {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_SHB_USERAPPL = 4,
	OPTION_EPB_FLAGS = 2,
	OPTION_EPB_DROPCOUNT = 4,
};
enum { LINK_ETHERNET = 1, INBOUND = 1, OUTBOUND = 2, BLOCK_BYTES = 1024 };

/* A block that is put together; all parts are padded to 32 bits. */
struct block {
	uint32_t bytes;
	uint8_t data[BLOCK_BYTES];
};

static void put(struct block *b, const void *data, uint32_t bytes)
{
	static const uint8_t zero[3];

	if (bytes == 0 || b->bytes + bytes + sizeof(zero) > sizeof(b->data))
		return;
	memcpy(b->data + b->bytes, data, bytes);
	b->bytes += bytes;
	memcpy(b->data + b->bytes, zero, -bytes & 3);
	b->bytes += -bytes & 3;
}

static void put32(struct block *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void put_option(struct block *b, enum option_code code, const void *data, size_t bytes)
{
	const uint16_t head[2] = {(uint16_t)code, (uint16_t)bytes};

	put(b, head, sizeof(head));
	put(b, data, (uint32_t)bytes);
}

/* Type and length before it, the length once more behind it. */
static int write_block(FILE *out, enum block_type type, const struct block *b)
{
	const uint32_t length = b->bytes + 12;
	const uint32_t head[2] = {(uint32_t)type, length};

	errno = 0;
	fwrite(head, sizeof(head), 1, out);
	fwrite(b->data, b->bytes, 1, out);
	fwrite(&length, sizeof(length), 1, out);
	return fflush(out) || ferror(out) ? -(errno ? errno : EIO) : 0;
}

int pcapng_begin(struct pcapng *p, FILE *out)
{
	static const char program[] = "fender " FENDER_VERSION;
	const uint32_t version = 1, unknown = UINT32_MAX;
	struct block b = {0};

	memset(p, 0, sizeof(*p));
	p->out = out;
	put32(&b, 0x1a2b3c4d);
	put32(&b, version); /* 1.0 */
	put32(&b, unknown); /* the section's length, 64 bits */
	put32(&b, unknown);
	put_option(&b, OPTION_SHB_USERAPPL, program, sizeof(program) - 1);
	put_option(&b, OPTION_END, NULL, 0);
	return write_block(out, BLOCK_SECTION, &b);
}

/* Number of its block, written when it is the first of that name. */
static int find_interface(struct pcapng *p, const char *name, uint32_t *number)
{
	const uint8_t nanoseconds = 9;
	struct block b = {0};

	for (*number = 0; *number < p->interfaces; ++*number)
		if (strncmp(p->interface[*number], name, PCAPNG_NAME_BYTES - 1) == 0)
			return 0;
	if (*number == PCAPNG_INTERFACES) {
		*number = 0;
		return 0;
	}
	p->interfaces++;
	snprintf(p->interface[*number], PCAPNG_NAME_BYTES, "%s", name);
	put32(&b, LINK_ETHERNET);
	put32(&b, CAPTURED_DATA_BYTES);
	put_option(&b, OPTION_IF_NAME, p->interface[*number], strlen(p->interface[*number]));
	put_option(&b, OPTION_IF_TSRESOL, &nanoseconds, 1);
	put_option(&b, OPTION_END, NULL, 0);
	return write_block(p->out, BLOCK_INTERFACE, &b);
}

int pcapng_packet(struct pcapng *p, const struct captured *c)
{
	char comment[CAPTURED_TEXT_BYTES];
	const uint32_t flags = c->is_out ? OUTBOUND : INBOUND;
	struct block b = {0};
	uint32_t interface;
	int rc = find_interface(p, c->interface, &interface);

	if (rc != 0)
		return rc;
	captured_verdict_text(c, comment);
	put32(&b, interface);
	put32(&b, (uint32_t)(c->time_ns >> 32));
	put32(&b, (uint32_t)c->time_ns);
	put32(&b, c->bytes);
	put32(&b, c->length);
	put(&b, c->data, c->bytes);
	put_option(&b, OPTION_COMMENT, comment, strlen(comment));
	put_option(&b, OPTION_EPB_FLAGS, &flags, sizeof(flags));
	if (p->lost)
		put_option(&b, OPTION_EPB_DROPCOUNT, &p->lost, sizeof(p->lost));
	put_option(&b, OPTION_END, NULL, 0);
	p->lost = 0;
	return write_block(p->out, BLOCK_PACKET, &b);
}
