/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules across keys refuse: each is refused with exactly these messages. */
#include "tests/unit/config/policy_text.h"

static const struct refused rows[] = {
	{"two interfaces of a name",
	 {{"name: net", "name: app"}},
	 "p:9:11: error: interfaces[1].name: found app, the name of the interface on line 6 too; "
	 "expected another name\n"},
	{"two listeners of a name",
	 {{"clusters:\n", "  - {name: web, bind: 10.1.0.1:81, interface: app, protocol: tcp, "
			  "cluster: web}\nclusters:\n"}},
	 "p:22:12: error: listeners[1].name: found web, the name of the listener on line 17 too; "
	 "expected another name\n"},
	{"two clusters of a name",
	 {{"    timeouts: {connect: 1s, request: 15s}\n",
	   "  - {name: web, endpoints: [{address: 10.2.0.13:80}]}\n"}},
	 "p:29:12: error: clusters[1].name: found web, the name of the cluster on line 23 too; "
	 "expected another name\n"},
	{"unknown cluster",
	 {{"cluster: web", "cluster: wbe"}},
	 "p:21:14: error: listeners[0].cluster: found wbe, expected the name of one of the "
	 "policy's clusters; did you mean \"web\"?\n"},
	{"unknown interface",
	 {{"interface: app", "interface: internet"}},
	 "p:19:16: error: listeners[0].interface: found internet, expected the name of one of the "
	 "policy's interfaces\n"},
	{"fewer CPUs than workers",
	 {{"workers: 1", "workers: 2\n  cpus: [1]"}},
	 "p:5:9: error: sidecar.cpus: found 1 for 2 workers, expected one CPU each\n"},
	{"more listeners than room",
	 {{"workers: 1\ninterfaces", "max_listeners: 1\n  max_endpoints: 1\ninterfaces"}},
	 "p:5:18: error: sidecar.max_endpoints: found room for 1, expected max_endpoints of at "
	 "least 2, the number of endpoints\n"},
	{"two interfaces of a device",
	 {{"af_xdp:b", "af_xdp:a"}},
	 "p:10:13: error: interfaces[1].device: the interface on line 6 has this device too; "
	 "expected another device\n"},
	{"one PCI device in two spellings",
	 {{"af_xdp:a", "pci:0000:3b:0A.1"}, {"af_xdp:b", "pci:3B:0a.1"}},
	 "p:10:13: error: interfaces[1].device: the interface on line 6 has this device too; "
	 "expected another device\n"},
	{"address given twice",
	 {{"[10.2.0.1/24,", "[10.1.0.1/24, 10.2.0.1/24,"}},
	 "p:11:17: error: interfaces[1].addresses[0]: found 10.1.0.1, the address on line 8 too; "
	 "expected each address once\n"},
	{"IPv6 with a small MTU",
	 {{"    snat: {ports", "    mtu: 1279\n    snat: {ports"}},
	 "p:15:10: error: interfaces[1].mtu: found 1279, expected at least 1280, as the interface "
	 "has an IPv6 address\n"},
	{"route twice",
	 {{"{to: 10.3.0.0/16, via: 10.2.0.253}",
	   "{to: 10.3.0.0/16, via: 10.2.0.253}, {to: 10.3.0.0/16}"}},
	 "p:13:55: error: interfaces[1].routes[1].to: found 10.3.0.0/16, which line 13 leads to as "
	 "well; expected one route to it\n"},
	{"route to a network on the link",
	 {{"{to: 10.3.0.0/16, via: 10.2.0.253}", "{to: 10.2.0.0/24, via: 10.2.0.253}"}},
	 "p:13:19: error: interfaces[1].routes[0].to: found 10.2.0.0/24, which line 11 leads to as "
	 "well; expected one route to it\n"},
	{"default route beside a gateway",
	 {{"{to: 10.3.0.0/16, via: 10.2.0.253}", "{to: 0.0.0.0/0, via: 10.2.0.253}"}},
	 "p:13:19: error: interfaces[1].routes[0].to: found 0.0.0.0/0, which line 12 leads to as "
	 "well; expected one route to it\n"},
	{"router of the other family",
	 {{"via: 10.2.0.253", "via: 2001:db8:2::fe"}},
	 "p:13:37: error: interfaces[1].routes[0].via: found a router of the other family, "
	 "expected an IPv4 address\n"},
	{"router off the link",
	 {{"via: 10.2.0.253", "via: 10.9.0.253"}},
	 "p:13:37: error: interfaces[1].routes[0].via: found 10.9.0.253, which is on no network of "
	 "this interface; expected an address within one of its addresses' prefixes or its on-link "
	 "routes\n"},
	{"gateway off the link",
	 {{"gateway: [10.2.0.254]", "gateway: 10.1.0.254"}},
	 "p:12:14: error: interfaces[1].gateway: found 10.1.0.254, which is on no network of this "
	 "interface; expected an address within one of its addresses' prefixes or its on-link "
	 "routes\n"},
	{"gateway that is Fender",
	 {{"gateway: [10.2.0.254]", "gateway: 10.2.0.1"}},
	 "p:12:14: error: interfaces[1].gateway: found 10.2.0.1, which is Fender's own; expected "
	 "another station\n"},
	{"two gateways of a family",
	 {{"gateway: [10.2.0.254]", "gateway: [10.2.0.254, 10.2.0.252]"}},
	 "p:12:27: error: interfaces[1].gateway[1]: found a second gateway for IPv4, expected one "
	 "for each family\n"},
	{"neighbour off the link",
	 {{"address: 10.2.0.254", "address: 10.9.0.254"}},
	 "p:14:28: error: interfaces[1].neighbours[0].address: found 10.9.0.254, which is on no "
	 "network of this interface; expected an address within one of its addresses' prefixes or "
	 "its on-link routes\n"},
	{"neighbour that is Fender",
	 {{"address: 10.2.0.254", "address: 10.1.0.1"}},
	 "p:14:28: error: interfaces[1].neighbours[0].address: found 10.1.0.1, which is Fender's "
	 "own; expected another station\n"},
	{"neighbour twice",
	 {{"{address: 10.2.0.254, mac: 02:00:00:00:00:01}",
	   "{address: 10.2.0.254, mac: 02:00:00:00:00:01}, {address: 10.2.0.254, mac: "
	   "02:00:00:00:00:02}"}},
	 "p:14:75: error: interfaces[1].neighbours[1].address: the neighbour on line 14 has this "
	 "address too; expected each once\n"},
	{"worker without a SNAT port",
	 {{"workers: 1", "workers: 3"}, {"40000-41000", "40000-40001"}},
	 "p:15:19: error: interfaces[1].snat.ports: found too few ports for 3 workers, expected at "
	 "least 64 in a row\n"},
	{"same bind twice",
	 {{"clusters:\n", "  - {name: web2, bind: 10.1.0.1:80, interface: app, protocol: tcp, "
			  "cluster: web}\nclusters:\n"}},
	 "p:22:24: error: listeners[1].bind: found 10.1.0.1:80, where the listener on line 17 is "
	 "bound already; expected another address, port, interface or protocol\n"},
	{"wildcard bind without an address of its family",
	 {{"[10.1.0.1/24, 2001:db8:1::1/64]", "[2001:db8:1::1/64]"}, {"10.1.0.1:80", "0.0.0.0:80"}},
	 "p:18:11: error: listeners[0].bind: interface app has no IPv4 address; expected one, or a "
	 "bind to the address clients use\n"},
	{"bind among the SNAT ports",
	 {{"10.1.0.1:80\n", "10.1.0.1:40000\n"}},
	 "p:18:11: error: listeners[0].bind: found port 40000, which is within the SNAT ports "
	 "32768-60999 of interface app; expected a port outside them, or other snat.ports\n"},
	{"wildcard bind among the SNAT ports",
	 {{"10.1.0.1:80\n", "0.0.0.0:60999\n"}},
	 "p:18:11: error: listeners[0].bind: found port 60999, which is within the SNAT ports "
	 "32768-60999 of interface app; expected a port outside them, or other snat.ports\n"},
	{"listeners of two families on a cluster",
	 {{"clusters:\n", "  - {name: web6, bind: '[::]:80', interface: app, protocol: tcp, "
			  "cluster: web}\nclusters:\n"}},
	 "p:22:24: error: listeners[1].bind: found an IPv6 address, but the listener on line 17 "
	 "uses cluster web for IPv4; expected a cluster for each family\n"},
	{"endpoint of another family than its listener",
	 {{"10.2.0.12:8080", "'[2001:db8:2::c]:8080'"}},
	 "p:27:18: error: clusters[0].endpoints[1].address: found an IPv6 address, expected IPv4 "
	 "like the listener on line 17: Fender does not translate between families\n"},
	{"endpoint twice",
	 {{"10.2.0.12:8080", "10.2.0.11:8080"}},
	 "p:27:18: error: clusters[0].endpoints[1].address: the endpoint on line 25 has this "
	 "address and port too; expected each once (use weight for a larger share)\n"},
	{"endpoint that is Fender",
	 {{"10.2.0.12:8080", "10.1.0.1:8080"}},
	 "p:27:18: error: clusters[0].endpoints[1].address: found 10.1.0.1, an address of Fender "
	 "itself (line 8), so connections would go in a circle; expected a server's address\n"},
	{"endpoint at a listener's address of its interface",
	 {{"bind: 10.1.0.1:80\n    interface: app", "bind: 10.2.0.12:80\n    interface: net"}},
	 "p:27:18: error: clusters[0].endpoints[1].address: found 10.2.0.12, an address of Fender "
	 "itself (line 18), so connections would go in a circle; expected a server's address\n"},
	{"endpoint without a route",
	 {{"    gateway: [10.2.0.254]\n", ""}, {"10.2.0.12:8080", "10.9.0.12:8080"}},
	 "p:26:18: error: clusters[0].endpoints[1].address: found 10.9.0.12, which no route leads "
	 "to; expected it within a network of an interface, or a gateway or routes that lead "
	 "there\n"},
	{"broadcast address as an endpoint",
	 {{"10.2.0.12:8080", "10.2.0.255:8080"}},
	 "p:27:18: error: clusters[0].endpoints[1].address: found 10.2.0.255, the network's own or "
	 "the broadcast address of 10.2.0.0/24; expected a server's address\n"},
	{"table size that is no prime",
	 {{"table_size: 1009", "table_size: 1000"}},
	 "p:28:73: error: clusters[0].load_balancing.table_size: found 1000, expected a prime such "
	 "as 1009\n"},
	{"table smaller than the cluster",
	 {{"table_size: 1009", "table_size: 2"},
	  {"10.2.0.12:8080", "10.2.0.12:8080\n      - address: 10.2.0.13:8080"}},
	 "p:29:73: error: clusters[0].load_balancing.table_size: found 2, expected at least 3, the "
	 "number of endpoints\n"},
	{"connect longer than request",
	 {{"request: 15s", "request: 500ms"}},
	 "p:29:25: error: clusters[0].timeouts.connect: connect is 1s, longer than request, which "
	 "is 500ms; expected connect of at most 500ms\n"},
	{"policy larger than its slot",
	 {{"table_size: 1009", "table_size: 5000011"}},
	 "p:3:3: error: sidecar: policy_slot is 4MiB, less than the load-balancing tables alone "
	 "take; expected a larger policy_slot, smaller table_size or fewer different weights\n"},
	{"mixed families without a listener",
	 {{"  - name: web\n    bind: 10.1.0.1:80\n    interface: app\n    protocol: tcp\n    "
	   "cluster: web\n",
	   "  []\n"},
	  {"10.2.0.12:8080", "'[2001:db8:2::c]:8080'"}},
	 "p:19:5: warning: clusters[0]: no listener uses this cluster\n"
	 "p:23:18: error: clusters[0].endpoints[1].address: found an IPv6 address, expected IPv4 "
	 "like the first endpoint on line 21: Fender does not translate between families\n"},
	{"endpoint without an address to send from",
	 {{"[10.2.0.1/24, 2001:db8:2::1/64]", "[2001:db8:2::1/64]"},
	  {"    gateway: [10.2.0.254]\n    routes: [{to: 10.3.0.0/16, via: 10.2.0.253}]\n    "
	   "neighbours: [{address: 10.2.0.254, mac: 02:00:00:00:00:01}]\n",
	   "    routes: [{to: 10.2.0.0/24}]\n"}},
	 "p:23:18: error: clusters[0].endpoints[0].address: found 10.2.0.11, but interface net has "
	 "no IPv4 address to send from; expected one among its addresses\n"
	 "p:25:18: error: clusters[0].endpoints[1].address: found 10.2.0.12, but interface net has "
	 "no IPv4 address to send from; expected one among its addresses\n"},
	{"policy larger than its slot by little",
	 {{"table_size: 1009", "table_size: 32719"}, {"workers: 1", "policy_slot: 64KiB"}},
	 "p:4:16: error: sidecar.policy_slot: policy_slot is 64KiB, expected at least 66752B, the "
	 "size of this policy compiled\n"},
	{"broken interface does not echo at its users",
	 {{"10.2.0.1/24", "10.2.0.1"}, {"af_xdp:a", "xdp:a"}},
	 "p:7:13: error: interfaces[0].device: found xdp:a, expected af_xdp:<network device>, "
	 "pci:<address> or vdev:<DPDK device>\n"
	 "p:11:17: error: interfaces[1].addresses[0]: found 10.2.0.1, expected a host address and "
	 "its prefix length such as 10.0.0.1/24 or 2001:db8::1/64\n"},
	{"broken name does not echo at its users",
	 {{"  - name: web\n    endpoints", "  - name: w b\n    endpoints"}},
	 "p:23:11: error: clusters[0].name: found 'w b', expected 1 to 63 letters, digits or _ . - "
	 "that begin with a letter, a digit or _\n"},
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

/* Said of a policy that compiles: with a change, these warnings and no error. */
static void assert_warned(const char *find, const char *replace, const char *warnings)
{
	char *text = changed_policy(good_policy, find, replace), *messages;
	int compiled;

	messages = messages_of(text, strlen(text), &compiled);
	CU_ASSERT(compiled);
	CU_ASSERT_STRING_EQUAL(messages, warnings);
	if (strcmp(messages, warnings) != 0)
		fprintf(stderr, "\n--- got\n%s", messages);
	free(messages);
	free(text);
}

static void doubtful_policies_compile_with_a_warning(void)
{
	assert_warned("    timeouts: {connect: 1s, request: 15s}\n",
		      "  - {name: spare, endpoints: [{address: 10.2.0.13:80}]}\n",
		      "p:29:5: warning: clusters[1]: no listener uses this cluster\n");
	assert_warned("    endpoints:\n      - address: 10.2.0.11:8080\n        weight: 2\n"
		      "      - address: 10.2.0.12:8080\n",
		      "    endpoints: []\n",
		      "p:24:16: warning: clusters[0].endpoints: without endpoints every connection "
		      "is rejected\n");
	assert_warned(
		"[10.1.0.1/24,", "[10.2.0.9/24, 10.1.0.1/24,",
		"p:25:18: warning: clusters[0].endpoints[0].address: interfaces app and net "
		"lead there equally well, app is taken; a longer route says which is meant\n"
		"p:27:18: warning: clusters[0].endpoints[1].address: interfaces app and net "
		"lead there equally well, app is taken; a longer route says which is meant\n");
}

static void unusual_but_sound_policies_compile(void)
{
	static const struct {
		const char *find;
		const char *replace;
	} sound[] = {
		/* the same address and port for another protocol, interface or address */
		{"clusters:\n", "  - {name: w2, bind: 10.1.0.1:80, interface: app, protocol: udp, "
				"cluster: web}\nclusters:\n"},
		{"clusters:\n", "  - {name: w2, bind: 10.1.0.1:80, interface: net, protocol: tcp, "
				"cluster: web}\nclusters:\n"},
		{"clusters:\n", "  - {name: w2, bind: 0.0.0.0:80, interface: app, protocol: tcp, "
				"cluster: web}\nclusters:\n"},
		/* an address routed to Fender, whose port may be among the SNAT ports */
		{"10.1.0.1:80\n", "10.96.0.20:40000\n"},
		/* an endpoint's own address served on the interface it is not reached by */
		{"10.1.0.1:80\n", "10.2.0.12:8080\n"},
		/* IPv6 routers are often link-local */
		{"[10.2.0.254]", "[10.2.0.254, fe80::1]"},
		/* a router reached over an on-link route, as in pods with /32 addresses */
		{"{to: 10.3.0.0/16, via: 10.2.0.253}",
		 "{to: 169.254.1.1/32}, {to: 10.3.0.0/16, via: 169.254.1.1}"},
		/* two addresses in one network */
		{"[10.2.0.1/24,", "[10.2.0.1/24, 10.2.0.2/24,"},
		/* the last port below the SNAT range and the first above */
		{"10.1.0.1:80\n", "10.1.0.1:32767\n"},
		{"10.1.0.1:80\n", "10.1.0.1:61000\n"},
		/* one port for the one worker */
		{"40000-41000", "40000"},
		{"request: 15s", "request: 1s"},
	};

	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
		char *text = changed_policy(good_policy, sound[i].find, sound[i].replace);

		free(compile_good(text));
		free(text);
	}
}

static void policy_that_fills_its_capacities_compiles(void)
{
	char *text = changed_policy(good_policy, "workers: 1\n",
				    "max_listeners: 1\n  max_clusters: 1\n  max_endpoints: 2\n");

	free(compile_good(text));
	free(text);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"unchanged", unchanged_policy_compiles},
		{"refused", each_row_is_refused_with_its_messages},
		{"warnings", doubtful_policies_compile_with_a_warning},
		{"sound", unusual_but_sound_policies_compile},
		{"full", policy_that_fills_its_capacities_compiles},
		CU_TEST_INFO_NULL,
	};

	return run_suite("checks", tests);
}
