/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which CPUs there are, for DPDK. Its start asks sysfs some 5,000 times, for every CPU and NUMA
 * node that it was compiled for: 15 to 25 ms, most of what is left of rte_eal_init(). Only the CPUs
 * that this process may use matter to it (eal.c names no others), so the rest is not asked for.
 * Linked in place of DPDK's functions with -Wl,--wrap; called before there are threads.
 */
#include <sched.h>

/* The linker's names for replacements and the replaced. */
int __real_eal_cpu_detected(unsigned int cpu);
int __wrap_eal_cpu_detected(unsigned int cpu);
unsigned int __real_eal_cpu_socket_id(unsigned int cpu);
unsigned int __wrap_eal_cpu_socket_id(unsigned int cpu);

static int is_allowed(unsigned int cpu)
{
	static cpu_set_t allowed;
	static int known;

	if (!known) {
		if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
			return 1; /* then sysfs shall say */
		known = 1;
	}
	return cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed);
}

int __wrap_eal_cpu_detected(unsigned int cpu)
{
	return is_allowed(cpu) ? __real_eal_cpu_detected(cpu) : 0;
}

unsigned int __wrap_eal_cpu_socket_id(unsigned int cpu)
{
	return is_allowed(cpu) ? __real_eal_cpu_socket_id(cpu) : 0;
}
