/* SPDX-License-Identifier: Apache-2.0 */
/* What the schema table refuses: each is refused with exactly these messages. */
#include "tests/unit/config/policy_text.h"

static const struct refused rows[] = {
	{"unknown key with a suggestion",
	 {{"weight: 2", "wieght: 2"}},
	 "p:26:9: error: clusters[0].endpoints[0].wieght: unknown key; did you mean \"weight\"?\n"},
	{"unknown key without one",
	 {{"weight: 2", "colour: red"}},
	 "p:26:9: error: clusters[0].endpoints[0].colour: unknown key; expected one of: address, "
	 "weight, priority, zone\n"},
	{"unknown top-level key",
	 {{"version: 1\n", "version: 1\nfoo: {a: 1}\n"}},
	 "p:2:1: error: foo: unknown key; expected one of: version, sidecar, reload, interfaces, "
	 "listeners, clusters\n"},
	{"later issue's key is unknown today",
	 {{"    timeouts: {connect: 1s", "    fallback: {}\n    timeouts: {connect: 1s"}},
	 "p:29:5: error: clusters[0].fallback: unknown key; expected one of: name, endpoints, "
	 "load_balancing, health_check, circuit_breaker, outlier_detection, bulkhead, "
	 "endpoint_bulkhead, retry, timeouts\n"},
	{"duplicate key",
	 {{"  workers: 1\n", "  workers: 1\n  workers: 2\n"}},
	 "p:5:3: error: sidecar.workers: duplicate key, first on line 4\n"},
	{"missing name of a map in a list",
	 {{"  - name: app\n    device", "  - device"}},
	 "p:6:5: error: interfaces[0].name: found nothing, expected a name, for example name: "
	 "app\n"},
	{"missing map",
	 {{"sidecar:\n  name: t\n  workers: 1\n", ""}},
	 "p:1:1: error: sidecar: found nothing, expected a map\n"},
	{"missing required keys of one map",
	 {{"{address: 10.2.0.254, mac: 02:00:00:00:00:01}", "{}"}},
	 "p:14:18: error: interfaces[1].neighbours[0].address: found nothing, expected an address, "
	 "for example address: 10.2.0.254\n"
	 "p:14:18: error: interfaces[1].neighbours[0].mac: found nothing, expected a MAC address, "
	 "for example mac: 02:00:00:00:02:fe\n"},
	{"integer out of range",
	 {{"weight: 2", "weight: 300"}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found 300, expected 1 to 256\n"},
	{"integer of zero",
	 {{"weight: 2", "weight: 0"}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found 0, expected 1 to 256\n"},
	{"no integer",
	 {{"weight: 2", "weight: two"}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found two, expected a whole number, "
	 "from 1 to 256\n"},
	{"negative integer",
	 {{"weight: 2", "weight: -2"}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found -2, expected a whole number, from "
	 "1 to 256\n"},
	{"version of another language",
	 {{"version: 1", "version: 2"}},
	 "p:1:10: error: version: found 2, expected 1\n"},
	{"nothing for an integer",
	 {{"weight: 2", "weight:"}},
	 "p:26:16: error: clusters[0].endpoints[0].weight: found nothing, expected a whole number, "
	 "from 1 to 256\n"},
	{"list for an integer",
	 {{"weight: 2", "weight: [2]"}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found a list, expected one integer\n"},
	{"map for a word",
	 {{"protocol: tcp", "protocol: {tcp: 1}"}},
	 "p:20:15: error: listeners[0].protocol: found a map, expected one word\n"},
	{"word misspelt",
	 {{"protocol: tcp", "protocol: tpc"}},
	 "p:20:15: error: listeners[0].protocol: found tpc, expected one of: tcp, udp; did you "
	 "mean \"tcp\"?\n"},
	{"word unknown",
	 {{"protocol: tcp", "protocol: http"}},
	 "p:20:15: error: listeners[0].protocol: found http, expected one of: tcp, udp\n"},
	{"duration without a unit",
	 {{"connect: 1s", "connect: 1"}},
	 "p:29:25: error: clusters[0].timeouts.connect: found 1, expected a duration with its unit "
	 "such as 250ms, 5s or 1h, from 1ms to 5m\n"},
	{"duration out of range",
	 {{"connect: 1s", "connect: 2d"}},
	 "p:29:25: error: clusters[0].timeouts.connect: found 2d, expected 1ms to 5m\n"},
	{"duration too fine",
	 {{"connect: 1s", "connect: 1500us"}},
	 "p:29:25: error: clusters[0].timeouts.connect: found 1500us, expected whole milliseconds, "
	 "from 1ms to 5m\n"},
	{"duration finer than the smallest",
	 {{"connect: 1s", "connect: 500us"}},
	 "p:29:25: error: clusters[0].timeouts.connect: found 500us, expected 1ms to 5m\n"},
	{"size without a unit",
	 {{"workers: 1", "policy_slot: 65536"}},
	 "p:4:16: error: sidecar.policy_slot: found 65536, expected a size with its unit such as "
	 "64KiB or 4MiB, from 64KiB to 256MiB\n"},
	{"size out of range",
	 {{"workers: 1", "policy_slot: 1KiB"}},
	 "p:4:16: error: sidecar.policy_slot: found 1KiB, expected 64KiB to 256MiB\n"},
	{"count out of range",
	 {{"workers: 1", "connections: 5Mi"}},
	 "p:4:16: error: sidecar.connections: found 5Mi, expected 64 to 4194304\n"},
	{"no boolean",
	 {{"workers: 1", "verify_checksums: yes"}},
	 "p:4:21: error: sidecar.verify_checksums: found yes, expected true or false\n"},
	{"instance name with a slash",
	 {{"name: t\n", "name: ../t\n"}},
	 "p:3:9: error: sidecar.name: found ../t, expected 1 to 63 letters, digits or _ . - that "
	 "begin with a letter, a digit or _\n"},
	{"instance name with a leading dot",
	 {{"name: t\n", "name: .t\n"}},
	 "p:3:9: error: sidecar.name: found .t, expected 1 to 63 letters, digits or _ . - that "
	 "begin with a letter, a digit or _\n"},
	{"device of no kind",
	 {{"af_xdp:a", "eth0"}},
	 "p:7:13: error: interfaces[0].device: found eth0, expected af_xdp:<network device>, "
	 "pci:<address> or vdev:<DPDK device>\n"},
	{"network's own address",
	 {{"10.1.0.1/24", "10.1.0.0/24"}},
	 "p:8:17: error: interfaces[0].addresses[0]: found 10.1.0.0/24, expected a host's address, "
	 "not the network's own or its broadcast address\n"},
	{"address without a prefix",
	 {{"10.1.0.1/24", "10.1.0.1"}},
	 "p:8:17: error: interfaces[0].addresses[0]: found 10.1.0.1, expected a host address and "
	 "its prefix length such as 10.0.0.1/24 or 2001:db8::1/64\n"},
	{"loopback bind",
	 {{"10.1.0.1:80", "127.0.0.1:80"}},
	 "p:18:11: error: listeners[0].bind: found 127.0.0.1:80, expected an address and port such "
	 "as 10.0.0.1:80, [2001:db8::1]:80, or 0.0.0.0:80 and [::]:80 for all of the interface\n"},
	{"bind without a port",
	 {{"10.1.0.1:80", "10.1.0.1"}},
	 "p:18:11: error: listeners[0].bind: found 10.1.0.1, expected an address and port such as "
	 "10.0.0.1:80, [2001:db8::1]:80, or 0.0.0.0:80 and [::]:80 for all of the interface\n"},
	{"endpoint with a name",
	 {{"10.2.0.11:8080", "backend:8080"}},
	 "p:25:18: error: clusters[0].endpoints[0].address: found backend:8080, expected a host's "
	 "address and port such as 10.0.0.1:80 or [2001:db8::1]:80\n"},
	{"route with host bits",
	 {{"10.3.0.0/16", "10.3.0.1/16"}},
	 "p:13:19: error: interfaces[1].routes[0].to: found 10.3.0.1/16, expected a network: the "
	 "bits after the prefix must be zero\n"},
	{"group MAC",
	 {{"02:00:00:00:00:01", "01:00:5e:00:00:01"}},
	 "p:14:45: error: interfaces[1].neighbours[0].mac: found 01:00:5e:00:00:01, expected the "
	 "MAC address of one station such as 02:00:00:00:00:01\n"},
	{"privileged SNAT ports",
	 {{"40000-41000", "1000-41000"}},
	 "p:15:19: error: interfaces[1].snat.ports: found 1000-41000, expected ports from 1024 to "
	 "65535\n"},
	{"SNAT ports downwards",
	 {{"40000-41000", "41000-40000"}},
	 "p:15:19: error: interfaces[1].snat.ports: found 41000-40000, expected a range of ports "
	 "such as 32768-60999, the lower one first\n"},
	{"VLAN 0",
	 {{"    snat: {ports", "    vlan: 0\n    snat: {ports"}},
	 "p:15:11: error: interfaces[1].vlan: found 0, expected 1 to 4094\n"},
	{"VLAN 4095",
	 {{"    snat: {ports", "    vlan: 4095\n    snat: {ports"}},
	 "p:15:11: error: interfaces[1].vlan: found 4095, expected 1 to 4094\n"},
	{"map for a list",
	 {{"    endpoints:\n      - address: 10.2.0.11:8080\n        weight: 2\n      - address: "
	   "10.2.0.12:8080\n",
	   "    endpoints: {address: 10.2.0.11:8080}\n"}},
	 "p:24:17: error: clusters[0].endpoints.address: unknown key; expected one of: file, dns, "
	 "refresh, stale_ok\n"},
	{"map for a list that has no other form",
	 {{"routes: [{to: 10.3.0.0/16, via: 10.2.0.253}]", "routes: {to: 10.3.0.0/16}"}},
	 "p:13:13: error: interfaces[1].routes: found a map, expected a list\n"},
	{"scalar for a list of maps",
	 {{"routes: [{to: 10.3.0.0/16, via: 10.2.0.253}]", "routes: 10.3.0.0/16"}},
	 "p:13:13: error: interfaces[1].routes: found 10.3.0.0/16, expected a list\n"},
	{"scalar for a map",
	 {{"timeouts: {connect: 1s, request: 15s}", "timeouts: fast"}},
	 "p:29:15: error: clusters[0].timeouts: found fast, expected a map\n"},
	{"empty map value",
	 {{"timeouts: {connect: 1s, request: 15s}", "timeouts:"}},
	 "p:29:14: error: clusters[0].timeouts: found nothing, expected a map\n"},
	{"empty list of addresses",
	 {{"[10.1.0.1/24, 2001:db8:1::1/64]", "[]"}},
	 "p:8:16: error: interfaces[0].addresses: found 0 elements, expected 1 to 256 elements\n"},
	{"three gateways",
	 {{"[10.2.0.254]", "[10.2.0.254, 10.2.0.252, 10.2.0.251]"}},
	 "p:12:14: error: interfaces[1].gateway: found 3 elements, expected 0 to 2 elements\n"},
	{"element of a set unknown",
	 {{"hash_on: source_ip", "hash_on: [source_ip, header]"}},
	 "p:28:62: error: clusters[0].load_balancing.hash_on[1]: found header, expected one of: "
	 "source_ip, source_port\n"},
	{"element of a set twice",
	 {{"hash_on: source_ip", "hash_on: [source_ip, source_ip]"}},
	 "p:28:62: error: clusters[0].load_balancing.hash_on[1]: found source_ip a second time, "
	 "expected it once\n"},
	{"empty set",
	 {{"hash_on: source_ip", "hash_on: []"}},
	 "p:28:50: error: clusters[0].load_balancing.hash_on: found an empty list, expected at "
	 "least one element\n"},
	{"CPU number too large",
	 {{"workers: 1", "cpus: [1, 64]"}},
	 "p:4:13: error: sidecar.cpus[1]: found 64, expected 0 to 63\n"},
	{"all errors of a file at once",
	 {{"  name: t\n  workers: 1\n", "  name: t t\n  workers: 17\n  spin: 5\n  foo: 1\n"}},
	 "p:3:9: error: sidecar.name: found 't t', expected 1 to 63 letters, digits or _ . - that "
	 "begin with a letter, a digit or _\n"
	 "p:4:12: error: sidecar.workers: found 17, expected 1 to 16\n"
	 "p:5:9: error: sidecar.spin: found 5, expected a duration with its unit such as 250ms, 5s "
	 "or 1h, from 0 to 1s\n"
	 "p:6:3: error: sidecar.foo: unknown key; expected one of: name, workers, cpus, idle, "
	 "spin, hugepages, buffers, connections, max_listeners, max_clusters, max_endpoints, "
	 "policy_slot, "
	 "verify_checksums, zone, on_dataplane_loss\n"},
	{"text made fit for a terminal",
	 {{"weight: 2", "weight: \"\\e[31m\\a\""}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found ' [31m ', expected a whole "
	 "number, from 1 to 256\n"},
	{"long text cut",
	 {{"weight: 2", "weight: "
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}},
	 "p:26:17: error: clusters[0].endpoints[0].weight: found "
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..., expected a whole number, "
	 "from 1 to 256\n"},
};

static void each_row_is_refused_with_its_messages(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_row_refused(&rows[i]);
}

static void unchanged_policy_compiles(void)
{
	free(compile_good(good_policy));
}

static void errors_beyond_fifty_are_counted(void)
{
	char *text = NULL, *messages;
	size_t bytes, lines = 0;
	FILE *out = open_memstream(&text, &bytes);
	int compiled;

	require(out != NULL);
	for (unsigned int i = 0; i < 1000; i++)
		fprintf(out, "key%u: 1\n", i);
	fclose(out);
	messages = messages_of(text, bytes, &compiled);
	for (const char *at = messages; *at != '\0'; at++)
		lines += *at == '\n';
	CU_ASSERT_EQUAL(lines, 51);
	/* 1,000 unknown keys and three missing ones */
	CU_ASSERT_PTR_NOT_NULL(strstr(messages, "\np: and 953 more errors\n"));
	free(messages);
	free(text);
}

static void one_value_stands_for_a_list_of_one(void)
{
	char *text = changed_policy(good_policy, "[10.2.0.254]", "10.2.0.254");
	struct image_header *list = compile_good(good_policy), *one = compile_good(text);

	require(list->length == one->length);
	CU_ASSERT_EQUAL(memcmp(list, one, list->length), 0);
	free(list);
	free(one);
	free(text);
}

static void json_is_yaml_too(void)
{
	static const char text[] =
		"{\"version\": 1, \"sidecar\": {\"name\": \"j\", \"workers\": 1},\n"
		" \"interfaces\": [{\"name\": \"a\", \"device\": \"af_xdp:a\",\n"
		"  \"addresses\": [\"10.0.0.1/24\"]}], \"listeners\": [], \"clusters\": []}\n";

	free(compile_good(text));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"unchanged", unchanged_policy_compiles},
		{"refused", each_row_is_refused_with_its_messages},
		{"more than fifty", errors_beyond_fifty_are_counted},
		{"list of one", one_value_stands_for_a_list_of_one},
		{"JSON", json_is_yaml_too},
		CU_TEST_INFO_NULL,
	};

	return run_suite("schema", tests);
}
