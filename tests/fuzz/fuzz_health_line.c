/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a request on weir-health's control socket: one JSON object back, "ok" in it, no
 * probe sent before the loop runs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/page.h"
#include "healthcheck/checker.h"
#include "tests/fuzz/fuzz_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char document[] =
        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"ams\"; }, { name = \"fra\"; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"lo\"; } );\n"
        "  tunnel_source = [ \"10.1.255.0/24\" ]; } );\n"
        "checks = ( { name = \"c\"; type = \"tcp\"; } );\n"
        "pools = ( { name = \"web\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"b1\"; address = \"127.0.0.11\"; } ); },\n"
        "  { name = \"webf\"; site = \"fra\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"f1\"; address = \"10.2.1.11\"; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; },\n"
        "  { name = \"vf\"; site = \"fra\"; addresses = [ \"127.0.0.14\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; vip_check = \"c\";\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"web\"; },\n"
        "         { site = \"fra\"; vip = \"vf\"; pool = \"webf\"; } ); } );\n";

static struct checker checker;
static char dir[FUZZ_DIR_MAX];

static void path_of(const char *name, char path[64])
{
	snprintf(path, 64, "%s/%s", dir, name);
}

static void clean_up(void)
{
	char path[64];

	path_of("hash.key", path);
	unlink(path);
	path_of("page", path);
	unlink(path);
	path_of("page.lock", path);
	unlink(path);
	rmdir(dir);
}

/* A checker with three targets whose loop never runs. */
static void prepare_checker(void)
{
	struct model_errors errors;
	struct model *m;
	struct loop *loop;
	struct page *page;
	char path[64];

	fuzz_dir(dir, "/tmp", "fuzz");
	atexit(clean_up);
	path_of("hash.key", path);
	FILE *f = fopen(path, "w");
	if (!f || fputs("00112233445566778899aabbccddeeff\n", f) < 0 || fclose(f))
		abort();
	path_of("page", path);
	if (model_read_text(document, strlen(document), "fuzz", dir, "ams-1", &m, &errors) ||
	    loop_open(&loop) ||
	    page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
	                &page) ||
	    checker_open(&checker, loop, page, NULL) || checker_apply_model(&checker, m, NULL, 0))
		abort();
	model_errors_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *line, *answer;
	json_t *back;

	if (!checker.loop)
		prepare_checker();
	line = malloc(n + 1); /* as ctl.h gives it: NUL-terminated, and no longer */
	if (!line)
		abort();
	memcpy(line, bytes, n);
	line[n] = '\0';
	answer = command_answer(&checker, line, n);
	back = answer ? json_loads(answer, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!back || !json_is_boolean(json_object_get(back, "ok")) || strchr(answer, '\n'))
		abort();
	json_decref(back);
	free(answer);
	free(line);
	return 0;
}
