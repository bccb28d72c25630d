/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-mgmt without its rights, whole, in this process: when it serves its address, serves elsewhere, or tries again,
 * and what it says of that; its gauges, its control sockets and its end. The clocks are the kernel's, which the test lets jump.
 */
#include "fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "mgmt/api/mgmt_process.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

static _Atomic time_t jumped_s;

static int own_clock_gettime(clockid_t which, struct timespec *out)
{
	int err = __real_clock_gettime(which, out);

	if (which != CLOCK_THREAD_CPUTIME_ID)
		out->tv_sec += jumped_s;
	return err;
}

static struct mgmt_process process;
static struct fixture place;
static uint16_t ports[2]; /* free ones of this host */
static pthread_t thread;
static int run_err;

static int hold_port(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static bool is_served(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bool is = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return is;
}

/* The fixture's file, in which this node has the API's address @p api (""): it has none). */
static struct files files_of(const char *api)
{
	char to[200];

	snprintf(to, sizeof(to), "site = \"ams\"; %s%s%s driver = \"auto\"", *api ? "api = \"" : "",
	         api, *api ? "\";" : "");
	return fixture_files("site = \"ams\"; driver = \"auto\"", to);
}

static const char *local_api(uint16_t port)
{
	static char text[64];

	snprintf(text, sizeof(text), "https://127.0.0.1:%u", port);
	return text;
}

static void apply_api(const char *api)
{
	struct files files = files_of(api);
	struct intent_change change = { .files = &files, .author = "jw", .reason = "x" };
	struct intent_changed changed = { 0 };

	core_lock(&process.core);
	assert_int_equal(intent_change(process.core.intent, &change, clock_believed_ms(), &changed),
	                 0);
	core_unlock(&process.core);
	intent_changed_fini(&changed);
	files_fini(&files);
}

static void *run_process(void *arg)
{
	(void)arg;
	run_err = mgmt_process_run(&process);
	return NULL;
}

static int setup(void **state)
{
	struct files files;
	struct files_text text;

	(void)state;
	memset(&process, 0, sizeof(process));
	jumped_s = 0;
	fixture_make(&place);
	for (size_t i = 0; i < 2; i++) {
		ports[i] = 0;
		close(hold_port(&ports[i]));
	}
	files = files_of(local_api(ports[0]));
	assert_int_equal(files_read(files_find(&files, FILES_MAIN), &text), 0);
	char *whole = strndup(text.bytes, text.n);
	fixture_write(place.conf, "weir.conf", whole);
	free(whole);
	files_read_end(&text);
	files_fini(&files);
	snprintf(process.core.dirs.conf, sizeof(process.core.dirs.conf), "%s", place.conf);
	snprintf(process.core.dirs.run, sizeof(process.core.dirs.run), "%s", place.root);
	snprintf(process.core.dirs.state, sizeof(process.core.dirs.state), "%s", place.state);
	snprintf(process.core.dirs.node, sizeof(process.core.dirs.node), "ams-1");
	assert_int_equal(mgmt_process_open(&process), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_process, NULL), 0);
	return 0;
}

static void end_by(int signal)
{
	assert_int_equal(kill(getpid(), signal), 0);
	pthread_join(thread, NULL);
	assert_int_equal(run_err, 0);
}

static int teardown(void **state)
{
	(void)state;
	mgmt_process_close(&process);
	fixture_remove(&place);
	return 0;
}

/* What it says of its address: "ADDRESS: fault". */
static const char *api_said(void)
{
	static char text[500];

	core_lock(&process.core);
	snprintf(text, sizeof(text), "%s: %s", process.core.api.address, process.core.api.fault);
	core_unlock(&process.core);
	return text;
}

/* Within some ticks it says so. */
static void wait_said(const char *api, const char *fault)
{
	char text[500];

	snprintf(text, sizeof(text), "%s: %s", api, fault);
	for (int i = 0; i < 400 && strcmp(api_said(), text) != 0; i++)
		usleep(10000);
	assert_string_equal(api_said(), text);
}

/* Some ticks, of a quarter of a second at most. */
static void let_it_tick(void)
{
	usleep(600000); /* that nothing is done too early is time itself */
}

static uint64_t failed_ms(void)
{
	core_lock(&process.core);
	uint64_t ms = process.core.api.failed_ms;
	core_unlock(&process.core);
	return ms;
}

/* A certificate of its own. */
static void write_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	char path[PATH_MAX];

	X509_set_version(cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
	                           (const unsigned char *)"ams-1", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_sign(cert, key, EVP_sha256());
	snprintf(path, sizeof(path), "%s/tls.key", place.conf);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/tls.crt", place.conf);
	f = fopen(path, "we");
	assert_non_null(f);
	PEM_write_X509(f, cert);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Every five seconds, without giving up; and since when it fails is kept. */
static void the_address_of_the_model_is_served(void **state)
{
	uint64_t since_ms;
	char first[64], second[64];

	(void)state;
	snprintf(first, sizeof(first), "%s", local_api(ports[0]));
	snprintf(second, sizeof(second), "%s", local_api(ports[1]));
	wait_said(first, "no tls.crt and tls.key in the configuration directory");
	since_ms = failed_ms();
	write_certificate();
	let_it_tick();
	assert_false(is_served(ports[0])); /* it is not time */
	jumped_s += 5;
	wait_said(first, "");
	assert_true(is_served(ports[0]));
	assert_in_range(since_ms, 1, clock_mono_ms() - 5000);
	int fd = hold_port(&ports[1]); /* another process has it */
	apply_api(second);
	wait_said(second, strerror(EADDRINUSE));
	assert_false(is_served(ports[0]));
	assert_true(failed_ms() > since_ms);
	since_ms = failed_ms();
	jumped_s += 5;
	let_it_tick();
	wait_said(second, strerror(EADDRINUSE));
	assert_int_equal(failed_ms(), since_ms); /* still the same failure */
	close(fd);
	jumped_s += 5;
	wait_said(second, "");
	assert_true(is_served(ports[1]));
	apply_api("https://192.0.2.9:8443"); /* this host does not have it, or not yet */
	wait_said("https://192.0.2.9:8443", "this host does not have the address");
	assert_false(is_served(ports[1]));
	apply_api("");
	wait_said("", "");
	end_by(SIGTERM);
}

/* The value of the gauge @p name, which there must be. */
static uint64_t read_gauge(const char *name)
{
	struct stats_reader *r;
	uint64_t value = UINT64_MAX;

	assert_int_equal(stats_reader_open(place.root, "mgmt", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++)
		if (!strcmp(stats_reader_entry(r, i)->name, name))
			value = stats_reader_entry(r, i)->value;
	stats_reader_close(r);
	return value;
}

static void gauges_say_what_is_in_force(void **state)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .name = "ams",
		              .generation = 1,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "ada",
		              .reason = "r",
		              .node = "ams-1" };

	(void)state;
	apply_api("");
	core_lock(&process.core);
	o.created_ms = o.from_ms = clock_believed_ms();
	override_make_id("ams-1", o.created_ms, 1, o.id);
	assert_int_equal(intent_merge(process.core.intent, &o, 1, o.created_ms), 1);
	process.core.use.longest_held_ns = 60000000000;
	core_unlock(&process.core);
	let_it_tick();
	assert_int_equal(read_gauge("weir_mgmt_version"), 2);
	core_lock(&process.core);
	assert_int_equal(read_gauge("weir_mgmt_document"), intent_document(process.core.intent));
	core_unlock(&process.core);
	assert_int_equal(read_gauge("weir_mgmt_overrides"), 1);
	assert_int_equal(read_gauge("weir_mgmt_store_failing"), 0);
	assert_int_equal(read_gauge("weir_mgmt_document_unwritten"), 0);
	assert_int_equal(read_gauge("weir_mgmt_lock_longest_us"), 60000000);
	end_by(SIGTERM);
}

static void the_control_socket_says_what_it_takes(void **state)
{
	static const char *const lines[] = { "{}", "nonsense", "{\"do\":\"stop\"}", "{\"do\":1}" };
	char path[PATH_MAX], *text;

	(void)state;
	snprintf(path, sizeof(path), "%s/mgmt.ctl", place.root);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(ctl_request(path, lines[i], 10000, &text), 0);
		assert_string_equal(
		        text, "{\"ok\":false,\"error\":\"expected {\\\"do\\\":\\\"status\\\"}\"}");
		free(text);
	}
	assert_int_equal(ctl_request(path, "{\"do\":\"status\"}", 10000, &text), 0);
	assert_non_null(strstr(text, "\"node\":\"ams-1\""));
	free(text);
	end_by(SIGINT); /* as at a terminal */
}

/* A socket that cannot be made again does not end the process; the next look tries again. */
static void a_control_socket_that_was_removed_is_made_again(void **state)
{
	char path[PATH_MAX], away[PATH_MAX];
	const struct http_server *before = process.local;

	(void)state;
	snprintf(path, sizeof(path), "%s/api.sock", place.root);
	snprintf(away, sizeof(away), "%s.away", place.root);
	assert_int_equal(rename(place.root, away), 0); /* the directory is not there */
	let_it_tick();
	assert_ptr_equal(process.local, before);
	assert_int_equal(rename(away, place.root), 0);
	let_it_tick();
	assert_int_equal(access(path, F_OK), 0);
	assert_ptr_equal(process.local, before); /* nothing was wrong with it */
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 400 && access(path, F_OK); i++)
		usleep(10000);
	assert_int_equal(access(path, F_OK), 0);
	end_by(SIGTERM);
	assert_non_null(process.local);
}

SUITE(main_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_address_of_the_model_is_served),
		T(gauges_say_what_is_in_force),
		T(the_control_socket_says_what_it_takes),
		T(a_control_socket_that_was_removed_is_made_again),
	};

	answer_clock_gettime = own_clock_gettime;
	return cmocka_run_group_tests_name("main parts", tests, NULL, NULL);
}
