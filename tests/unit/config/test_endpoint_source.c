/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints from files of their own and from DNS. */
#include "config/config.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include "tests/unit/config/policy_text.h"

static const char list[] = "\n      - address: 10.2.0.11:8080\n        weight: 2\n"
			   "      - address: 10.2.0.12:8080\n";
static const char balance[] =
	"    load_balancing: {algorithm: maglev, hash_on: source_ip, table_size: 1009}\n";

static char folder[64];

static void write_file(const char *name, const void *text, size_t bytes)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	require(file != NULL && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	CU_ASSERT_EQUAL(remove(path), 0);
}

/* good_policy with @endpoints in place of its list. The caller frees. */
static char *policy_with(const char *endpoints)
{
	return changed_policy(good_policy, list, endpoints);
}

/* As if @text stood in <folder>/p; *messages, freed by the caller, without the folder's name. */
static struct image_header *compile_there(const char *text, const struct endpoint_sets *sets,
					  char **messages)
{
	struct image_header *image;
	struct diagnostics *d;
	char path[128], *at;
	size_t n;

	snprintf(path, sizeof(path), "%s/", folder);
	n = strlen(path);
	strcat(path, "p");
	d = diagnostics_create(path);
	image = config_compile_resolved(text, strlen(text), sets, d);
	CU_ASSERT_EQUAL(image == NULL, diagnostics_errors(d) != 0);
	*messages = diagnostics_text(d);
	diagnostics_free(d);
	path[n] = '\0';
	while ((at = strstr(*messages, path)) != NULL)
		memmove(at, at + n, strlen(at + n) + 1);
	return image;
}

static void assert_messages(const char *messages, const char *expected)
{
	if (strcmp(messages, expected) != 0)
		fprintf(stderr, "\n--- expected\n%s--- got\n%s", expected, messages);
	CU_ASSERT_STRING_EQUAL(messages, expected);
}

/* A name of the folder's is printed in quotes or cut where it is long: kept short. */
static void make_folder(void)
{
	strcpy(folder, "/tmp/fender-XXXXXX");
	require(mkdtemp(folder) != NULL);
}

static void endpoints_of_a_file_are_those_of_a_list(void)
{
	static const char endpoints[] = "# servers\n- address: 10.2.0.12:8080\n"
					"- {address: 10.2.0.11:8080, weight: 2}\n";
	char *text = policy_with(" {file: servers.yaml}\n"), *messages, *absolute;
	char there[128];
	struct image_header *listed = compile_good(good_policy), *img, *other;
	const struct image_cluster *c;

	write_file("servers.yaml", endpoints, strlen(endpoints));
	img = compile_there(text, NULL, &messages);
	assert_messages(messages, "");
	require(img != NULL);
	c = IMAGE_ARRAY(img, struct image_cluster, clusters);
	CU_ASSERT_EQUAL(c->source.kind, SOURCE_FILE);
	CU_ASSERT_STRING_EQUAL(image_string(img, c->source.name), "servers.yaml");
	CU_ASSERT_EQUAL(img->endpoints.count, 2);
	CU_ASSERT_EQUAL(c->members_hash,
			IMAGE_ARRAY(listed, struct image_cluster, clusters)->members_hash);
	free(messages);
	free(text);

	snprintf(there, sizeof(there), " {file: %s/servers.yaml}\n", folder);
	absolute = policy_with(there);
	other = compile_there(absolute, NULL, &messages);
	CU_ASSERT_PTR_NOT_NULL(other);
	free(messages);
	free(absolute);
	free(other);
	free(img);
	free(listed);
	remove_file("servers.yaml");
}

static void faults_of_a_file_stand_under_its_own_name(void)
{
	static const struct {
		const char *endpoints;
		const char *messages;
	} rows[] = {
		{"- address: 10.2.0.11:8080\n  wieght: 2\n- {address: 10.2.0.12:8080, weight: "
		 "300}\n",
		 "f:2:3: error: [0].wieght: unknown key; did you mean \"weight\"?\n"
		 "f:3:37: error: [1].weight: found 300, expected 1 to 256\n"},
		{"- {weight: 1}\n",
		 "f:1:3: error: [0].address: found nothing, expected an address:port, for example "
		 "address: 10.2.0.11:8080\n"},
		{"- {address: 10.2.0.11:8080}\n- {address: 10.2.0.11:8080}\n",
		 "f:2:13: error: [1].address: the endpoint on line 1 has this address and port "
		 "too; "
		 "expected each once (use weight for a larger share)\n"},
		{"- address: 10.2.0.11:8080\n- address: '[2001:db8:2::b]:80'\n",
		 "f:2:12: error: [1].address: found an IPv6 address, expected IPv4 like the "
		 "listener "
		 "on line 17: Fender does not translate between families\n"},
		{"- address: 10.1.0.1:8080\n",
		 "f:1:12: error: [0].address: found 10.1.0.1, an address of Fender itself (line "
		 "8), "
		 "so connections would go in a circle; expected a server's address\n"},
		{"endpoints: []\n", "f:1:1: error: found a map, expected a list\n"},
		{"10.2.0.11:8080\n",
		 "f:1:1: error: found one value, expected a list of endpoints\n"},
		{"", "f: error: the file is empty, expected a list of endpoints\n"},
		{"- [\n", "f:2:1: error: not valid YAML: did not find expected node content, while "
			  "parsing a flow node of line 2\n"},
	};
	char *text = policy_with(" {file: f}\n");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *messages;

		write_file("f", rows[i].endpoints, strlen(rows[i].endpoints));
		CU_ASSERT_PTR_NULL(compile_there(text, NULL, &messages));
		assert_messages(messages, rows[i].messages);
		free(messages);
	}
	remove_file("f");
	free(text);
}

static void errors_of_the_policy_come_before_those_of_its_files(void)
{
	char *text = policy_with(" {file: f}\n    colour: red\n"), *messages;
	static const char endpoints[] = "- {weight: 0, address: 10.2.0.11:8080}\n";

	write_file("f", endpoints, strlen(endpoints));
	CU_ASSERT_PTR_NULL(compile_there(text, NULL, &messages));
	CU_ASSERT_PTR_NOT_NULL(strstr(messages, "p:25:5: error: clusters[0].colour: unknown key"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(messages, "\nf:1:12: error: [0].weight: found 0, expected 1 to 256\n"));
	free(messages);
	free(text);
	remove_file("f");
}

static void files_that_cannot_be_read_are_errors(void)
{
	static const struct {
		const char *endpoints;
		const char *messages;
	} rows[] = {
		{" {file: missing}\n",
		 "p:24:23: error: clusters[0].endpoints.file: missing cannot be "
		 "read: No such file or directory\n"},
		{" {file: .}\n",
		 "p:24:23: error: clusters[0].endpoints.file: . cannot be read: Is a directory\n"},
		/* would be waited for */
		{" {file: pipe}\n", "p:24:23: error: clusters[0].endpoints.file: pipe cannot be "
				    "read: it is no regular file\n"},
		{" {file: /dev/zero}\n", "p:24:23: error: clusters[0].endpoints.file: /dev/zero "
					 "cannot be read: it is no regular file\n"},
		{" {file: large}\n",
		 "p:24:23: error: clusters[0].endpoints.file: large is too long, "
		 "expected at most 16 MiB of all endpoint files together\n"},
		{" {file: ''}\n",
		 "p:24:23: error: clusters[0].endpoints.file: found an empty string, "
		 "expected the path of a file, of at most 255 bytes\n"},
		{" {}\n", "p:24:16: error: clusters[0].endpoints: found neither file nor dns, "
			  "expected a list of endpoints or one of file and dns\n"},
		{" {file: f, dns: 'a:80'}\n",
		 "p:24:16: error: clusters[0].endpoints: found both file and dns, expected a list "
		 "of "
		 "endpoints or one of file and dns\n"
		 "p:24:23: error: clusters[0].endpoints.file: f cannot be read: No such file or "
		 "directory\n"},
		{" {file: /dev/null, refresh: 1s, stale_ok: true}\n",
		 "p:24:23: error: clusters[0].endpoints.file: /dev/null cannot be read: it is "
		 "no regular file\n"
		 "p:24:43: error: clusters[0].endpoints.refresh: only dns uses this; expected dns, "
		 "or "
		 "not to find this key\n"
		 "p:24:57: error: clusters[0].endpoints.stale_ok: only dns uses this; expected "
		 "dns, "
		 "or not to find this key\n"},
		{" {dns: '10.0.0.1:80'}\n",
		 "p:24:22: error: clusters[0].endpoints.dns: found 10.0.0.1:80, expected a domain "
		 "name and port such as backend.example.com:8080, or the name of an SRV record\n"},
		{" {dns: 'a:80', refresh: 99ms}\n",
		 "p:24:39: error: clusters[0].endpoints.refresh: found 99ms, expected 100ms to "
		 "1d\n"},
	};
	size_t bytes = ((size_t)16 << 20) + 1;
	char *large = malloc(bytes), path[128];

	require(large != NULL);
	memset(large, '#', bytes);
	write_file("large", large, bytes);
	free(large);
	snprintf(path, sizeof(path), "%s/pipe", folder);
	require(mkfifo(path, 0600) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = policy_with(rows[i].endpoints), *messages;

		CU_ASSERT_PTR_NULL(compile_there(text, NULL, &messages));
		assert_messages(messages, rows[i].messages);
		free(messages);
		free(text);
	}
	remove_file("large");
	remove_file("pipe");
}

static void endpoint_files_are_found_beside_the_policy(void)
{
	static const struct {
		const char *policy, *file, *expected;
	} rows[] = {
		{"p.yaml", "e.yaml", "e.yaml"},
		{"/etc/fender/p.yaml", "e.yaml", "/etc/fender/e.yaml"},
		{"a/p.yaml", "../e.yaml", "a/../e.yaml"},
		{"/p.yaml", "e.yaml", "/e.yaml"},
		{"/etc/fender/p.yaml", "/e.yaml", "/e.yaml"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *path = config_endpoint_file(rows[i].policy, rows[i].file);

		CU_ASSERT_STRING_EQUAL(path, rows[i].expected);
		free(path);
	}
}

static struct resolved_endpoint answer(const char *ip, uint16_t port, uint32_t weight,
				       uint32_t priority)
{
	struct resolved_endpoint e = {.weight = weight, .priority = priority};
	uint8_t v4[4];

	e.address.family = strchr(ip, ':') != NULL ? FAMILY_V6 : FAMILY_V4;
	e.address.port = htons(port);
	if (e.address.family == FAMILY_V6) {
		require(inet_pton(AF_INET6, ip, e.address.ip.b) == 1);
	} else {
		require(inet_pton(AF_INET, ip, v4) == 1);
		e.address.ip.b[10] = e.address.ip.b[11] = 0xff;
		memcpy(&e.address.ip.b[12], v4, 4);
	}
	return e;
}

static const char *endpoint_at(const struct image_header *img, uint32_t i)
{
	return image_string(img, IMAGE_ARRAY(img, struct image_endpoint, endpoints)[i].name);
}

static void unresolved_names_are_empty_for_now(void)
{
	static const struct endpoint_set others = {.cluster = "other"};
	static const struct endpoint_sets sets = {&others, 1};
	char *text = policy_with(" {dns: www.example.com., stale_ok: false}\n"), *messages;
	struct image_header *img = compile_there(text, &sets, &messages);
	const struct image_endpoint_source *source;

	assert_messages(messages,
			"p:24:16: warning: clusters[0].endpoints: the name is not resolved "
			"yet; until then every connection is rejected\n");
	require(img != NULL);
	source = &IMAGE_ARRAY(img, struct image_cluster, clusters)->source;
	CU_ASSERT_EQUAL(img->endpoints.count, 0);
	CU_ASSERT_EQUAL(source->kind, SOURCE_DNS);
	CU_ASSERT_STRING_EQUAL(image_string(img, source->name), "www.example.com");
	CU_ASSERT_EQUAL(source->port, 0);
	CU_ASSERT_EQUAL(source->refresh_ms, 5000);
	CU_ASSERT_EQUAL(source->stale_ok, 0);
	free(img);
	free(messages);
	free(text);
}

static void answers_become_endpoints_in_any_order(void)
{
	struct resolved_endpoint one[] = {
		answer("10.2.0.12", 80, 0, 0),     answer("10.2.0.11", 80, 7, 1),
		answer("10.2.0.11", 81, 9999, 70), answer("10.2.0.11", 80, 9, 1),
		answer("10.2.0.11", 80, 200, 2),
	};
	struct resolved_endpoint other[] = {one[4], one[3], one[2], one[1], one[0]};
	const struct endpoint_set sets[] = {{"web", one, 5}, {"web", other, 5}};
	const struct endpoint_sets first = {&sets[0], 1}, second = {&sets[1], 1};
	char *text = policy_with(" {dns: 'www.example.com:80', refresh: 1m}\n"), *messages, *again;
	struct image_header *img = compile_there(text, &first, &messages);
	struct image_header *same = compile_there(text, &second, &again);
	const struct image_endpoint *e;

	assert_messages(messages, "");
	require(img != NULL && same != NULL && img->length == same->length);
	CU_ASSERT_EQUAL(memcmp(img, same, img->length), 0);
	require(img->endpoints.count == 3);
	e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
	CU_ASSERT_STRING_EQUAL(endpoint_at(img, 0), "10.2.0.11:80");
	CU_ASSERT_STRING_EQUAL(endpoint_at(img, 1), "10.2.0.11:81");
	CU_ASSERT_STRING_EQUAL(endpoint_at(img, 2), "10.2.0.12:80");
	CU_ASSERT(e[0].weight == 9 && e[0].priority == 1);
	CU_ASSERT(e[1].weight == 256 && e[1].priority == 7);
	CU_ASSERT(e[2].weight == 1 && e[2].priority == 0);
	CU_ASSERT_EQUAL(IMAGE_ARRAY(img, struct image_cluster, clusters)->source.port, 80);
	free(img);
	free(same);
	free(messages);
	free(again);
	free(text);
}

static void answers_that_cannot_serve_are_left_out(void)
{
	struct resolved_endpoint answers[] = {
		answer("2001:db8:2::9", 80, 1, 0), /* the listener is IPv4 */
		answer("10.1.0.1", 80, 1, 0),      /* Fender */
		answer("10.2.0.255", 80, 1, 0),    /* broadcast */
		answer("127.0.0.1", 80, 1, 0),     answer("224.0.0.1", 80, 1, 0),
		answer("0.0.0.0", 80, 1, 0),       answer("10.2.0.9", 0, 1, 0),
		answer("10.2.0.9", 80, 1, 0),
	};
	const struct endpoint_set set = {"web", answers, 8};
	const struct endpoint_sets sets = {&set, 1};
	char *text = policy_with(" {dns: 'a:80'}\n"), *messages;
	struct image_header *img = compile_there(text, &sets, &messages);

	require(img != NULL && img->endpoints.count == 1);
	CU_ASSERT_STRING_EQUAL(endpoint_at(img, 0), "10.2.0.9:80");
	assert_messages(
		messages,
		"p:24:22: warning: clusters[0].endpoints.dns: found an IPv6 address, expected IPv4 "
		"like the listener on line 17: Fender does not translate between families; left "
		"out\n"
		"p:24:22: warning: clusters[0].endpoints.dns: found 10.1.0.1, an address of Fender "
		"itself (line 8), so connections would go in a circle; expected a server's "
		"address; "
		"left out\n"
		"p:24:22: warning: clusters[0].endpoints.dns: found 10.2.0.255, the network's own "
		"or "
		"the broadcast address of 10.2.0.0/24; expected a server's address; left out\n");
	free(img);
	free(messages);
	free(text);
}

static void a_cluster_all_of_whose_answers_are_left_out_is_empty(void)
{
	struct resolved_endpoint answers[] = {answer("2001:db8:2::9", 80, 1, 0)};
	const struct endpoint_set set = {"web", answers, 1};
	const struct endpoint_sets sets = {&set, 1};
	char *text = policy_with(" {dns: 'a:80'}\n"), *messages;
	struct image_header *img = compile_there(text, &sets, &messages);

	require(img != NULL);
	CU_ASSERT_EQUAL(img->endpoints.count, 0);
	free(img);
	free(messages);
	free(text);
}

static void sets_of_clusters_with_a_list_are_passed_over(void)
{
	struct resolved_endpoint answers[] = {answer("10.2.0.99", 80, 1, 0)};
	const struct endpoint_set set = {"web", answers, 1};
	const struct endpoint_sets sets = {&set, 1};
	struct image_header *listed = compile_good(good_policy), *img;
	char *messages;

	img = compile_there(good_policy, &sets, &messages);
	require(img != NULL && img->length == listed->length);
	CU_ASSERT_EQUAL(memcmp(img, listed, img->length), 0);
	free(img);
	free(listed);
	free(messages);
}

static void more_answers_than_endpoints_fit_are_cut(void)
{
	size_t count = MAX_ENDPOINTS + 10;
	struct resolved_endpoint *answers = calloc(count, sizeof(*answers));
	const struct endpoint_set set = {"web", answers, count};
	const struct endpoint_sets sets = {&set, 1};
	char *dns = policy_with(" {dns: 'a:80'}\n"), *text, *wide, *messages;
	struct image_header *img;

	require(answers != NULL);
	for (size_t i = 0; i < count; i++) {
		char ip[16];

		snprintf(ip, sizeof(ip), "10.3.%zu.%zu", i / 250, 1 + i % 250);
		answers[i] = answer(ip, 80, 1, 0);
	}
	text = changed_policy(dns, balance, "");
	wide = changed_policy(text, "workers: 1", "max_endpoints: 16384");
	img = compile_there(wide, &sets, &messages);
	require(img != NULL);
	CU_ASSERT_EQUAL(img->endpoints.count, MAX_ENDPOINTS);
	free(img);
	free(messages);
	free(dns);
	free(text);
	free(wide);
	free(answers);
}

/* One answer after the other from @ip on. */
static struct resolved_endpoint *many_answers(const char *net, size_t count)
{
	struct resolved_endpoint *answers = calloc(count, sizeof(*answers));

	require(answers != NULL);
	for (size_t i = 0; i < count; i++) {
		char ip[24];

		snprintf(ip, sizeof(ip), "%s.%zu.%zu", net, i / 250, 1 + i % 250);
		answers[i] = answer(ip, 80, 1, 0);
	}
	return answers;
}

static uint32_t endpoints_of(const struct image_header *img, uint32_t cluster)
{
	return IMAGE_ARRAY(img, struct image_cluster, clusters)[cluster].endpoint_count;
}

/* 100 in all: one of the list, 30 of the small name, the rest of the huge one. */
static void a_name_does_not_take_the_room_of_others(void)
{
	struct resolved_endpoint *huge = many_answers("10.3", 3000);
	struct resolved_endpoint *few = many_answers("10.4", 30);
	const struct endpoint_set all[] = {{"web", huge, 3000}, {"small", few, 30}};
	const struct endpoint_sets sets = {all, 2};
	char *dns = policy_with(" {dns: 'a:80'}\n"), *text, *messages;
	char *capped = changed_policy(dns, "workers: 1", "max_endpoints: 100");
	struct image_header *img;

	text = changed_policy(capped, "    timeouts: {connect: 1s, request: 15s}\n",
			      "  - {name: small, endpoints: {dns: 'b:80'}}\n"
			      "  - {name: listed, endpoints: [{address: '10.2.0.11:8080'}]}\n");
	img = compile_there(text, &sets, &messages);
	CU_ASSERT_PTR_NOT_NULL(strstr(messages, "warning: clusters[0].endpoints.dns: found 3000 "
						"endpoints, room for 69: sidecar.max_endpoints"));
	if (img != NULL) {
		CU_ASSERT_EQUAL(endpoints_of(img, 0), 69);
		CU_ASSERT_EQUAL(endpoints_of(img, 1), 30);
		CU_ASSERT_EQUAL(endpoints_of(img, 2), 1);
	} else {
		fprintf(stderr, "%s", messages);
		CU_FAIL("an answer makes the policy invalid");
	}
	free(img);
	free(messages);
	free(dns);
	free(capped);
	free(text);
	free(huge);
	free(few);
}

static uint32_t of_first_priority(const struct image_header *img)
{
	const struct image_endpoint *e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
	uint32_t count = 0;

	for (uint32_t i = 0; i < img->endpoints.count; i++)
		count += e[i].priority == 0;
	return count;
}

/* Those of the first priority stay. */
static void an_answer_too_large_for_the_algorithm_is_cut(void)
{
	static const struct {
		const char *balance;
		uint32_t expected, first;
	} rows[] = {
		{"    load_balancing: {algorithm: maglev, table_size: 11}\n", 11, 11},
		{"    load_balancing: {algorithm: rendezvous}\n", RENDEZVOUS_MAX_ENDPOINTS, 1000},
		{"    load_balancing: {bounded_load: 125%}\n", BOUNDED_MAX_ENDPOINTS, 1000},
	};
	struct resolved_endpoint *answers = many_answers("10.3", 3000);
	const struct endpoint_set set = {"web", answers, 3000};
	const struct endpoint_sets sets = {&set, 1};
	char *dns = policy_with(" {dns: 'a:80'}\n");

	for (size_t i = 0; i < 2000; i++)
		answers[i].priority = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = changed_policy(dns, balance, rows[i].balance), *messages;
		char *wide = changed_policy(text, "workers: 1", "max_endpoints: 16384");
		struct image_header *img = compile_there(wide, &sets, &messages);

		if (img == NULL)
			fprintf(stderr, "%s", messages);
		CU_ASSERT_PTR_NOT_NULL(img);
		if (img != NULL) {
			CU_ASSERT_EQUAL(endpoints_of(img, 0), rows[i].expected);
			CU_ASSERT_EQUAL(of_first_priority(img), rows[i].first);
		}
		free(img);
		free(messages);
		free(wide);
		free(text);
	}
	free(dns);
	free(answers);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"file", endpoints_of_a_file_are_those_of_a_list},
		{"faults of a file", faults_of_a_file_stand_under_its_own_name},
		{"order", errors_of_the_policy_come_before_those_of_its_files},
		{"unreadable", files_that_cannot_be_read_are_errors},
		{"where", endpoint_files_are_found_beside_the_policy},
		{"unresolved", unresolved_names_are_empty_for_now},
		{"answers", answers_become_endpoints_in_any_order},
		{"left out", answers_that_cannot_serve_are_left_out},
		{"all left out", a_cluster_all_of_whose_answers_are_left_out_is_empty},
		{"passed over", sets_of_clusters_with_a_list_are_passed_over},
		{"share", a_name_does_not_take_the_room_of_others},
		{"algorithm", an_answer_too_large_for_the_algorithm_is_cut},
		{"cut", more_answers_than_endpoints_fit_are_cut},
		CU_TEST_INFO_NULL,
	};
	int failed;

	make_folder();
	failed = run_suite("endpoint sources", tests);
	return rmdir(folder) != 0 || failed;
}
