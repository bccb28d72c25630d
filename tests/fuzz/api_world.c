/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/api_world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/status/observer.h"
#include "mgmt/files/files.h"
#include "tests/fuzz/fuzz_dir.h"
#include "weir/stats.h"

static const char document[] =
        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"ams\"; }, { name = \"fra\"; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"lo\"; } );\n"
        "  tunnel_source = [ \"10.1.255.0/24\" ]; },\n"
        "  { name = \"fra-9\"; site = \"fra\"; ports = ( { interface = \"lo\"; } );\n"
        "  tunnel_source = [ \"10.2.255.0/24\" ]; } );\n"
        "pools = ( { name = \"web\"; site = \"ams\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"b1\"; address = \"10.1.1.11\"; },\n"
        "                 { name = \"b2\"; address = \"10.1.1.12\"; } ); },\n"
        "  { name = \"webf\"; site = \"fra\"; mode = \"ipip\"; max_backends = 9;\n"
        "    backends = ( { name = \"f1\"; address = \"10.2.1.11\"; } ); } );\n"
        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; },\n"
        "  { name = \"vf\"; site = \"fra\"; addresses = [ \"203.0.113.20\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80;\n"
        "  at = ( { site = \"ams\"; vip = \"va\"; pool = \"web\"; },\n"
        "         { site = \"fra\"; vip = \"vf\"; pool = \"webf\"; } ); } );\n";

static struct core core;
static char own_dir[FUZZ_DIR_MAX], *dir = own_dir;

void api_world_share(void)
{
	dir = mmap(NULL, FUZZ_DIR_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (dir == MAP_FAILED)
		abort();
}

void api_world_sweep(void)
{
	files_remove_dir(dir);
}

void api_world_close(void)
{
	exchange_stop(&core);
	observer_stop(&core);
	intent_close(core.intent);
	stats_close(core.stats);
	files_remove_dir(dir);
}

static void write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	if (proc_path(core.dirs.conf, name, path) || !(f = fopen(path, "w")) ||
	    fputs(text, f) < 0 || fclose(f))
		abort();
}

static void prepare_dir(char out[PATH_MAX], const char *name)
{
	if (proc_path(dir, name, out) || mkdir(out, 0755))
		abort();
}

struct core *api_world_open(void)
{
	fuzz_dir(dir, access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", "api");
	log_level(LOG_EMERG);
	prepare_dir(core.dirs.conf, "conf");
	prepare_dir(core.dirs.state, "state");
	prepare_dir(core.dirs.run, "run");
	snprintf(core.dirs.node, sizeof(core.dirs.node), "ams-1");
	write_file("weir.conf", document);
	write_file("hash.key", "00112233445566778899aabbccddeeff\n");
	const struct intent_options options = { .conf_dir = core.dirs.conf,
		                                .state_dir = core.dirs.state,
		                                .node = core.dirs.node };
	core.stopping = true;
	pthread_mutex_init(&core.lock, NULL);
	pthread_cond_init(&core.changed, NULL);
	pthread_mutex_init(&core.bells.lock, NULL);
	if (stats_create(core.dirs.run, "mgmt", 64, &core.stats) ||
	    intent_open(&options, clock_realtime_ms(), &core.intent) || !intent_head(core.intent))
		abort();
	observer_open(&core);
	if (observer_start(&core) || exchange_start(&core))
		abort();
	return &core;
}

/* Take the text up to one of @p ends into @p out, if it fits. */
static bool read_word(const char **at, const char *end, const char *ends, char *out, size_t size)
{
	size_t n = 0;

	while (*at + n < end && !strchr(ends, (*at)[n]) && (*at)[n])
		n++;
	bool fits = n < size;
	memcpy(out, *at, fits ? n : 0);
	out[fits ? n : 0] = '\0';
	*at += n;
	return fits;
}

bool api_world_read(const char **at, const char *end, struct http_request *r)
{
	if (!read_word(at, end, " \n", r->method, sizeof(r->method)) || *at == end || **at != ' ')
		return false;
	++*at;
	if (!read_word(at, end, "?\n", r->path, sizeof(r->path)))
		return false;
	while (*at < end && (**at == '?' || **at == '&') && r->n_query < HTTP_QUERY_MAX) {
		struct http_pair *pair = &r->query[r->n_query++];

		++*at;
		if (!read_word(at, end, "=&\n", pair->name, sizeof(pair->name)))
			return false;
		if (*at < end && **at == '=' && ++*at &&
		    !read_word(at, end, "&\n", pair->value, sizeof(pair->value)))
			return false;
	}
	if (*at < end && **at == '\n')
		++*at;
	return true;
}
