/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/neighbour_rows.h"

#include <linux/neighbour.h>
#include <string.h>

enum {
	NUD_HAS_MAC = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT,
	NUD_CONFIRMED = NUD_REACHABLE | NUD_PERMANENT,
};

void neighbour_rows_load(struct neighbour_rows *rows, struct kernel_neighbours *to)
{
	memset(rows, 0, sizeof(*rows));
	rows->to = to;
	kernel_neighbours_begin(to);
	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++) {
		struct kernel_neighbour_value *value = &rows->row[i].value;
		uint32_t version = 0;

		if (!kernel_neighbour_read(to, i, &version, value) ||
		    value->interface >= MAX_INTERFACES || value->state > KERNEL_NEIGHBOUR_GONE)
			*value = (struct kernel_neighbour_value){0};
	}
}

struct neighbour_row *neighbour_rows_find(struct neighbour_rows *rows, uint8_t interface,
					  const uint8_t ip[16])
{
	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++) {
		struct neighbour_row *row = &rows->row[i];

		if (row->value.state != KERNEL_NEIGHBOUR_NONE &&
		    row->value.interface == interface && memcmp(row->value.ip, ip, 16) == 0)
			return row;
	}
	return NULL;
}

/* One that never was, else one that is gone, in turn, so that its end is seen before its reuse. */
static struct neighbour_row *unused_row(struct neighbour_rows *rows)
{
	for (int state = KERNEL_NEIGHBOUR_NONE; state <= KERNEL_NEIGHBOUR_GONE; state++) {
		if (state == KERNEL_NEIGHBOUR_KNOWN)
			continue;
		for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++) {
			uint32_t at = (rows->next + i) % KERNEL_NEIGHBOURS;

			if (rows->row[at].value.state == state) {
				rows->next = at + 1;
				return &rows->row[at];
			}
		}
	}
	return NULL;
}

void neighbour_rows_repeat(struct neighbour_rows *rows, const struct neighbour_row *row)
{
	kernel_neighbour_write(rows->to, (uint32_t)(row - rows->row), &row->value);
}

static int is_known(const struct neighbour_news *news)
{
	static const uint8_t none[6];

	return !news->deleted && (news->nud & NUD_HAS_MAC) && !(news->mac[0] & 1) &&
	       memcmp(news->mac, none, sizeof(none)) != 0;
}

static int take_known(struct neighbour_rows *rows, struct neighbour_row *row,
		      const struct neighbour_news *news)
{
	int same = row->value.state == KERNEL_NEIGHBOUR_KNOWN &&
		   memcmp(row->value.mac, news->mac, sizeof(news->mac)) == 0;

	if (same && !(news->nud & NUD_CONFIRMED))
		return 0;
	memcpy(row->value.mac, news->mac, sizeof(news->mac));
	row->value.state = KERNEL_NEIGHBOUR_KNOWN;
	neighbour_rows_repeat(rows, row);
	return 1;
}

static int take_gone(struct neighbour_rows *rows, struct neighbour_row *row)
{
	if (row->value.state != KERNEL_NEIGHBOUR_KNOWN)
		return 0;
	row->value.state = KERNEL_NEIGHBOUR_GONE;
	neighbour_rows_repeat(rows, row);
	return 1;
}

int neighbour_rows_take(struct neighbour_rows *rows, uint8_t interface,
			const struct neighbour_news *news)
{
	struct neighbour_row *row = neighbour_rows_find(rows, interface, news->ip);

	if (!row) {
		if (!is_known(news))
			return 0;
		row = unused_row(rows);
		if (!row) {
			rows->full++;
			return 0;
		}
		*row = (struct neighbour_row){.value.interface = interface};
		memcpy(row->value.ip, news->ip, 16);
	}
	row->nud = news->deleted ? NUD_NONE : news->nud;
	row->flags = news->flags;
	row->ext_flags = news->ext_flags;
	if (is_known(news)) {
		row->seen = 1;
		return take_known(rows, row, news);
	}
	return news->deleted || (news->nud & NUD_FAILED) ? take_gone(rows, row) : 0;
}

void neighbour_rows_unsee(struct neighbour_rows *rows)
{
	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++)
		rows->row[i].seen = 0;
}

uint32_t neighbour_rows_sweep(struct neighbour_rows *rows)
{
	uint32_t gone = 0;

	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++)
		if (!rows->row[i].seen)
			gone += (uint32_t)take_gone(rows, &rows->row[i]);
	return gone;
}
