/* SPDX-License-Identifier: Apache-2.0 */
/* One endpoint file with errors holds back nobody but itself. */
#include "controlplane/policy_edition.h"

#include <sys/stat.h>

#include "controlplane/policy_diff.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static char folder[64], path[96];

static const char *path_of(const char *name)
{
	static char out[160];

	snprintf(out, sizeof(out), "%s/%s", folder, name);
	return out;
}

static void write_text(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	if (!f)
		abort();
	fputs(text, f);
	fclose(f);
}

/* The fixture with endpoints from web.yaml and dns.yaml. */
static void write_policy(void)
{
	char *text = strdup(FIXTURE_POLICY);
	char out[2048];
	const char *web = strstr(text, "[{address: '10.1.0.11:80'");
	const char *dns = strstr(text, "[{address: '10.1.0.13:53'}]");

	snprintf(out, sizeof(out), "%.*s{file: web.yaml}%.*s{file: dns.yaml}\n", (int)(web - text),
		 text, (int)(dns - strchr(web, '\n')), strchr(web, '\n'));
	write_text("policy.yaml", out);
	free(text);
}

static struct policy_edition *compile(const struct policy_edition *before, char **errors)
{
	const struct edition_source source = {
		.path = path, .text_of = before, .known = before ? &before->files : NULL};

	return policy_edition_compile(&source, errors);
}

static struct policy_edition *first(void)
{
	struct policy_edition *edition;
	char *errors;

	write_policy();
	write_text("web.yaml", "[{address: '10.1.0.11:80'}]");
	write_text("dns.yaml", "[{address: '10.1.0.13:53'}]");
	edition = compile(NULL, &errors);
	if (errors)
		fputs(errors, stderr);
	CU_ASSERT_PTR_NOT_NULL_FATAL(edition);
	CU_ASSERT_EQUAL(edition->files.count, 2);
	CU_ASSERT_EQUAL(edition->image->endpoints.count, 2);
	return edition;
}

static void the_last_good_content_of_a_broken_file_stays(void)
{
	static const char *const broken[] = {
		"[{address: '10.1.0.13'}]", /* no port */
		"[{address: '10.1.0.13:53', weight: 0}]",
		"[",
		"[{address: '10.1.0.13:53'}, {address: '10.1.0.13:53'}]", /* found by the checks */
		NULL,                                                     /* no file */
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct policy_edition *before = first(), *next;
		char *errors;

		if (broken[i])
			write_text("dns.yaml", broken[i]);
		else
			unlink(path_of("dns.yaml"));
		write_text("web.yaml", "[{address: '10.1.0.11:80'}, {address: '10.1.0.12:80'}]");
		next = compile(before, &errors);
		CU_ASSERT_PTR_NULL(errors);
		CU_ASSERT_PTR_NOT_NULL_FATAL(next);
		CU_ASSERT_EQUAL(next->image->endpoints.count, 3);
		CU_ASSERT_PTR_NOT_NULL(strstr(next->warnings, "its last good content stays"));
		CU_ASSERT_PTR_NOT_NULL(strstr(next->warnings, "dns.yaml"));
		policy_edition_free(before);
		/* And is known of the next one too. */
		before = next;
		next = compile(before, &errors);
		CU_ASSERT_PTR_NOT_NULL_FATAL(next);
		CU_ASSERT_EQUAL(next->image->content_hash, before->image->content_hash);
		policy_edition_free(next);
		policy_edition_free(before);
	}
}

static void an_error_of_the_policy_is_an_error(void)
{
	struct policy_edition *before = first();
	struct policy_edition text = {.text = strdup("version: 2\n"), .bytes = 11};
	const struct edition_source source = {
		.path = path, .text_of = &text, .known = &before->files};
	char *errors;

	write_text("dns.yaml", "[");
	CU_ASSERT_PTR_NULL(policy_edition_compile(&source, &errors));
	CU_ASSERT_PTR_NOT_NULL_FATAL(errors);
	CU_ASSERT_PTR_NOT_NULL(strstr(errors, "policy.yaml:1:10: error: version"));
	free(errors);
	free(text.text);
	policy_edition_free(before);
}

static void a_first_one_has_no_better_text(void)
{
	char *errors;

	policy_edition_free(first());
	write_text("dns.yaml", "[");
	CU_ASSERT_PTR_NULL(compile(NULL, &errors));
	CU_ASSERT_PTR_NOT_NULL_FATAL(errors);
	CU_ASSERT_PTR_NOT_NULL(strstr(errors, "dns.yaml:"));
	free(errors);
}

static void a_file_has_a_hash_of_its_text(void)
{
	struct policy_edition *edition = first();

	CU_ASSERT_EQUAL(policy_file_hash(path), edition->text_hash);
	CU_ASSERT_NOT_EQUAL(policy_text_hash("", 0), 0);
	CU_ASSERT_EQUAL(policy_file_hash(path_of("none")), 0);
	policy_edition_free(edition);
}

static void counts_go_by_name(void)
{
	struct image_header *before = fixture_compile(FIXTURE_POLICY);
	struct image_header *after = fixture_compile_with(
		"  - name: dns\n    endpoints: [{address: '10.1.0.13:53'}]\n",
		"  - name: dns\n    timeouts: {connect: 3s}\n    endpoints: [{address: "
		"'10.1.0.14:53'}]\n  - {name: a, endpoints: [{address: '10.1.0.15:5'}]}\n");
	struct policy_counts c = policy_counts(before, after);

	CU_ASSERT_EQUAL(c.listeners.added + c.listeners.removed + c.listeners.changed, 0);
	CU_ASSERT_EQUAL(c.clusters.added, 1);
	CU_ASSERT_EQUAL(c.clusters.removed, 0);
	CU_ASSERT_EQUAL(c.clusters.changed, 1);
	CU_ASSERT_EQUAL(c.endpoints.added, 2);
	CU_ASSERT_EQUAL(c.endpoints.removed, 1);
	CU_ASSERT_EQUAL(c.endpoints.changed, 0);
	c = policy_counts(NULL, before);
	CU_ASSERT_EQUAL(c.listeners.added, 2);
	CU_ASSERT_EQUAL(c.endpoints.added, 3);
	c = policy_counts(before, before);
	CU_ASSERT_EQUAL(memcmp(&c, &(struct policy_counts){0}, sizeof(c)), 0);
	free(after);
	after = fixture_compile_with("weight: 2", "weight: 3");
	c = policy_counts(before, after);
	CU_ASSERT_EQUAL(c.clusters.changed, 0);
	CU_ASSERT_EQUAL(c.endpoints.changed, 1);
	free(after);
	free(before);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_last_good_content_of_a_broken_file_stays),
	SUITE_TEST(an_error_of_the_policy_is_an_error),
	SUITE_TEST(a_first_one_has_no_better_text),
	SUITE_TEST(a_file_has_a_hash_of_its_text),
	SUITE_TEST(counts_go_by_name),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	int rc;

	snprintf(folder, sizeof(folder), "/tmp/fender-unit-edition-%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/policy.yaml", folder);
	if (mkdir(folder, 0700) != 0)
		return 1;
	rc = suite_run("policy_edition", tests);
	unlink(path_of("policy.yaml"));
	unlink(path_of("web.yaml"));
	unlink(path_of("dns.yaml"));
	rmdir(folder);
	return rc;
}
