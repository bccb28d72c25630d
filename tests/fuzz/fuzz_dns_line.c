/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any line to the control socket of weir-dns, with a document and its zone in force: one line of
 * JSON is the answer, and only a request to read the zone files starts a load. The loading itself
 * is not run: fuzz_dns_zone has that.
 */
#include <assert.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/server.h"
#include "mgmt/files/files.h"
#include "tests/fuzz/fuzz_dir.h"
#include "tests/fuzz/fuzz_text.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/zones.h"

static const char document[] =
        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"ams\"; }, { name = \"fra\"; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"lo\"; } );\n"
        "  tunnel_source = [ \"10.1.255.0/24\" ]; } );\n"
        "checks = ( { name = \"c\"; type = \"tcp\"; } );\n"
        "pools = ( { name = \"web\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"b1\"; address = \"127.0.0.11\"; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; vip_check = \"c\";\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"web\"; } ); } );\n"
        "dns = { zones = ( { name = \"x.example\"; file = \"x.zone\"; } );\n"
        "  names = ( { name = \"www.x.example\"; service = \"web\"; } ); };\n";
static const char zone[] =
        "$TTL 300\n@ SOA ns1 root 7 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.1\n";

static struct proc_dirs dirs;
static struct server server;
static char dir[FUZZ_DIR_MAX];
static unsigned n_loads;

/* What ctl.c calls of load.c. */
uint64_t server_load_start(struct server *s, bool from_files)
{
	assert(s == &server && from_files);
	return ++n_loads;
}

const char *server_load_error(const struct server *s)
{
	(void)s;
	return "";
}

static void clean_up(void)
{
	files_remove_dir(dir);
}

static void write_file(const char *name, const char *text, char path[PATH_MAX])
{
	if (proc_path(dir, name, path))
		abort();
	fuzz_write(path, (const uint8_t *)text, strlen(text));
}

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s\n", m->file, m->line, m->text);
}

static void prepare_server(void)
{
	const struct generation_how how = { .report = ignore_message };
	struct model_errors errors;
	struct model *m = NULL;
	char path[PATH_MAX], effective[PATH_MAX];

	log_level(LOG_EMERG);
	fuzz_dir(dir, "/tmp", "line");
	atexit(clean_up);
	write_file("hash.key", "00112233445566778899aabbccddeeff\n", path);
	write_file("x.zone", zone, path);
	write_file("weir.conf", document, path);
	for (size_t i = 0; i < 3; i++)
		snprintf((char *[]){ dirs.conf, dirs.state, dirs.run }[i], sizeof(dirs.conf), "%s",
		         dir);
	snprintf(dirs.node, sizeof(dirs.node), "ams-1");
	if (proc_path(dir, PROC_EFFECTIVE_FILE, effective) ||
	    model_read_config(path, NULL, &m, &errors) || model_write_effective(m, effective))
		abort();
	model_free(m);
	model_errors_free(&errors);
	server.dirs = &dirs;
	if (generation_load(&dirs, &how, &server.now))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *line = fuzz_text(bytes, n), *answer;
	unsigned before = n_loads;

	if (!server.now)
		prepare_server();
	answer = dns_ctl_handle(&server, line, n);
	assert(answer && !strchr(answer, '\n'));
	json_t *json = json_read(answer, strlen(answer), 0, NULL);
	assert(json_is_object(json) && json_is_boolean(json_object_get(json, "ok")));
	assert(n_loads - before ==
	       (json_object_get(json, "load") && !json_object_get(json, "serving")));
	json_decref(json);
	free(answer);
	free(line);
	return 0;
}
