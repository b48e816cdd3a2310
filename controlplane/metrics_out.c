/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/metrics_out.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "controlplane/metrics_wire.h"

enum { PAGE_BYTES = 4096, FIRST_ROOM = 16 * PAGE_BYTES, HUGE_ROOM = 4 * 1024 * 1024 };

/* Of 46 ms of CPU for 33 MB of text 16 were page faults. The kernel may decline. */
static void use_huge_pages(const struct metrics_bytes *b)
{
	char *first = b->data + PAGE_BYTES - (uintptr_t)b->data % PAGE_BYTES;

	if (b->room >= HUGE_ROOM)
		(void)madvise(first, b->room - PAGE_BYTES, MADV_HUGEPAGE);
}

char *metrics_grow(struct metrics_out *m, struct metrics_bytes *b, size_t bytes)
{
	size_t room = b->room ? b->room : FIRST_ROOM;
	char *grown;

	if (m->failed)
		return NULL;
	while (room - b->used < bytes)
		room *= 2;
	if (room == b->room)
		return b->data + b->used;
	grown = realloc(b->data, room);
	if (!grown) {
		m->failed = 1;
		return NULL;
	}
	b->data = grown;
	b->room = room;
	use_huge_pages(b);
	return b->data + b->used;
}

void metrics_begin(struct metrics_out *m, enum metrics_format format)
{
	*m = (struct metrics_out){.format = format};
}

void metrics_expect(struct metrics_out *m, size_t bytes)
{
	(void)metrics_room(m, &m->out, bytes);
}

void metrics_end(struct metrics_out *m)
{
	if (m->begun && m->format == METRICS_PROTOBUF)
		metrics_proto_family_end(m);
	m->begun = 0;
}

void metrics_free(struct metrics_out *m)
{
	free(m->out.data);
	free(m->labels.data);
	*m = (struct metrics_out){.failed = 1};
}

struct metrics_labels metrics_label(struct metrics_out *m, const char *name, const char *value)
{
	const struct metrics_labels none = {.off = m->labels.used};

	return metrics_label_add(m, none, name, value);
}

/* Bytes of the UTF-8 sequence that begins at @s; 0: none does. */
static size_t utf8_bytes(const unsigned char *s)
{
	size_t bytes = s[0] < 0x80                   ? 1
		       : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		       : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		       : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						     : 0;

	/* NUL is no continuation, so this stays inside the string. */
	for (size_t i = 1; i < bytes; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than needed, surrogates, beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return bytes;
}

size_t metrics_clean(char *out, const char *value, size_t size)
{
	size_t used = 0;

	while (*value) {
		size_t bytes = utf8_bytes((const unsigned char *)value);

		if (used + (bytes ? bytes : 1) > size)
			break;
		if (bytes)
			memcpy(out + used, value, bytes);
		else
			out[used] = '?';
		used += bytes ? bytes : 1;
		value += bytes ? bytes : 1;
	}
	return used;
}

struct metrics_labels metrics_label_add(struct metrics_out *m, struct metrics_labels labels,
					const char *name, const char *value)
{
	if (m->format == METRICS_PROTOBUF)
		metrics_proto_label(m, name, value);
	else
		metrics_text_label(m, labels.bytes != 0, name, value);
	labels.bytes = m->labels.used - labels.off;
	return labels;
}

void metrics_family(struct metrics_out *m, const char *name, const char *help,
		    enum metrics_type type)
{
	metrics_end(m);
	m->name = name;
	m->name_bytes = strlen(name);
	m->help = help;
	m->type = type;
}

static void begin_family(struct metrics_out *m)
{
	if (m->begun)
		return;
	m->begun = 1;
	if (m->format == METRICS_PROTOBUF)
		metrics_proto_family(m);
	else
		metrics_text_family(m);
}

static void add(struct metrics_out *m, const struct metrics_labels *labels,
		const struct metrics_labels *extra, struct metrics_number value)
{
	begin_family(m);
	if (m->format == METRICS_PROTOBUF)
		metrics_proto_line(m, labels, extra, value);
	else
		metrics_text_line(m, labels, extra, value);
}

void metrics_add(struct metrics_out *m, const struct metrics_labels *labels,
		 const struct metrics_labels *extra, uint64_t value)
{
	add(m, labels, extra, (struct metrics_number){value, 0});
}

void metrics_add_millionths(struct metrics_out *m, const struct metrics_labels *labels,
			    uint64_t value)
{
	add(m, labels, NULL,
	    (struct metrics_number){value / METRICS_MILLION, (uint32_t)(value % METRICS_MILLION)});
}

void metrics_add_histogram(struct metrics_out *m, const struct metrics_labels *labels,
			   const struct histogram_sum *sum)
{
	begin_family(m);
	if (m->format == METRICS_PROTOBUF)
		metrics_proto_histogram(m, labels, sum);
	else
		metrics_text_histogram(m, labels, sum);
}
