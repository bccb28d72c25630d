/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole weir-dns in a child process, in a network namespace of the test's own. The test writes
 * documents and zone files, has a health page, sends queries, and reads the control socket, the
 * stats page and the conditions.
 */
#ifndef WEIR_TESTS_UNIT_DNS_PROCESS_SCENE_H
#define WEIR_TESTS_UNIT_DNS_PROCESS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/ctl.h"
#include "base/page.h"
#include "base/proc.h"
#include "weir/condition.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/placement.h"
#include "weir/stats.h"

#include "tests/unit/bpf/space.h"

#define DIR_     "/run/weir-test-dns"
#define PORT     5399
#define WAIT_MS  40000u
#define SOA      "$TTL 60\n@ SOA ns root %u 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\nh A 192.0.2.7\n"
#define ZONES_   12
#define BY_TYPE  "weir_dns_queries_by_type_total"
#define ANSWERS  "weir_dns_answers_total"
#define QUERIES  "weir_dns_queries_total"
#define LOADS    "weir_dns_loads_total"
#define LISTEN_1 "\"127.0.0.1\""

static const char *program __attribute__((unused));
static pid_t child;
static uint64_t number;   /* of the document */
static bool names_key;    /* the document does */
static size_t n_disabled; /* sites that it has disabled by a person */

/* Wait until an expression is true; else the test fails and shows the process's log. */
#define WAIT_FOR(expression)                                                                       \
	do {                                                                                       \
		uint64_t until_ms = clock_mono_ms() + WAIT_MS;                                     \
		while (!(expression)) {                                                            \
			if (clock_mono_ms() > until_ms) {                                          \
				(void)!system("tail -30 " DIR_ "/log >&2");                        \
				fail_msg("never: %s", #expression);                                \
			}                                                                          \
			usleep(20000);                                                             \
		}                                                                                  \
	} while (0)

static inline void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static inline void write_zone(unsigned i, unsigned serial, const char *more)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), DIR_ "/conf/zone%u", i);
	snprintf(text, sizeof(text), SOA "%s", serial, more);
	write_text(path, text);
}

/*
 * Make the next effective document: zones z0.test and on, and www.z0.test of service web at two
 * sites.
 */
static inline void write_document(unsigned n_zones, const char *listen, const char *threads)
{
	struct model_errors errors;
	struct model *m = NULL;
	char zones[2048] = "", text[6144], fingerprint[MODEL_FINGERPRINT_MAX];
	size_t at = 0;

	for (unsigned i = 0; i < n_zones; i++)
		at += (size_t)snprintf(zones + at, sizeof(zones) - at,
		                       "%s{ name = \"z%u.test\"; file = \"zone%u\"; }",
		                       i ? ", " : "", i, i);
	snprintf(
	        text, sizeof(text),
	        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
	        "sites = ( { name = \"ams\"; weight = 100; }, { name = \"fra\"; weight = 50; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"xdp\"; ports = ( { interface = \"v0\"; } ); "
	        "tunnel_source = [ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]; clock = \"trusted\"; dns_listen = [ %s ]; } );\n"
	        "checks = ( { name = \"c\"; type = \"tcp\"; port = 80; } );\n"
	        "pools = ( { name = \"pa\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; max_backends = 9; "
	        "backends = ( { name = \"b\"; address = \"10.1.1.11\"; } ); },\n"
	        " { name = \"pf\"; site = \"fra\"; check = \"c\"; mode = \"ipip\"; max_backends = 9; "
	        "backends = ( { name = \"b\"; address = \"10.2.1.11\"; } ); } );\n"
	        "vips = ( { name = \"va\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8:1::10\" ]; },\n"
	        " { name = \"vf\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; } );\n"
	        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; "
	        "at = ( { site = \"ams\"; vip = \"va\"; pool = \"pa\"; }, { site = \"fra\"; vip = \"vf\"; pool = \"pf\"; } ); } );\n"
	        "dns = { %s zones = ( %s ); names = ( { name = \"www.z0.test\"; service = \"web\"; "
	        "policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; } ); };\n",
	        listen, threads, zones);
	write_text(DIR_ "/conf/weir.conf", text);
	if (model_read_config(DIR_ "/conf/weir.conf", "ams-1", &m, &errors)) {
		for (size_t i = 0; i < errors.n_items; i++)
			fprintf(stderr, "%u: %s: %s\n", errors.items[i].line, errors.items[i].field,
			        errors.items[i].message);
		abort();
	}
	model_errors_free(&errors);
	struct model_override disabled[2];
	for (int i = 0; i < 2; i++)
		disabled[i] = (struct model_override){ .id = i ? "fra" : "ams",
			                               .kind = MODEL_OVERRIDE_DISABLE,
			                               .target = MODEL_TARGET_SITE,
			                               .pool = "",
			                               .name = i ? "fra" : "ams",
			                               .generation = 1,
			                               .created_ms = 1,
			                               .from_ms = 1,
			                               .until_ms = MODEL_TIME_NEVER,
			                               .author = "ada",
			                               .reason = "x",
			                               .node = "ams-1" };
	m->overrides = disabled;
	m->n_overrides = n_disabled;
	m->meta.document = ++number;
	m->meta.version = 7;
	model_key_fingerprint(m->hash_key, fingerprint);
	if (names_key)
		m->meta.hash_key = fingerprint;
	if (model_write_effective(m, DIR_ "/state/effective.conf"))
		abort();
	model_free(m);
}

static inline void start_server(void)
{
	fflush(NULL);
	child = fork();
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen(DIR_ "/log", "a", stderr))
		abort();
	setenv("WEIR_USERS", "none", 1);
	execl(program, "weir-dns", "--conf-dir", DIR_ "/conf", "--state-dir", DIR_ "/state",
	      "--run-dir", DIR_ "/run", "--bpf-dir", DIR_ "/bpf", "--node", "ams-1", "--port",
	      "5399", NULL);
	abort();
}

/* @return the exit status; -1: it died by a signal */
static inline int stop_server(int signo)
{
	int end_test = 0;

	if (!child)
		return 0;
	kill(child, signo);
	waitpid(child, &end_test, 0);
	child = 0;
	return WIFEXITED(end_test) ? WEXITSTATUS(end_test) : -1;
}

static inline int enter_space(void **state)
{
	(void)state;
	return space_enter(false) || (mkdir(DIR_, 0700) && errno != EEXIST) ||
	       mount("tmpfs", DIR_, "tmpfs", 0, NULL);
}

static inline int begin_test(void **state)
{
	(void)state;
	number = 0;
	names_key = false;
	n_disabled = 0;
	space_run("rm -rf " DIR_ "/* && mkdir -p " DIR_ "/run " DIR_ "/state " DIR_ "/conf " DIR_
	          "/bpf");
	write_text(DIR_ "/conf/hash.key", "00112233445566778899aabbccddeeff\n");
	for (unsigned i = 0; i < ZONES_; i++)
		write_zone(i, 1, "");
	return 0;
}

static inline int end_test(void **state)
{
	(void)state;
	(void)stop_server(SIGTERM);
	return 0;
}

static inline json_t *send_request(const char *line)
{
	char *text = NULL;
	json_t *answer;

	if (ctl_request(DIR_ "/run/dns.ctl", line, 5000, &text))
		return NULL;
	answer = json_loads(text, 0, NULL);
	free(text);
	return answer;
}

/*
 * What stands at @p path ("names.0.sites.1.ipv4") of the status, as text: a string as it is, true,
 * false, a number, an array's length in brackets; "" where nothing stands.
 */
static inline const char *status_at(const char *path, char out[256])
{
	json_t *status = send_request("{\"do\":\"status\"}"), *at = status;
	char copy[128], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", path);
	while (at && (word = strsep(&rest, ".")))
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(word))
		                       : json_object_get(at, word);
	out[0] = '\0';
	if (json_is_string(at))
		snprintf(out, 256, "%s", json_string_value(at));
	else if (json_is_boolean(at))
		snprintf(out, 256, "%s", json_is_true(at) ? "true" : "false");
	else if (json_is_integer(at))
		snprintf(out, 256, "%lld", (long long)json_integer_value(at));
	else if (json_is_array(at))
		snprintf(out, 256, "[%zu]", json_array_size(at));
	json_decref(status);
	return out;
}

static inline bool status_is(const char *path, const char *wanted)
{
	char text[256];

	return !strcmp(status_at(path, text), wanted);
}

static inline long long status_number(const char *path)
{
	char text[256];

	return atoll(status_at(path, text));
}

/* A value of the stats page; -1: there is none. */
static inline int64_t read_value(const char *name, const char *labels)
{
	struct stats_reader *r;
	int64_t found = -1;

	if (stats_reader_open(DIR_ "/run", "dns", &r))
		return -1;
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, name) && !strcmp(e->labels, labels))
			found = (int64_t)e->value;
	}
	stats_reader_close(r);
	return found;
}

/* The level of a condition; -1: it is not stated. @p text, NULL or what it must have in it */
static inline int find_condition(const char *code, const char *subject, const char *text)
{
	static struct conditions all;

	if (conditions_read(DIR_ "/run", "dns", &all))
		return -1;
	for (uint32_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].code, code) && !strcmp(all.items[i].subject, subject) &&
		    (!text || strstr(all.items[i].text, text)))
			return (int)all.items[i].level;
	return -1;
}

static inline unsigned count_conditions(const char *code)
{
	static struct conditions all;
	unsigned n = 0;

	if (conditions_read(DIR_ "/run", "dns", &all))
		return 0;
	for (uint32_t i = 0; i < all.n; i++)
		n += !strcmp(all.items[i].code, code);
	return n;
}

static inline unsigned count_descriptors(void)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)child);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* A query for @p name, "h.z0.test". @return its length */
static inline size_t make_query(const char *name, uint16_t type, uint8_t out[300])
{
	size_t n = 12;

	memset(out, 0, 300);
	out[1] = 9;
	out[5] = 1;
	for (const char *at = name; *at;) {
		size_t length = strcspn(at, ".");

		out[n++] = (uint8_t)length;
		memcpy(out + n, at, length);
		n += length;
		at += length + (at[length] == '.');
	}
	n++;
	out[n++] = (uint8_t)(type >> 8);
	out[n++] = (uint8_t)type;
	n++;
	out[n++] = 1;
	return n;
}

static inline int open_client(const char *address, int type)
{
	struct sockaddr_storage to;
	struct timeval most = { .tv_sec = 5 };
	struct addr a;
	socklen_t n;
	int fd;

	assert_int_equal(addr_parse(address, &a), 0);
	n = addr_to_sockaddr(&a, PORT, &to);
	fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	if (connect(fd, (struct sockaddr *)&to, n)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* @return the answer's rcode, + 100 with records, + 1000 if it is cut; -1: there is none */
static inline int send_query(const char *address, const char *name, uint16_t type)
{
	uint8_t out[300], in[4096];
	int fd = open_client(address, SOCK_DGRAM), rcode = -1;
	size_t length = make_query(name, type, out);
	ssize_t n = fd < 0 ? -1 : send(fd, out, length, 0);

	n = n < 0 ? -1 : recv(fd, in, sizeof(in), 0);
	if (n >= 12 && in[1] == 9 && in[2] & 0x80)
		rcode = (in[3] & 15) + (in[7] ? 100 : 0) + (in[2] & 2 ? 1000 : 0);
	if (fd >= 0)
		close(fd);
	return rcode;
}

static inline int query_tcp(const char *address, const char *name, uint16_t type)
{
	uint8_t out[302], in[4096];
	int fd = open_client(address, SOCK_STREAM), rcode = -1;
	size_t length = make_query(name, type, out + 2);
	ssize_t n;

	out[0] = (uint8_t)(length >> 8);
	out[1] = (uint8_t)length;
	if (fd >= 0 && send(fd, out, length + 2, MSG_NOSIGNAL) > 0) {
		n = recv(fd, in, sizeof(in), 0);
		if (n >= 14 && in[3] == 9)
			rcode = (in[5] & 15) + (in[9] ? 100 : 0);
	}
	if (fd >= 0)
		close(fd);
	return rcode;
}

/* A document that is written now is in force. */
static inline void apply_document(unsigned n_zones, const char *listen, const char *threads)
{
	write_document(n_zones, listen, threads);
	WAIT_FOR(status_number("document") == (long long)number);
}

static inline void reload_document(void)
{
	json_t *answer = send_request("{\"do\":\"zone-reload\"}");
	long long load = json_integer_value(json_object_get(answer, "load"));

	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_true(load > 0);
	json_decref(answer);
	WAIT_FOR(status_number("load.finished") >= load);
}

#endif
