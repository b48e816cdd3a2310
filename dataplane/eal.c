/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/eal.h"

#include "dataplane/log.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

enum {
	MAX_ARGS = 24 + 2 * MAX_INTERFACES,
	TEXT_BYTES = 8192,
	/* DPDK's own objects: ports, rings between workers. Pages count only when touched. */
	MEMORY_MIB = 32,
};

static int started;

struct arguments {
	char *argv[MAX_ARGS + 1];
	int argc;
	char text[TEXT_BYTES];
	size_t used;
	int overflow;
};

static void text_add(struct arguments *a, const char *format, va_list values)
{
	size_t left = sizeof(a->text) - a->used;
	int n = vsnprintf(&a->text[a->used], left, format, values);

	if (n < 0 || (size_t)n >= left)
		a->overflow = 1;
	else
		a->used += (size_t)n;
}

/* Continue the last argument. */
static void append(struct arguments *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void append(struct arguments *a, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	text_add(a, format, values);
	va_end(values);
}

/* Begin the next one. */
static void argument(struct arguments *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void argument(struct arguments *a, const char *format, ...)
{
	va_list values;

	if (a->argc == MAX_ARGS || a->used + 1 >= sizeof(a->text)) {
		a->overflow = 1;
		return;
	}
	if (a->argc > 0)
		a->used++; /* the terminator of the one before */
	a->argv[a->argc++] = &a->text[a->used];
	va_start(values, format);
	text_add(a, format, values);
	va_end(values);
}

unsigned int eal_lcore(unsigned int worker)
{
	return worker + 1;
}

static void append_cpus(struct arguments *a, const cpu_set_t *set)
{
	const char *separator = "";

	/* XXX: DPDK knows the CPUs below RTE_MAX_LCORE; others are not used. */
	for (int cpu = 0; cpu < RTE_MAX_LCORE; cpu++) {
		if (!CPU_ISSET(cpu, set))
			continue;
		append(a, "%s%d", separator, cpu);
		separator = ",";
	}
}

static int cpus_of(uint64_t mask, const cpu_set_t *allowed, cpu_set_t *set, char *why,
		   size_t why_size)
{
	CPU_ZERO(set);
	for (int cpu = 0; cpu < 64; cpu++) {
		if (!(mask >> cpu & 1))
			continue;
		if (!CPU_ISSET(cpu, allowed)) {
			snprintf(why, why_size,
				 "sidecar.cpus names CPU %d, which this process may not use", cpu);
			return -EINVAL;
		}
		CPU_SET(cpu, set);
	}
	return 0;
}

/* The n-th CPU of a set. */
static int nth_cpu(const cpu_set_t *set, uint32_t n)
{
	int cpu = -1;

	for (uint32_t seen = 0; seen <= n; seen++)
		do
			cpu++;
		while (!CPU_ISSET(cpu, set));
	return cpu;
}

static int lcores(struct arguments *a, const struct image_sidecar *sidecar, char *why,
		  size_t why_size)
{
	cpu_set_t allowed, wanted;
	int rc;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
		snprintf(why, why_size, "cannot read the allowed CPUs: %s", strerror(errno));
		return -errno;
	}
	wanted = allowed;
	rc = sidecar->cpus ? cpus_of(sidecar->cpus, &allowed, &wanted, why, why_size) : 0;
	if (rc)
		return rc;
	argument(a, "--lcores=0@(");
	append_cpus(a, &allowed);
	append(a, ")");
	for (uint32_t i = 0; i < sidecar->workers; i++) {
		append(a, ",%u@(", eal_lcore(i));
		if (sidecar->cpus && (uint32_t)CPU_COUNT(&wanted) >= sidecar->workers)
			append(a, "%d", nth_cpu(&wanted, i));
		else
			append_cpus(a, &wanted);
		append(a, ")");
	}
	return 0;
}

/* Allow exactly the PCI devices of the policy. Return how many. */
static uint32_t pci_devices(struct arguments *a, const struct image_header *image)
{
	const struct image_interface *row = IMAGE_ARRAY(image, struct image_interface, interfaces);
	uint32_t count = 0;

	for (uint32_t i = 0; i < image->interfaces.count; i++) {
		if (row[i].kind != DEVICE_PCI)
			continue;
		argument(a, "--allow=%s", image_string(image, row[i].device));
		count++;
	}
	return count;
}

static int memory(struct arguments *a, const struct image_header *image, char *why, size_t why_size)
{
	if (pci_devices(a, image) == 0) {
		argument(a, "--no-pci");
		argument(a, "--no-huge");
		argument(a, "-m");
		argument(a, "%d", MEMORY_MIB);
		argument(a, "--iova-mode=va");
		argument(a, "--no-shconf");
		return 0;
	}
	if (image->sidecar.hugepages == HUGEPAGES_NEVER) {
		snprintf(why, why_size,
			 "pci: interfaces need hugepages, sidecar.hugepages is never");
		return -EINVAL;
	}
	argument(a, "--in-memory");
	return 0;
}

int eal_start(const struct image_header *image, const char *instance, char *why, size_t why_size)
{
	static const int dpdk_levels[] = {
		[LOG_LEVEL_ERROR] = RTE_LOG_ERR,
		[LOG_LEVEL_WARN] = RTE_LOG_WARNING,
		[LOG_LEVEL_INFO] = RTE_LOG_WARNING,
		[LOG_LEVEL_DEBUG] = RTE_LOG_INFO,
	};
	static struct arguments a;
	int rc;

	if (started)
		return 0;
	argument(&a, "fender-dataplane");
	argument(&a, "--no-telemetry");
	argument(&a, "--file-prefix=fender-%s", instance);
	argument(&a, "--log-level=%d", dpdk_levels[log_level()]);
	rc = lcores(&a, &image->sidecar, why, why_size);
	if (rc == 0)
		rc = memory(&a, image, why, why_size);
	if (rc)
		return rc;
	if (a.overflow) {
		snprintf(why, why_size, "too many CPUs or devices for DPDK's arguments");
		return -E2BIG;
	}
	log_cause_forget();
	if (rte_eal_init(a.argc, a.argv) < 0) {
		snprintf(why, why_size, "DPDK does not start: %s", log_cause());
		return rte_errno ? -rte_errno : -EIO;
	}
	started = 1;
	return 0;
}

void eal_stop(void)
{
	rte_eal_cleanup();
	started = 0;
}
