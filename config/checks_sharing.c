/* SPDX-License-Identifier: Apache-2.0 */
/* What Fender and the kernel share: interfaces, addresses, ports, limiters. */
#include "config/checks.h"

static void check_limiter(struct check *c, const struct policy_interface *i)
{
	if (i->limiter == LIMITER_XDP && i->device.kind != DEVICE_AF_XDP)
		yaml_error(c->d, check_at(&i->map, "limiter"),
			   "found xdp, but the kernel does not see packets of this device; "
			   "expected dpdk, or a device of af_xdp");
}

static void check_kernel_addresses(struct check *c, const struct policy_interface *i)
{
	const struct yaml_node *node = check_at(&i->map, "kernel_addresses");

	if (i->kernel_addresses.count == 0)
		return;
	if (i->device.kind != DEVICE_AF_XDP)
		yaml_error(c->d, node,
			   "the kernel has no addresses on this device; expected a device of "
			   "af_xdp, or not to find this key");
	else if (i->shared)
		yaml_error(c->d, node,
			   "the kernel keeps every address of a shared interface; expected not to "
			   "find this key");
}

static void check_shared(struct check *c, const struct policy_interface *i)
{
	const struct value_port_range *ports = &i->snat.ports;

	if (!i->shared)
		return;
	if (i->device.kind != DEVICE_AF_XDP)
		yaml_error(c->d, check_at(&i->map, "shared"),
			   "the kernel has no part in this device; expected a device of af_xdp, or "
			   "shared: false");
	if (ports->low <= POLICY_KERNEL_PORT_HIGH && ports->high >= POLICY_KERNEL_PORT_LOW)
		yaml_warning(c->d, check_at(&i->snat.map, "ports"),
			     "the kernel takes ports from %d to %d for its own connections unless "
			     "told otherwise; better are %d-%d, or ports reserved by "
			     "net.ipv4.ip_local_reserved_ports",
			     POLICY_KERNEL_PORT_LOW, POLICY_KERNEL_PORT_HIGH,
			     POLICY_SHARED_PORT_LOW, POLICY_SHARED_PORT_HIGH);
}

static void check_on_loss(struct check *c)
{
	const struct policy *p = c->policy;

	if (p->sidecar.on_dataplane_loss != ON_LOSS_PASS)
		return;
	for (size_t i = 0; i < p->interfaces.count; i++) {
		if (p->interfaces.items[i].shared || p->interfaces.items[i].map.errors != 0)
			return;
	}
	yaml_error(c->d, check_at(&p->sidecar.map, "on_dataplane_loss"),
		   "found pass, but no interface is shared: the kernel has no way for this "
		   "traffic; expected drop, or an interface with shared: true");
}

void check_sharing(struct check *c)
{
	for (size_t i = 0; i < c->policy->interfaces.count; i++) {
		const struct policy_interface *interface = &c->policy->interfaces.items[i];

		if (interface->device.kind == 0)
			continue;
		check_limiter(c, interface);
		check_kernel_addresses(c, interface);
		check_shared(c, interface);
	}
	check_on_loss(c);
}
