/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/policy_diff.h"

#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static void names_the_key_that_needs_a_restart(void)
{
	static const struct {
		const char *from;
		const char *to;
		const char *key;
	} rows[] = {
		{"name: unit", "name: other", "sidecar.name"},
		{"workers: 2", "workers: 1", "sidecar.workers"},
		{"workers: 2", "workers: 2, cpus: [0, 1]", "sidecar.cpus"},
		{"workers: 2", "workers: 2, idle: poll", "sidecar.idle"},
		{"workers: 2", "workers: 2, spin: 7us", "sidecar.spin"},
		{"workers: 2", "workers: 2, hugepages: never", "sidecar.hugepages"},
		{"connections: 128", "connections: 256", "sidecar.connections"},
		{"workers: 2", "workers: 2, buffers: 64", "sidecar.buffers"},
		{"max_listeners: 4", "max_listeners: 5", "sidecar.max_listeners"},
		{"max_clusters: 4", "max_clusters: 5", "sidecar.max_clusters"},
		{"max_endpoints: 8", "max_endpoints: 9", "sidecar.max_endpoints"},
		{"policy_slot: 64KiB", "policy_slot: 128KiB", "sidecar.policy_slot"},
		{"workers: 2", "workers: 2, verify_checksums: true", "sidecar.verify_checksums"},
		{"name: net", "name: out", "interfaces[1].name"},
		{"eth9", "eth8", "interfaces[1].device"},
		{"af_xdp:eth9", "vdev:net_null0", "interfaces[1].device"},
		{"mtu: 1500", "mtu: 1400", "interfaces[0].mtu"},
		{"mtu: 1500", "mtu: 1500, vlan: 7", "interfaces[0].vlan"},
		{"mtu: 1500", "mtu: 1500, snat: {ports: 40000-41000}", "interfaces[0].snat.ports"},
		{"mtu: 1500", "mtu: 1500, shared: true", "interfaces[0].shared"},
		{"mtu: 1500", "mtu: 1500, limiter: none", "interfaces[0].limiter"},
		{"mtu: 1500", "mtu: 1500, kernel_addresses: 10.0.0.9", "interfaces: addresses"},
		{"10.1.0.1/24", "10.1.0.2/24", "interfaces[1].addresses"},
		{"10.1.0.254", "10.1.0.253", "interfaces[1].routes"},
		{"gateway: 10.1.0.254",
		 "gateway: 10.1.0.254, neighbours: [{address: 10.1.0.11, "
		 "mac: '02:00:00:00:00:01'}]",
		 "interfaces: neighbours"},
	};
	struct image_header *running = fixture_compile(FIXTURE_POLICY);
	char key[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *wanted = fixture_compile_with(rows[i].from, rows[i].to);

		key[0] = '\0';
		CU_ASSERT_EQUAL(policy_needs_restart(running, wanted, key, sizeof(key)), 1);
		CU_ASSERT_STRING_EQUAL(key, rows[i].key);
		free(wanted);
	}
	free(running);
}

static void what_a_reload_may_change_needs_none(void)
{
	static const char *const rows[][2] = {
		{"weight: 2", "weight: 3"},
		{"version: 1\n", "version: 1\nreload: {}\n"},
		{"cluster: web}\n", "cluster: web, rate_limit: {listener: {connections_per_second: "
				    "5}}}\n"},
		{"10.1.0.13:53", "10.1.0.14:53"},
		{"{name: dns, bind: '10.0.0.1:53'", "{name: names, bind: '10.0.0.1:5353'"},
		{"  - name: dns\n", "  - name: dns\n    timeouts: {connect: 3s}\n"},
		{"  - name: web\n", "  - name: web\n    load_balancing: {algorithm: maglev}\n"},
	};
	struct image_header *running = fixture_compile(FIXTURE_POLICY);
	char key[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *wanted = fixture_compile_with(rows[i][0], rows[i][1]);

		CU_ASSERT_NOT_EQUAL(wanted->content_hash, running->content_hash);
		CU_ASSERT_EQUAL(policy_needs_restart(running, wanted, key, sizeof(key)), 0);
		free(wanted);
	}
	free(running);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(names_the_key_that_needs_a_restart),
	SUITE_TEST(what_a_reload_may_change_needs_none),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("policy_diff", tests);
}
