/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/scene.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"

#define STORE_ID "0123456789abcdef0123456789abcdef"

const struct node_person scene_ada = { .name = "ada", .role = HTTP_OPERATOR };
const struct node_person scene_bob = { .name = "bob", .role = HTTP_ONCALL };
const struct node_person scene_viewer = { .name = "eve", .role = HTTP_VIEWER };

static const char *const sites[SCENE_SITES] = { "ams", "fra", "lon" };

/* --- judgements --- */

void scene_fail(const struct scene *s, const char *file, int line, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "cluster: %s:%d: scene %s, seed %" PRIu64 ", %.3f s: ", file, line, s->name,
	        s->seed, (double)sched_now_ns() / 1e9);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	_exit(1);
}

void scene_note(const struct scene *s, const char *format, ...)
{
	va_list list;

	if (!s->is_verbose)
		return;
	printf("%10.3f ", (double)sched_now_ns() / 1e9);
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
}

/* --- a cluster --- */

/* What a printed row of each site makes, into @p f. */
static void write_nodes(const struct scene *s, FILE *f)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		fprintf(f,
		        "%s{ name = \"%s-%zu\"; site = \"%s\"; ports = ( { interface = \"lo\"; } ); "
		        "tunnel_source = [ \"10.%zu.255.0/24\" ]; api = \"https://10.9.0.%zu:8443\"; }",
		        i ? ", " : "", sites[i % SCENE_SITES], i / SCENE_SITES + 1,
		        sites[i % SCENE_SITES], i + 1, i + 1);
}

static void write_sites(FILE *f, unsigned weight)
{
	fprintf(f, "sites = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f, "%s { name = \"%s\"; }", i ? "," : "", sites[i]);
	fprintf(f, " );\nchecks = ( { name = \"web\"; type = \"tcp\"; } );\npools = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f,
		        "%s { name = \"web-%s\"; site = \"%s\"; check = \"web\"; mode = \"ipip\"; max_backends = 9; backends = (\n"
		        "  { name = \"b1\"; address = \"10.%zu.1.11\"; weight = %u; }, { name = \"b2\"; address = "
		        "\"10.%zu.1.12\"; weight = 100; } ); }",
		        i ? "," : "", sites[i], sites[i], i + 1, weight, i + 1);
	fprintf(f, " );\nvips = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f,
		        "%s { name = \"v-%s\"; site = \"%s\"; addresses = [ \"203.0.113.%zu\" ]; }",
		        i ? "," : "", sites[i], sites[i], i + 10);
	fprintf(f, " );\nservices = ( { name = \"web\"; protocol = \"tcp\"; port = 80; at = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f, "%s { site = \"%s\"; vip = \"v-%s\"; pool = \"web-%s\"; }", i ? "," : "",
		        sites[i], sites[i], sites[i]);
	fprintf(f, " ); } );\n");
}

char *scene_document(const struct scene *s, unsigned weight)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		abort();
	fprintf(f,
	        "schema = 1;\ncluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\nnodes = ( ");
	write_nodes(s, f);
	fprintf(f, " );\n");
	write_sites(f, weight);
	fclose(f);
	return text;
}

static void write_store_conf(const struct node *n)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"id\": \"" STORE_ID "\", \"endpoints\": [\"%s\", \"%s\", \"%s\"]}\n",
	         etcd_net_endpoint(0), etcd_net_endpoint(1), etcd_net_endpoint(2));
	node_write(n, "store.conf", text);
}

static void write_conf(const struct scene *s, const struct node *n)
{
	char *text = scene_document(s, 100);

	node_write(n, "weir.conf", text);
	free(text);
	node_write(n, "hash.key", "00112233445566778899aabbccddeeff\n");
	node_write(n, "peer.token", "0123456789abcdef0123456789abcdef\n");
	node_write(n, "tls.crt", "not looked at here\n");
	node_write(n, "tls.key", "not looked at here\n");
	if (s->has_store)
		write_store_conf(n);
}

void scene_begin(struct scene *s, size_t n, bool has_store)
{
	char name[32];

	s->n_nodes = n;
	s->has_store = has_store;
	etcd_net_begin();
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%zu", sites[i % SCENE_SITES], i / SCENE_SITES + 1);
		s->node[i] = node_new((unsigned)i, name);
		write_conf(s, s->node[i]);
		JUDGE(s, node_start(s->node[i]), "%s does not start", name);
	}
}

void scene_end(struct scene *s)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		node_stop(s->node[i]);
}

/* --- persons --- */

char *scene_apply_body(const struct scene *s, unsigned weight, const char *within,
                       const char *reason)
{
	char *text = scene_document(s, weight);
	json_t *body = json_pack("{s:{s:s}, s:s}", "files", "weir.conf", text, "reason", reason);

	free(text);
	if (within)
		json_object_set_new(body, "confirm_within", json_string(within));
	char *out = json_dumps(body, 0);

	json_decref(body);
	return out;
}

struct node_answer scene_apply(const struct scene *s, struct node *n, unsigned weight,
                               const char *within)
{
	char *body = scene_apply_body(s, weight, within, "a test");
	struct node_answer a = node_ask(n, &scene_ada, "POST", "/v1/config/apply", body);

	free(body);
	scene_note(s, "%s: apply %u within %s: %u %.200s", node_name(n), weight,
	           within ? within : "-", a.status,
	           a.status / 100 == 2 ? ""
	           : a.text            ? a.text
	                               : "no answer");
	return a;
}

struct node_answer scene_post(struct node *n, const struct node_person *who, const char *path,
                              const char *format, ...)
{
	char *body;
	va_list list;

	va_start(list, format);
	if (vasprintf(&body, format, list) < 0)
		abort();
	va_end(list);
	struct node_answer a = node_ask(n, who, "POST", path, body);

	free(body);
	return a;
}

/* --- values --- */

const json_t *scene_value(const json_t *json, const char *path)
{
	char part[64];

	while (json && *path) {
		size_t n = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		json = json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10))
		                           : json_object_get(json, part);
		path += n + (path[n] == '.');
	}
	return json;
}

const char *scene_text(const json_t *json, const char *path)
{
	const char *text = json_string_value(scene_value(json, path));

	return text ? text : "";
}

int64_t scene_number(const json_t *json, const char *path)
{
	const json_t *value = scene_value(json, path);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static unsigned weight_in(const char *text)
{
	const char *backend = strstr(text, "\"b1\""),
	           *at = backend ? strstr(backend, "weight = ") : NULL;

	return at ? (unsigned)strtoul(at + strlen("weight = "), NULL, 10) : 0;
}

unsigned scene_weight(struct node *n)
{
	json_t *config = node_get(n, "/v1/config");
	const json_t *files = scene_value(config, "files");
	const char *text = json_string_value(json_object_get(files, "weir.conf"));
	unsigned weight = text ? weight_in(text) : 0;

	json_decref(config);
	return weight;
}

unsigned scene_weight_on_disk(struct node *n)
{
	char *text = node_state_file(n, PROC_EFFECTIVE_FILE);
	unsigned weight = text ? weight_in(text) : 0;

	free(text);
	return weight;
}

const char *scene_version_state(struct node *n, int64_t number)
{
	static char state[32];
	char path[64];

	snprintf(path, sizeof(path), "/v1/versions/%" PRId64, number);
	json_t *version = node_get(n, path);

	snprintf(state, sizeof(state), "%s", scene_text(version, "state"));
	json_decref(version);
	return state;
}

bool scene_has_event(struct node *n, const char *a, const char *b)
{
	json_t *events = node_get(n, "/v1/events?limit=1000");
	char *text = events ? json_dumps(scene_value(events, "items"), 0) : NULL;
	bool has = text && strstr(text, a) && (!b || strstr(text, b));

	free(text);
	json_decref(events);
	return has;
}

static void add_override(char **at, const json_t *o)
{
	char *before = *at;

	if (asprintf(at, "%s %s:%s:%" PRId64 ":%s", before, scene_text(o, "id"),
	             scene_text(o, "do"), scene_number(o, "generation"),
	             scene_text(o, "until")) < 0)
		abort();
	free(before);
}

char *scene_shown(struct node *n)
{
	json_t *versions = node_get(n, "/v1/versions?limit=1"),
	       *overrides = node_get(n, "/v1/overrides");
	const json_t *o;
	char *text;
	size_t i;

	if (asprintf(&text, "%s", scene_text(versions, "etag")) < 0)
		abort();
	json_array_foreach(scene_value(overrides, "items"), i, o) add_override(&text, o);
	json_decref(versions);
	json_decref(overrides);
	return text;
}

static bool are_equal(struct scene *s)
{
	char *first = NULL;
	bool is_equal = true;

	for (size_t i = 0; i < s->n_nodes && is_equal; i++) {
		char *text = node_runs(s->node[i]) ? scene_shown(s->node[i]) : NULL;

		if (text && !first) {
			first = text;
			continue;
		}
		is_equal = !text || !strcmp(text, first);
		free(text);
	}
	free(first);
	return is_equal;
}

bool scene_wait_equal(struct scene *s, uint64_t ms)
{
	uint64_t end_ns = sched_now_ns() + ms * SCHED_MS;

	while (!are_equal(s)) {
		if (sched_now_ns() >= end_ns)
			return false;
		node_run_ms(250);
	}
	return true;
}

static bool do_all_hold(struct scene *s, bool (*holds)(struct node *n, void *arg), void *arg)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (node_runs(s->node[i]) && !holds(s->node[i], arg))
			return false;
	return true;
}

bool scene_wait_all(struct scene *s, bool (*holds)(struct node *n, void *arg), void *arg,
                    uint64_t ms)
{
	uint64_t end_ns = sched_now_ns() + ms * SCHED_MS;

	while (!do_all_hold(s, holds, arg)) {
		if (sched_now_ns() >= end_ns)
			return false;
		node_run_ms(250);
	}
	return true;
}

struct node *scene_any(struct scene *s)
{
	size_t first = sched_below((uint32_t)s->n_nodes);

	for (size_t i = 0; i < s->n_nodes; i++)
		if (node_runs(s->node[(first + i) % s->n_nodes]))
			return s->node[(first + i) % s->n_nodes];
	return NULL;
}
