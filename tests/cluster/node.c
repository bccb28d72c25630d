/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/node.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/api/mgmt_process.h"
#include "mgmt/files/files.h"
#include "tests/cluster/etcd_net.h"
#include "tests/cluster/web.h"
#include "weir/json.h"

#define ANSWER_MS 60000u /* the longest that a person waits */
#define START_MS  30000u /* the same for the start of a process */

struct node {
	char name[32];
	unsigned number, n_lives;
	struct proc_dirs dirs;
	struct sched_host *host;      /* of this life */
	struct mgmt_process *process; /* NULL: it does not run */
	pthread_t main_thread;
	bool is_up, has_ended;
};

static char top[64];

void node_begin(void)
{
	const char *below = getenv("TMPDIR");

	snprintf(top, sizeof(top), "%.30s/weir-cluster.XXXXXX",
	         below                      ? below
	         : access("/dev/shm", W_OK) ? "/tmp"
	                                    : "/dev/shm");
	if (!mkdtemp(top))
		abort();
}

void node_end(void)
{
	files_remove_dir(top);
}

const char *node_folder(void)
{
	return top;
}

/* --- folders --- */

static void set_dir(const struct node *n, const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s.%u/%s", top, n->name, n->n_lives, name);
}

/* The folders of this life. */
static void set_dirs(struct node *n)
{
	set_dir(n, "conf", n->dirs.conf);
	set_dir(n, "state", n->dirs.state);
	set_dir(n, "run", n->dirs.run);
	set_dir(n, "bpf", n->dirs.bpf);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		abort();
}

static void make_dirs(struct node *n)
{
	char path[PATH_MAX];

	set_dir(n, "", path);
	make_dir(path);
	make_dir(n->dirs.conf);
	make_dir(n->dirs.state);
	make_dir(n->dirs.run);
}

/* @p command with two paths behind it. */
static void run_command(const char *command, const char *a, const char *b)
{
	char line[2 * PATH_MAX + 64];

	snprintf(line, sizeof(line), "%s '%s' '%s'", command, a, b);
	if (system(line))
		abort();
}

static void empty_dirs(const char *a, const char *b)
{
	run_command("rm -rf", a, b);
	make_dir(a);
	make_dir(b);
}

void node_write(const struct node *n, const char *file, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	if (proc_path(n->dirs.conf, file, path) || !(f = fopen(path, "w")) || fputs(text, f) < 0 ||
	    fclose(f) || chmod(path, 0640))
		abort();
}

struct node *node_new(unsigned number, const char *name)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	n->number = number;
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->dirs.node, sizeof(n->dirs.node), "%s", name);
	n->dirs.node_given = true;
	set_dirs(n);
	make_dirs(n);
	n->host = calloc(1, sizeof(*n->host));
	if (!n->host)
		abort();
	n->host->boot_ns = -(int64_t)(sched_below(100000) * SCHED_MS);
	n->host->believed_ms = INT64_MIN;
	web_name_host(n->host, number);
	return n;
}

const char *node_name(const struct node *n)
{
	return n->name;
}

unsigned node_number(const struct node *n)
{
	return n->number;
}

struct sched_host *node_host(const struct node *n)
{
	return n->host;
}

const struct proc_dirs *node_dirs(const struct node *n)
{
	return &n->dirs;
}

bool node_runs(const struct node *n)
{
	return n->process != NULL;
}

/* --- the process --- */

static void *run_main_thread(void *arg)
{
	struct node *n = arg;
	struct mgmt_process *p = n->process;

	n->is_up = mgmt_process_open(p) == 0;
	if (n->is_up && mgmt_process_run(p))
		abort();
	mgmt_process_close(p);
	n->has_ended = true;
	return NULL;
}

static bool is_up_or_over(void *arg)
{
	const struct node *n = arg;

	return n->is_up || n->has_ended;
}

static void forget_process(struct node *n)
{
	sched_join(n->main_thread);
	free(n->process);
	n->process = NULL;
	n->host->believed_ms = INT64_MIN;
}

bool node_start(struct node *n)
{
	n->process = calloc(1, sizeof(*n->process));
	if (!n->process)
		abort();
	n->process->core.dirs = n->dirs;
	n->is_up = n->has_ended = false;
	if (!sched_start(n->host, run_main_thread, n, &n->main_thread))
		abort();
	(void)sched_wait(is_up_or_over, n, sched_now_ns() + START_MS * SCHED_MS);
	if (n->has_ended)
		forget_process(n);
	return n->process != NULL;
}

void node_stop(struct node *n)
{
	if (!n->process)
		return;
	pthread_kill(n->main_thread, SIGTERM);
	sched_poke(n->main_thread);
	forget_process(n);
}

/* A new host in the place of the one before, with its clocks. */
static void begin_life(struct node *n)
{
	struct sched_host *host = malloc(sizeof(*host));

	if (!host)
		abort();
	*host = *n->host;
	host->believed_ms = INT64_MIN;
	n->host = host;
	web_name_host(host, n->number);
}

void node_kill(struct node *n)
{
	char before[PATH_MAX], after[PATH_MAX];

	if (!n->process)
		return;
	sched_abandon(n->host);
	web_forget_host(n->host);
	etcd_net_forget(n->number);
	n->process = NULL; /* its threads are there, and have it */
	set_dir(n, "", before);
	n->n_lives++;
	set_dir(n, "", after);
	run_command("cp -a", before, after);
	set_dirs(n);
	begin_life(n);
}

void node_reboot(struct node *n)
{
	empty_dirs(n->dirs.run, n->dirs.run);
	n->host->n_boots++;
	n->host->boot_ns = (int64_t)sched_now_ns() - (int64_t)(sched_below(20000) * SCHED_MS);
}

void node_wipe(struct node *n)
{
	empty_dirs(n->dirs.run, n->dirs.state);
}

/* --- requests --- */

struct node_request {
	struct web_request web;
	struct node *node;
	bool has_server;
};

struct node_request *node_send(struct node *n, const struct node_person *who, const char *method,
                               const char *path, const char *body)
{
	struct node_request *r = calloc(1, sizeof(*r));
	struct web_server *s = n->process ? web_find_local(n->host) : NULL;
	struct http_request *h;

	if (!r)
		abort();
	web_request_init(&r->web, method, path, body);
	r->node = n;
	r->has_server = s != NULL;
	h = &r->web.http;
	h->role = who->role;
	h->local = true;
	if (strcmp(method, "GET") != 0)
		snprintf(h->if_match, sizeof(h->if_match), "%s",
		         who->if_match ? who->if_match : "*");
	if (who->key)
		snprintf(h->key, sizeof(h->key), "%s", who->key);
	snprintf(h->principal, sizeof(h->principal), "%s", who->name);
	snprintf(h->identity, sizeof(h->identity), "user:%s", who->name);
	if (s)
		web_serve(s, &r->web);
	return r;
}

bool node_has_answer(const struct node_request *r)
{
	return r->web.has_ended || !r->has_server;
}

static bool has_ended(void *arg)
{
	return node_has_answer(arg);
}

struct node_answer node_take(struct node_request *r)
{
	struct node_answer a = { 0 };

	if (!node_has_answer(r) && !sched_wait(has_ended, r, sched_now_ns() + ANSWER_MS * SCHED_MS))
		return a; /* its thread has it still */
	a.status = r->web.status;
	a.text = r->web.text;
	r->web.text = NULL;
	a.json = a.text ? json_loads(a.text, 0, NULL) : NULL;
	web_request_fini(&r->web);
	free(r);
	return a;
}

void node_answer_fini(struct node_answer *a)
{
	json_decref(a->json);
	free(a->text);
	*a = (struct node_answer){ 0 };
}

struct node_answer node_ask(struct node *n, const struct node_person *who, const char *method,
                            const char *path, const char *body)
{
	return node_take(node_send(n, who, method, path, body));
}

json_t *node_get(struct node *n, const char *path)
{
	static const struct node_person root = { .name = "root", .role = HTTP_ADMIN };
	struct node_answer a = node_ask(n, &root, "GET", path, NULL);
	json_t *json = a.status == 200 ? json_incref(a.json) : NULL;

	node_answer_fini(&a);
	return json;
}

char *node_state_file(const struct node *n, const char *name)
{
	char path[PATH_MAX], *text;
	size_t size;

	if (proc_path(n->dirs.state, name, path) || files_slurp(path, &text, &size))
		return NULL;
	return text;
}

void node_run_ms(uint64_t ms)
{
	uint64_t end_ns = sched_now_ns() + ms * SCHED_MS;

	while (sched_now_ns() < end_ns)
		(void)sched_wait(NULL, NULL, end_ns);
}
