/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At each place where Weir calls SQLite, OpenSSL, libbpf or DPDK, an allocation in the library
 * fails once: Weir does what it does with memory, or says that there is none; it does not crash,
 * says nothing false, and the next try succeeds.
 *
 *     fail_libs NTH [all]      which allocation of each call; run with failalloc.so, as root for libbpf
 *
 * `all`: with the XDP driver, whose program the kernel verifies for seconds each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/log.h"
#include "base/proc.h"
#include "dataplane/drivers.h"
#include "mgmt/http/tls.h"
#include "mgmt/files/files.h"
#include "mgmt/store/store.h"
#include "tests/fail/fail.h"
#include "tests/unit/bpf/space.h"
#include "weir/agent.h"
#include "weir/driver.h"
#include "weir/model.h"
#include "weir/probe.h"

#define CALLS_MAX   500ul
#define RUN_LIMIT_S 600
#define SKIPPED     77

enum outcome { OUTCOME_GOOD, OUTCOME_END, OUTCOME_BAD };

static char dir[] = "/dev/shm/weir-libs.XXXXXX", said[1024];
static char *cert, *key;

/* Open it, keep a version with a file, read it back. */
static int use_store(void)
{
	static unsigned n_runs;
	struct version v = { .number = 1, .author = "a", .reason = "r", .node = "n", .time_ms = 1 };
	struct files files = { 0 }, back = { 0 };
	struct event event = { .time_ms = 1, .kind = "version", .subject = "s", .message = "m" };
	struct store *s = NULL;
	char path[PATH_MAX], name[32], why[EVENT_TEXT_MAX] = "";

	snprintf(name, sizeof(name), "store-%d-%u", (int)getpid(), n_runs++);
	if (proc_path(dir, name, path) || mkdir(path, 0700) ||
	    files_add(&files, "weir.conf", "x", 1))
		abort();
	files_digest(&files, v.digest);
	int err = store_open(path, &s, why);
	if (!err) {
		err = store_put_version(s, &v, &files);
		if (!err)
			err = store_files(s, 1, &back);
		if (!err && (back.n_items != 1 || memcmp(back.items[0].bytes, "x", 1) != 0))
			err = -EBADMSG;
		if (!err)
			err = store_version(s, 1, &v);
		if (!err)
			err = store_put_events(s, &event, 1);
		snprintf(why, sizeof(why), "%s", store_reason(s));
		store_close(s);
	}
	snprintf(said, sizeof(said), "%s", why);
	files_fini(&files);
	files_fini(&back);
	return err;
}

/* The other end of a connection, in a process of its own. */
static pid_t start_client(int fd, int other)
{
	pid_t pid = fork();
	char text[5];

	if (pid)
		return pid;
	close(other);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(context);
	SSL_set_fd(tls, fd);
	if (SSL_connect(tls) != 1 || SSL_write(tls, "ping", 4) != 4)
		_exit(1);
	_exit(SSL_read(tls, text, 4) == 4 && !memcmp(text, "pong", 4) ? 0 : 1);
}

static int serve_connection(struct ssl_ctx_st *context, int fd)
{
	enum http_tls_want want;
	struct ssl_st *tls = NULL;
	char text[5] = "";
	int err = http_tls_open(context, fd, &tls);

	if (err)
		return err;
	err = http_tls_accept(tls, &want);
	ssize_t n = err ? 0 : http_tls_read(tls, text, 4, &want);
	if (!err && n == 4)
		n = http_tls_write(tls, "pong", 4, &want);
	if (!err && n != 4)
		err = n < 0 ? (int)n : -EPROTO;
	http_tls_shutdown(tls);
	http_tls_close(tls);
	return err;
}

/* A certificate, a handshake, a question and its answer. */
static int use_tls(void)
{
	struct ssl_ctx_st *context = NULL;
	int ends[2], status, err;

	said[0] = '\0';
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		abort();
	err = http_tls_context(&(struct http_tls_files){ .cert = cert, .key = key }, &context);
	bool counts = fail_pause(); /* the client is not to meet it */
	pid_t pid = start_client(ends[1], ends[0]);
	close(ends[1]);
	if (counts)
		fail_resume();
	if (!err) {
		err = serve_connection(context, ends[0]);
		http_tls_context_free(context);
	}
	close(ends[0]);
	waitpid(pid, &status, 0);
	if (!err && status)
		err = -EPROTO;
	return err;
}

static int use_probes(void)
{
	struct probes *p = NULL;
	struct probe_tunnel tunnel = { .mark = 1 };
	int err = probe_open(&p);

	said[0] = '\0';
	if (!err)
		err = probe_set_tunnels(p, &tunnel, 1);
	if (!err)
		err = probe_attach(p, "v0");
	if (!err)
		err = probe_attached(p, "v0");
	if (!err)
		err = probe_detach(p, "v0");
	probe_close(p);
	return err;
}

static int use_agent(void)
{
	struct prefix from;
	const struct agent_options options = { .prefixes = &from,
		                               .n_prefixes = 1,
		                               .bpf_dir = BPF_DIR "/agent" };
	static struct agent_status status;
	char error[AGENT_ERROR_MAX] = "", more[AGENT_ERROR_MAX];

	if (prefix_parse("10.1.0.0/16", &from))
		abort();
	int err = agent_attach("v0", &options, error);
	if (!err)
		err = agent_status("v0", options.bpf_dir, &status, error);
	snprintf(said, sizeof(said), "%s", error);
	(void)agent_detach("v0", options.bpf_dir, more);
	return err;
}

static int use_driver(void)
{
	const struct driver_config config = { .pin_dir = BPF_DIR "/cluster/node",
		                              .sizes = { 64, 16, 8, 64, 4096, 64 } };
	struct driver_port port;
	struct driver_reason why = { "" }, more;
	struct driver *d = NULL;
	bool kept;
	int err = driver_xdp.open(&config, &d, &kept, &why);

	if (!err) {
		err = driver_xdp.attach(d, &(struct model_port){ .interface = "v0", .device = "" },
		                        &port, &why);
		(void)driver_xdp.detach(d, "v0", &more);
		driver_xdp.close(d);
	}
	(void)driver_xdp.remove(config.pin_dir, &more);
	snprintf(said, sizeof(said), "%s", why.text);
	return err;
}

/* DPDK without a network card: its environment, workers, tables, a port with a TAP. */
static int use_dpdk(void)
{
	const struct model_dpdk dpdk = { .hugepages = MODEL_HUGEPAGES_NO, .memory_mb = 64 };
	const struct driver_config config = { .pin_dir = BPF_DIR "-dpdk",
		                              .sizes = { 64, 16, 8, 64, 4096, 64 },
		                              .dpdk = &dpdk,
		                              .mtu = 1500 };
	struct driver_port port;
	struct driver_reason why = { "" }, more;
	struct driver *d = NULL;
	bool kept;
	int err = drivers_dpdk->open(&config, &d, &kept, &why);

	if (!err) {
		err = drivers_dpdk->attach(
		        d, &(struct model_port){ .interface = "v9", .device = "net_null0" }, &port,
		        &why);
		(void)drivers_dpdk->detach(d, "v9", &more);
		drivers_dpdk->close(d);
	}
	(void)drivers_dpdk->remove(config.pin_dir, &more);
	snprintf(said, sizeof(said), "%s", why.text);
	return err;
}

enum {
	NEEDS_ROOT = 1,
	SLOW = 2,
	ONCE = 4, /* what the library found at its start stays: the next try is another process's */
	VAGUE = 8, /* it does not always say why a connection ended */
};

static const struct {
	const char *name, *libraries;
	int (*run)(void);
	unsigned how;
} cases[] = {
	{ "SQLite: the store", "libsqlite3", use_store, 0 },
	{ "OpenSSL: a certificate and a connection", "libssl,libcrypto", use_tls, VAGUE },
	{ "libbpf: the probes' program", "libbpf", use_probes, NEEDS_ROOT },
	{ "libbpf: the agent", "libbpf", use_agent, NEEDS_ROOT },
	{ "libbpf: the XDP driver", "libbpf", use_driver, NEEDS_ROOT | SLOW | ONCE },
	{ "DPDK: the driver", "librte", use_dpdk, NEEDS_ROOT | ONCE },
};

static void tell_crash(int signal)
{
	dprintf(1, "  signal %d\n", signal);
	fail_show(stdout);
	fflush(stdout);
	_exit(OUTCOME_BAD);
}

static enum outcome run_once(size_t i, unsigned long nth, unsigned long n)
{
	signal(SIGSEGV, tell_crash);
	signal(SIGABRT, tell_crash);
	alarm(RUN_LIMIT_S);
	fail_arm_entry(nth, n);
	int err = cases[i].run();
	bool failed = fail_disarm();
	char text[sizeof(said)];

	snprintf(text, sizeof(text), "%s", said);
	int next = cases[i].how & ONCE ? 0 : cases[i].run();
	/*
	 * libbpf says ESRCH or ENOSPC when it cannot read or ask the kernel, DPDK EPERM or
	 * EINVAL; and Weir that this may be memory.
	 */
	bool named = err == -ENOMEM || (err == -EPROTO && (cases[i].how & VAGUE)) ||
	             ((err == -ESRCH || (cases[i].how & ONCE)) && strstr(text, "memory"));
	bool good = (err == 0 || named) && next == 0;

	if (!good) {
		printf("  call %lu: %s, says: %s; the next try: %s\n", n,
		       err ? strerror(-err) : "done", text, next ? strerror(-next) : "done");
		fail_show(stdout);
		fflush(stdout);
	}
	return !good ? OUTCOME_BAD : failed ? OUTCOME_GOOD : OUTCOME_END;
}

static enum outcome run_child(size_t i, unsigned long nth, unsigned long n)
{
	int status = 0;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(run_once(i, nth, n));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (!WIFEXITED(status))
		printf("  call %lu: signal %d\n", n, WTERMSIG(status));
	return WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : OUTCOME_BAD;
}

static int run_case(size_t i, unsigned long nth)
{
	unsigned long n_bad = 0, n = 1;
	enum outcome outcome = OUTCOME_GOOD;

	for (; outcome != OUTCOME_END && n < CALLS_MAX; n++) {
		outcome = run_child(i, nth, n);
		n_bad += outcome == OUTCOME_BAD;
		if (n_bad > 20)
			break;
	}
	/* One that did not get to the last call has not tried the others. */
	bool whole = outcome == OUTCOME_END;
	printf("%s: allocation %lu of each of %lu calls failed, %lu ended badly%s\n", cases[i].name,
	       nth, n - 2, n_bad, whole ? "" : "; there are more calls");
	return n_bad || n < 3 || !whole ? 1 : 0;
}

static void make_certificate(void)
{
	char path[PATH_MAX], command[2 * PATH_MAX];
	size_t n;

	if (snprintf(
	            command, sizeof(command),
	            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=t "
	            "-keyout %s/key -out %s/cert 2>/dev/null",
	            dir, dir) < 0 ||
	    system(command) || proc_path(dir, "cert", path) || files_slurp(path, &cert, &n) ||
	    proc_path(dir, "key", path) || files_slurp(path, &key, &n))
		abort();
}

int main(int argc, char **argv)
{
	unsigned n_passed = 0, n_failed = 0, n_skipped = 0;
	unsigned long nth = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	bool all = argc > 2 && !strcmp(argv[2], "all");

	log_level(LOG_EMERG);
	if (!mkdtemp(dir))
		abort();
	make_certificate();
	signal(SIGPIPE, SIG_IGN);
	/*
	 * What OpenSSL cannot do here it never tries again: a process that starts without memory
	 * ends, and is started again.
	 */
	OPENSSL_init_ssl(0, NULL);
	bool is_root = space_enter(true) == 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if ((cases[i].how & SLOW) && !all)
			continue;
		setenv("FAIL_LIBS", cases[i].libraries, 1);
		if ((cases[i].how & NEEDS_ROOT) && !is_root)
			n_skipped++;
		else if (run_case(i, nth))
			n_failed++;
		else
			n_passed++;
	}
	free(cert);
	free(key);
	files_remove_dir(dir);
	printf("%u passed, %u failed, %u skipped\n", n_passed, n_failed, n_skipped);
	return n_failed != 0;
}
