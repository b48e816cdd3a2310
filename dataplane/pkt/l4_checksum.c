/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/l4_checksum.h"

static uint64_t sum_with_pseudo(const struct packet *p)
{
	return l4_checksum_pseudo(p) + checksum_sum(p->data + p->l4, l4_checksum_bytes(p));
}

void l4_checksum_complete(struct packet *p)
{
	l4_checksum_set(p, 0);
	if (p->kind == PACKET_UDP)
		l4_checksum_set(p, checksum_finish_udp(sum_with_pseudo(p)));
	else
		l4_checksum_set(p, checksum_finish(sum_with_pseudo(p)));
}

int l4_checksum_ok(const struct packet *p, int may_be_partial)
{
	if (p->kind == PACKET_UDP && p->key.k.family == FAMILY_V4 && !l4_checksum_get(p))
		return 1;
	if (may_be_partial && l4_checksum_is_partial(p))
		return 1;
	return checksum_fold(sum_with_pseudo(p)) == 0xffff;
}
