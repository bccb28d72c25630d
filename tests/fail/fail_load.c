/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each allocation of what a process does with a document fails once: it is taken whole or refused
 * with -ENOMEM, without a mistake that is none, and taken with the next try.
 *
 *     fail_load CONFIGURATION      docs/weir.conf.example; run with failalloc.so
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/page.h"
#include "dataplane/tables/compiled.h"
#include "dns/generation.h"
#include "healthcheck/checker.h"
#include "mgmt/files/files.h"
#include "tests/fail/fail.h"
#include "weir/explain.h"
#include "weir/health.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/zones.h"

#define RUNS_MAX 100000ul

static struct proc_dirs dirs;
static char dir[] = "/dev/shm/weir-load.XXXXXX", effective[PATH_MAX];
static unsigned n_reports;
static char report_text[512];

static void tell_crash(int signal)
{
	printf("  signal %d\n", signal);
	fail_show(stdout);
	fflush(stdout);
	files_remove_dir(dir);
	_exit(1);
}

static void write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	if (proc_path(dir, name, path) || !(f = fopen(path, "w")) || fputs(text, f) < 0 ||
	    fclose(f))
		abort();
}

/* The effective document of the example, with its zone. */
static void prepare_document(const char *configuration)
{
	struct model_errors errors;
	struct model *m = NULL;
	char path[PATH_MAX], *text = NULL;
	size_t n;

	if (!mkdtemp(dir) || files_slurp(configuration, &text, &n))
		abort();
	write_file("weir.conf", text);
	free(text);
	write_file("hash.key", "00112233445566778899aabbccddeeff\n");
	write_file(
	        "shop.example.zone",
	        "$TTL 300\n@ SOA ns1 root 7 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.1\n"
	        "a AAAA 2001:db8::1\n@ MX 10 a\nt TXT \"x\" \"y\"\nc CNAME a\n_s._tcp SRV 1 2 3 a\n");
	if (proc_path(dir, "weir.conf", path) || proc_path(dir, PROC_EFFECTIVE_FILE, effective) ||
	    model_read_config(path, NULL, &m, &errors) || model_write_effective(m, effective))
		abort();
	model_free(m);
	model_errors_free(&errors);
	for (int i = 0; i < 3; i++)
		snprintf(i == 0   ? dirs.conf
		         : i == 1 ? dirs.state
		                  : dirs.run,
		         sizeof(dirs.conf), "%s", dir);
	snprintf(dirs.node, sizeof(dirs.node), "ams-1");
}

static void note_mistakes(const struct model_errors *errors)
{
	for (size_t i = 0; i < errors->n_items; i++)
		if (!strstr(errors->items[i].message, "out of memory")) {
			n_reports++;
			snprintf(report_text, sizeof(report_text), "%s", errors->items[i].message);
		}
}

static int read_effective(void)
{
	struct model_errors errors;
	struct model *m = NULL;
	int err = model_read_effective(effective, dirs.node, &m, &errors);

	note_mistakes(&errors);
	model_free(m);
	model_errors_free(&errors);
	return err;
}

static int make_draft(void)
{
	struct compiled_source from = { .node = dirs.node };
	struct compiled draft = { 0 };

	snprintf(from.path, sizeof(from.path), "%s", effective);
	compiled_make(&from, &draft);
	note_mistakes(&draft.errors);
	int err = draft.err;
	compiled_free(&draft);
	return err;
}

static void note_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	if (strstr(m->text, "out of memory") || strstr(m->text, "cannot write the zones"))
		return;
	n_reports++;
	snprintf(report_text, sizeof(report_text), "%s:%u: %s", m->file, m->line, m->text);
}

static int load_generation(void)
{
	const struct generation_how how = { .keep = true, .report = note_report };
	struct generation *g = NULL;
	int err = generation_load(&dirs, &how, &g);

	if (!err)
		generation_free(g);
	return err;
}

/* Without memory there is none, or one with fewer steps. */
static int explain_answer(void)
{
	const struct explain_request request = { .name = "a.shop.example", .type = "AAAA" };
	struct explanation *e = NULL;
	int err = explain_dns(&dirs, &request, &e);

	for (size_t i = 0; e && i < e->n_errors; i++)
		if (strstr(e->errors[i], "Cannot allocate memory")) /* a key that is not read */
			err = -ENOMEM;
		else
			note_report(NULL,
			            &(struct zones_message){ .file = "", .text = e->errors[i] });
	if (!err && strcmp(e->rcode, "NOERROR") != 0)
		err = -EPROTO;
	explain_free(e);
	return err;
}

static int take_document(void)
{
	static struct checker checker;
	struct model_errors errors;
	struct model *m = NULL;
	struct loop *loop = NULL;
	struct page *page = NULL;
	char path[PATH_MAX];
	int err = loop_open(&loop);

	if (err)
		return err;
	if (proc_path(dir, "page", path))
		abort();
	memset(&checker, 0, sizeof(checker));
	err = page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
	                  &page);
	if (!err && (err = checker_open(&checker, loop, page, NULL)) == 0) {
		err = model_read_effective(effective, dirs.node, &m, &errors);
		note_mistakes(&errors);
		model_errors_free(&errors);
		if (!err) /* takes the model, also when it fails */
			err = checker_apply_model(&checker, m, NULL, 0);
		checker_close(&checker);
	}
	page_close(page);
	loop_close(loop);
	return err;
}

static int read_json(void)
{
	static const char text[] =
	        "{\"reason\":\"a longer text than sixteen bytes\",\"list\":[1,2.5,true,"
	        "null,{\"confirm_within\":\"none\"},[[[\"\\u00e4\"]]]]}";
	json_error_t error;
	json_t *json = json_read(text, sizeof(text) - 1, JSON_REJECT_DUPLICATES, &error);

	if (!json && strcmp(error.text, "out of memory") != 0) {
		n_reports++;
		snprintf(report_text, sizeof(report_text), "%s", error.text);
	}
	int err = json ? 0 : -ENOMEM;
	json_decref(json);
	return err;
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{ "JSON", read_json },
	{ "a document", read_effective },
	{ "a document in weir-dataplane", make_draft },
	{ "a document in weir-health", take_document },
	{ "a document and its zones in weir-dns", load_generation },
	{ "what weir explains of an answer", explain_answer },
};

static bool run_case(size_t i)
{
	unsigned long n_bad = 0, n = 1;
	bool failed = true;

	if (cases[i].run() != 0) {
		printf("  %s: not taken with memory: %s\n", cases[i].name, report_text);
		return false;
	}
	for (; failed && n < RUNS_MAX; n++) {
		n_reports = 0;
		fail_arm(n);
		int err = cases[i].run();
		failed = fail_disarm();
		if ((err == 0 || err == -ENOMEM) && n_reports == 0 && cases[i].run() == 0)
			continue;
		n_bad++;
		printf("  %lu: %s%s%s\n", n, err ? strerror(-err) : "taken",
		       n_reports ? ", and says: " : "", n_reports ? report_text : "");
		fail_show(stdout);
	}
	printf("%s: %lu allocations failed one by one, %lu ended badly\n", cases[i].name, n - 2,
	       n_bad);
	return n_bad == 0 && n > 5;
}

int main(int argc, char **argv)
{
	unsigned n_passed = 0, n_failed = 0;

	if (argc != 2)
		return 1;
	log_level(LOG_EMERG);
	json_prepare();
	prepare_document(argv[1]);
	signal(SIGSEGV, tell_crash);
	signal(SIGABRT, tell_crash);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (run_case(i))
			n_passed++;
		else
			n_failed++;
	}
	files_remove_dir(dir);
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed != 0;
}
