// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The XDP program in front of every AF_XDP socket: which frames are Fender's, and which of
 * those pass their listener's limits (xdp_judge.h).
 *
 * An exclusive interface: every frame is Fender's, but those for a declared address of the kernel.
 * A shared one: only a packet for a listener bound there or a SNAT port in use, and an ICMP error
 * that quotes one; the rest goes to the kernel.
 *
 * What is Fender's goes to the socket of its queue. When there is none it is dropped, so that TCP
 * waits for the dataplane's return; the kernel would answer RST (LIMIT_LOST_PASS: no return).
 *
 * A frame that cannot be parsed goes where the interface's other frames go: to the worker, which
 * drops it under its own reason, or to the kernel. It needs no limit, since the worker forwards
 * nothing that is not parsed here.
 *
 * Fragments cannot be limited, and the worker forwards none. On a shared interface the first one
 * of a connection of Fender's is dropped, for the kernel would answer it once it had the others;
 * those go to the kernel, which cannot know whose they are, and die there for want of the first.
 */
#include "ebpf/xdp_maps.h"

#include "ebpf/parse.h"
#include "ebpf/xdp_judge.h"

/* The row of "interfaces" of the device that the frame came in by; LIMIT_INTERFACES: none. */
static __always_inline __u32 row_of_device(__u32 if_index)
{
#pragma unroll
	for (__u32 i = 0; i < LIMIT_DEVICE_TRIES; i++) {
		__u32 slot = (if_index + i) % LIMIT_DEVICES;
		struct limit_device *d = bpf_map_lookup_elem(&devices, &slot);

		if (d && d->if_index == if_index)
			return d->interface;
	}
	return LIMIT_INTERFACES;
}

enum whose {
	OF_KERNEL,
	OF_FENDER,   /* exclusive interface, no listener */
	OF_LISTENER, /* struct owner is set */
};

static __always_inline int owner_of_port(const struct frame *f, const struct limit_interface *i,
					 __u32 row, struct owner *o)
{
	__u16 port = FRAME_HOST16(f->dport);
	struct limit_address_key key = {.ip = f->dst, .interface = row};
	struct limit_address *address;
	__u64 *word;
	__u64 owner;

	if (!(i->flags & LIMIT_HAS_SNAT) || port < i->snat_low || port > i->snat_high)
		return 0;
	address = bpf_map_lookup_elem(&addresses, &key);
	if (!address || !(address->flags & LIMIT_SNAT_ADDRESS))
		return 0;
	o->place = (f->proto == FRAME_PROTO_TCP ? address->snat_tcp : address->snat_udp) + port -
		   i->snat_low;
	word = bpf_map_lookup_elem(&snat_owner, &o->place);
	owner = word ? *(volatile __u64 *)word : 0;
	o->listener = LIMIT_OWNER_LISTENER(owner);
	o->epoch = LIMIT_OWNER_EPOCH(owner);
	return o->epoch != 0;
}

static __always_inline int owner_by_listener(const struct frame *f, __u32 row, struct owner *o)
{
	struct limit_listener_key key = {
		.ip = f->dst,
		.port = f->dport,
		.proto = f->proto,
		.interface = (__u8)row,
	};
	__u32 *listener = bpf_map_lookup_elem(&listeners, &key);

	if (!listener)
		return 0;
	o->listener = *listener;
	o->epoch = 0;
	return 1;
}

static __always_inline int has_tuple(const struct frame *f)
{
	return f->kind == FRAME_TCP || f->kind == FRAME_UDP || f->kind == FRAME_FIRST_FRAGMENT ||
	       f->kind == FRAME_ICMP_ERROR;
}

static __always_inline int is_kernels(const struct frame *f, __u32 row)
{
	struct limit_address_key key = {.ip = f->dst, .interface = row};
	struct limit_address *address;

	if (f->kind == FRAME_NO_IP || f->kind == FRAME_MALFORMED)
		return 0;
	address = bpf_map_lookup_elem(&addresses, &key);
	return address && (address->flags & LIMIT_KERNEL_ADDRESS);
}

static __always_inline enum whose whose(const struct frame *f, const struct limit_interface *i,
					__u32 row, struct owner *o)
{
	int exclusive = (i->flags & LIMIT_EXCLUSIVE) != 0;

	/* a priority tag (id 0) is no VLAN */
	if (f->vlan != i->vlan || f->tagged > 1)
		return exclusive ? OF_FENDER : OF_KERNEL;
	if (has_tuple(f) && (owner_of_port(f, i, row, o) || owner_by_listener(f, row, o)))
		return OF_LISTENER;
	return exclusive && !is_kernels(f, row) ? OF_FENDER : OF_KERNEL;
}

/* Congestion experienced (RFC 3168), the IPv4 checksum kept right (RFC 1624, eqn. 3). */
static __always_inline void mark(struct xdp_md *ctx, const struct frame *f)
{
	__u8 *header = (__u8 *)(long)ctx->data + (f->l3 & 0x1f);
	struct ipv4 *ip = (struct ipv4 *)header;
	__u32 sum;

	if ((__u8 *)(ip + 1) > (__u8 *)(long)ctx->data_end)
		return;
	if (f->ipv6) {
		header[1] |= 3 << 4;
		return;
	}
	sum = (__u16)~ip->check + (__u32)(__u16)~FRAME_BE16(ip->version_ihl << 8 | ip->tos);
	ip->tos |= 3;
	sum += FRAME_BE16(ip->version_ihl << 8 | ip->tos);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = (__u16) ~(sum + (sum >> 16));
}

static __always_inline void count(__u32 row, __u32 verdict, __u32 bytes)
{
	struct limit_counters *c = bpf_map_lookup_elem(&counters, &row);

	if (!c || verdict >= LIMIT_COUNTER_SLOTS)
		return;
	c->packets[verdict]++;
	c->bytes[verdict] += bytes;
}

SEC("xdp")
int fender_xdp(struct xdp_md *ctx)
{
	const __u32 interface = row_of_device(ctx->ingress_ifindex);
	__u32 row = interface;
	__u32 verdict = LIMIT_VERDICT_KERNEL;
	int action = XDP_PASS;
	struct limit_interface *i;
	struct frame f = {};
	struct owner o = {};
	enum whose of;

	/* Attached by somebody else: it has no counters either. */
	if (interface >= LIMIT_INTERFACES)
		return XDP_PASS;
	frame_parse(&f, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
	i = bpf_map_lookup_elem(&interfaces, &row);
	if (!i || !(i->flags & LIMIT_CONFIGURED))
		goto out;
	of = whose(&f, i, interface, &o);
	if (of == OF_KERNEL)
		goto out;
	if (of == OF_LISTENER) {
		row = LIMIT_INTERFACES + o.listener;
		verdict = i->flags & LIMIT_UNLIMITED ? LIMIT_VERDICT_PASSED : judge(&f, &o);
		if (f.kind == FRAME_FIRST_FRAGMENT && !(i->flags & LIMIT_EXCLUSIVE))
			verdict = LIMIT_VERDICT_FRAGMENT;
		action = XDP_DROP;
		if (refuses(verdict) || verdict == LIMIT_VERDICT_FRAGMENT)
			goto out;
		if (verdict == LIMIT_VERDICT_MARKED)
			mark(ctx, &f);
	} else {
		verdict = LIMIT_VERDICT_PASSED;
	}
	if (i->flags & LIMIT_LOST_PASS) {
		verdict = LIMIT_VERDICT_KERNEL;
		action = XDP_PASS;
		goto out;
	}
	action = (int)bpf_redirect_map(
		&xsks_map, interface * LIMIT_MAX_QUEUES + ctx->rx_queue_index, XDP_DROP);
	if (action != XDP_REDIRECT)
		verdict = LIMIT_VERDICT_NO_SOCKET;
out:
	count(row, verdict, f.bytes);
	return action;
}

char fender_license[] SEC("license") = "Dual BSD/GPL";
