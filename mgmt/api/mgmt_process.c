/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main thread's loop: ticks of the intent, the control socket, signals. It never waits for a network: what may take long runs
 * in the other threads. It waits for requests at work where it ends a server of the API, though.
 */
#include "mgmt/api/mgmt_process.h"

#include <errno.h>
#include <jansson.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/proc.h"
#include "mgmt/audit/heads.h"
#include "mgmt/audit/log.h"
#include "mgmt/peers/announce_questions.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/api/handle.h"
#include "mgmt/core/to_json.h"
#include "mgmt/sync/inforce_judge.h"
#include "mgmt/sync/member_expiry.h"
#include "mgmt/sync/member_writes.h"
#include "mgmt/api/listen.h"
#include "mgmt/peers/externals.h"
#include "mgmt/observe/observe.h"
#include "mgmt/status/observer.h"
#include "mgmt/sync/operations.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/status/own_conditions.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/peers/state_fetch.h"
#include "mgmt/status/status.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/store_conf.h"
#include "weir/json.h"
#include "weir/stats.h"

#define STATS_MAX     256u  /* metrics on the page, among them one for each code of a reason */
#define START_S       300u  /* a large store is checked whole */
#define STOP_S        300u  /* requests at work end first */
#define TCP_RETRY_MS  5000u /* after the API could not listen */
#define TICK_LEAST_MS 10    /* between two ticks, however much is due */
#define TICK_MS       250u /* the most: a request may make something due sooner, and clocks are stepped */
#define SAY_MS        500u /* between two signs of life on the own pages, with gauges and conditions */
#define LOOK_MS       1000u /* between two looks at the surroundings: sockets, addresses, certificates */
#define NOT_HERE      "this host does not have the address"

/* Note whether the API listens, for conditions and for the judgement of versions. */
static void note_api(struct core *core, const char *api, const char *reason)
{
	core_lock(core);
	if (strcmp(core->api.address, api) != 0 || !*core->api.fault)
		core->api.failed_ms = clock_mono_ms();
	snprintf(core->api.address, sizeof(core->api.address), "%s", api);
	snprintf(core->api.fault, sizeof(core->api.fault), "%s", reason);
	core_unlock(core);
}

static const char *api_error(int err)
{
	return err == -ENOENT ? "no tls.crt and tls.key in the configuration directory"
	                      : certificate_error_text(err);
}

/* The addresses of the other nodes, whose connections have limits of their own. */
static void follow_peer_addresses(struct mgmt_process *p)
{
	struct addr peers[HTTP_PEERS_MAX];
	size_t n = 0;
	uint16_t port;

	if (!p->tcp)
		return;
	core_lock(&p->core);
	const struct model *m = join_model(p->core.intent);
	for (size_t i = 0; m && i < m->n_nodes && n < HTTP_PEERS_MAX; i++)
		if (&m->nodes[i] != m->self && *m->nodes[i].api &&
		    !listen_parse(m->nodes[i].api, &peers[n], &port))
			n++;
	core_unlock(&p->core);
	http_set_peers(p->tcp, peers, n);
}

/* It waits for the requests at work, which may read and check the largest zones. */
static void stop_server(struct mgmt_process *p, struct http_server *server)
{
	if (!server)
		return;
	core_lock(&p->core); /* entries of the counters come and go */
	stats_job_begin(p->core.stats, "stop", STOP_S);
	core_unlock(&p->core);
	http_stop(server);
	core_lock(&p->core);
	stats_job_end(p->core.stats, "stop");
	core_unlock(&p->core);
}

/* The host of nodes[].api by which peers know this node; "": it has no peers, or no address. */
static void copy_own_host(struct mgmt_process *p, char host[ADDR_TEXT_MAX])
{
	struct addr address;
	uint16_t port;

	core_lock(&p->core);
	const struct model *m = join_model(p->core.intent);
	bool has_peers =
	        m && m->self && m->n_nodes > 1 && !listen_parse(m->self->api, &address, &port);
	core_unlock(&p->core);
	host[0] = '\0';
	if (has_peers)
		(void)addr_text(&address, host);
}

static void follow_certificate(struct mgmt_process *p)
{
	char host[ADDR_TEXT_MAX];

	copy_own_host(p, host);
	certificate_follow(&p->core, &p->core.certificate, p->tcp);
	certificate_judge(&p->core, &p->core.certificate, p->tcp, host);
}

/* Serve the address that the model gives this node; a change of it is followed. */
static void follow_api(struct mgmt_process *p)
{
	char api[sizeof(p->api)] = "";

	core_lock(&p->core);
	const struct model *m = join_model(p->core.intent);
	if (m && m->self && strlen(m->self->api) < sizeof(api))
		strcpy(api, m->self->api);
	core_unlock(&p->core);
	if (!strcmp(api, p->api)) {
		if (*api)
			note_api(&p->core, api, listen_host_has(api) ? "" : NOT_HERE);
		follow_certificate(p);
		return;
	}
	if (loop_now_ms(p->loop) < p->tcp_retry_ms)
		return;
	stop_server(p, p->tcp);
	p->tcp = NULL;
	p->api[0] = '\0';
	certificate_note(&p->core, &p->core.certificate);
	int err = *api ? listen_tcp(&p->core, api, &p->tcp) : 0;
	if (err && !p->tcp_failed)
		log_error("api-not-served", "address=%s error=\"%s\"", api, api_error(err));
	note_api(&p->core, api,
	         err                             ? api_error(err)
	         : !*api || listen_host_has(api) ? ""
	                                         : NOT_HERE);
	p->tcp_failed = err != 0;
	p->tcp_retry_ms = err ? loop_now_ms(p->loop) + TCP_RETRY_MS : 0;
	if (err)
		return;
	snprintf(p->api, sizeof(p->api), "%s", api);
	if (*api)
		log_note("api-served", "address=%s", api);
}

/* Gauges are written again and again, so that no change has to remember them. */
static void set_mgmt_gauges(struct mgmt_process *p)
{
	const struct version *head = intent_head(p->core.intent);
	struct stats *s = p->core.stats;
	int64_t now_ms = clock_believed_ms();

	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_mgmt_document", "",
	                            "Effective document last written."),
	          intent_document(p->core.intent));
	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_mgmt_version", "", "Version in force."),
	          head ? head->number : 0);
	stats_set(
	        stats_get_counter(s, STATS_GAUGE, "weir_mgmt_overrides", "", "Overrides in force."),
	        overrides_live(intent_overrides(p->core.intent), now_ms));
	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_mgmt_store_failing", "",
	                            "1 while the store cannot be written."),
	          *intent_store_reason(p->core.intent) != '\0');
	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_mgmt_document_unwritten", "",
	                            "1 while the effective document cannot be written."),
	          *intent_unwritten_reason(p->core.intent) != '\0');
	stats_set(stats_get_counter(s, STATS_GAUGE, "weir_mgmt_lock_longest_us", "",
	                            "Longest work under the lock since the start, CPU time."),
	          p->core.use.longest_held_ns / 1000);
	life_look(&p->core.watch, LIFE_FOR_STATUS, clock_mono_ms());
	stats_alive(s, clock_mono_ms());
}

/* Commands come by the socket's file: if it is removed, another server takes over at a new one. */
static void keep_local(struct mgmt_process *p)
{
	struct http_server *server;
	char path[PATH_MAX];
	struct stat st;

	if (proc_path(p->core.dirs.run, PROC_API_SOCKET, path) || lstat(path, &st) == 0 ||
	    errno != ENOENT)
		return;
	int err = listen_local(&p->core, &server);
	if (!err || !p->local_lost)
		log_error("control-socket-removed", "path=%s effect=\"%s\" error=\"%s\"", path,
		          err ? "commands cannot connect" : "created again",
		          err ? strerror(-err) : "");
	p->local_lost = err != 0;
	if (err)
		return;
	stop_server(p, p->local);
	p->local = server;
}

/* Show what this process is, where it is time or @p is_other document. Under the lock. */
static void say_state(struct mgmt_process *p, bool is_other)
{
	uint64_t now_ms = clock_mono_ms();

	if (!is_other && now_ms - p->said_ms < SAY_MS)
		return;
	p->said_ms = now_ms;
	set_mgmt_gauges(p);
	own_conditions_state(&p->core);
}

/* Look at what others may have changed: sockets, addresses, certificates. It may wait for a disk. */
static void look_around(struct mgmt_process *p, uint64_t document)
{
	uint64_t now_ms = clock_mono_ms();

	if (document == p->document && now_ms - p->looked_ms < LOOK_MS)
		return;
	p->looked_ms = now_ms;
	p->document = document;
	keep_local(p);
	follow_api(p);
	follow_peer_addresses(p);
}

/* Put in force what is due by records of versions. Under the lock. */
static void follow_versions(struct mgmt_process *p)
{
	p->clock.now_ms = (int64_t)clock_mono_ms();
	intent_run_deadline(p->core.intent, &p->clock, clock_believed_ms());
	shared_run_step(&p->core, &p->clock);
}

/* Have it on record when another version comes into force: by whomever, and by itself. */
static void note_version(struct mgmt_process *p, const struct version *head)
{
	struct audit_line line = { .kind = AUDIT_IN_FORCE, .who = "weir" };

	p->in_force = *head;
	snprintf(line.result, sizeof(line.result), "version %" PRIu64, head->number);
	snprintf(line.author, sizeof(line.author), "%s", head->author);
	snprintf(line.reason, sizeof(line.reason), "%s", head->reason);
	audit_log_write(p->core.audit, &line);
}

/*
 * All that time brings about happens here. The clock comes first, since everything after it goes
 * by the believed time; what may wait (listening, certificates) comes last, without the lock.
 */
static void on_mgmt_tick(void *arg)
{
	struct mgmt_process *p = arg;

	core_lock(&p->core);
	timekeep_tick(&p->core);
	intent_purge_by(p->core.intent, timekeep_purge_ms(&p->core));
	int64_t now_ms = clock_believed_ms();
	uint64_t was = intent_document(p->core.intent);
	int64_t wait_ms = intent_tick(p->core.intent, now_ms) - now_ms;
	follow_versions(p);
	uint64_t document = intent_document(p->core.intent);
	if (document != was) {
		inforce_judge(&p->core); /* a rollback is a version, too */
		core_changed(&p->core);
	}
	say_state(p, document != p->document);
	const struct version *head = intent_head(p->core.intent);
	struct version in_force = { .number = 0 };
	if (head && !version_is_same(head, &p->in_force))
		in_force = *head;
	core_unlock(&p->core);
	if (in_force.number)
		note_version(p, &in_force);
	log_tick();
	look_around(p, document);
	if (wait_ms < TICK_LEAST_MS)
		wait_ms = TICK_LEAST_MS;
	loop_timer_set(p->loop, &p->tick,
	               loop_now_ms(p->loop) +
	                       (uint64_t)(wait_ms > (int64_t)TICK_MS ? TICK_MS : wait_ms));
}

/* {"do":"status"}: the same as GET /v1/status, for when HTTP is in doubt. */
static char *on_ctl_request(void *arg, const char *line, size_t length)
{
	struct mgmt_process *p = arg;
	json_t *request = json_read(line, length, JSON_REJECT_DUPLICATES, NULL), *answer;
	const char *what = json_get_text(request, "do");

	if (what && !strcmp(what, "status")) {
		const struct status_filter all = { 0 };

		answer = json_pack("{s:b, s:o}", "ok", 1, "status",
		                   handle_status_json(&p->core, &all));
	} else {
		answer = json_refusal("expected {\"do\":\"status\"}");
	}
	json_decref(request);
	return json_line(answer);
}

/* The log is opened before all that may be asked for, and closed behind it. */
static int open_audit(struct mgmt_process *p)
{
	struct core *core = &p->core;
	char dir[PATH_MAX];
	int err = proc_path(core->dirs.state, PROC_AUDIT_DIR, dir);

	if (err)
		return err;
	core->audit_heads = audit_heads_open(dir);
	core->audit =
	        audit_log_open(&(struct audit_log_options){ .dir = dir, .node = core->dirs.node });
	return audit_keeper_start(&p->audit, core->audit, core->audit_heads);
}

/*
 * The order matters: the clock before the intent, which is opened by it; threads last, since they
 * use all of it.
 */
static int open_core(struct mgmt_process *p)
{
	struct core *core = &p->core;
	struct intent_options options = { .conf_dir = core->dirs.conf,
		                          .state_dir = core->dirs.state,
		                          .run_dir = core->dirs.run,
		                          .node = core->dirs.node };
	pthread_condattr_t attributes;
	int err = stats_create(core->dirs.run, "mgmt", STATS_MAX, &core->stats);

	if (err)
		return err;
	stats_job_begin(core->stats, "start", START_S);
	pthread_mutex_init(&core->lock, NULL);
	pthread_mutex_init(&core->candidate_lock, NULL);
	pthread_mutex_init(&core->compare_lock, NULL);
	pthread_mutex_init(&core->bells.lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&core->changed, &attributes);
	core->started_ms = core->use.moving_ms = clock_mono_ms();
	err = timekeep_open(core);
	if (err)
		return err;
	options.purge_ms = timekeep_purge_ms(core);
	options.shares = store_conf_is_there(core->dirs.conf);
	err = intent_open(&options, clock_believed_ms(), &core->intent);
	pending_clock_read(&p->clock);
	if (!err)
		err = member_writes_open(core);
	if (!err) {
		core->externals = externals_new(core->dirs.node);
		err = core->externals ? 0 : -ENOMEM;
	}
	if (!err) /* the store's lock says that no other process writes here */
		err = open_audit(p);
	if (!err) /* before operations are read from what it had */
		intent_run_deadline(core->intent, &p->clock, clock_believed_ms());
	if (!err)
		observer_open(core); /* before any thread looks at it */
	if (!err)
		err = shared_run_start(core); /* first, as the others look whether it runs */
	if (!err)
		err = observer_start(core);
	if (!err)
		err = exchange_start(core);
	if (!err)
		err = state_fetch_start(core);
	if (!err)
		err = announce_questions_start(core);
	if (!err)
		err = operations_start(core);
	return err;
}

/*
 * The control socket belongs to this loop and not to the HTTP servers: it answers when those are
 * in doubt.
 */
static int open_mgmt_loop(struct mgmt_process *p)
{
	char path[PATH_MAX];
	int err = loop_open(&p->loop);

	p->tick = (struct loop_timer){ .cb = on_mgmt_tick, .arg = p };
	if (!err)
		err = loop_signal_end(p->loop, NULL, NULL);
	if (!err)
		err = proc_path(p->core.dirs.run, "mgmt.ctl", path);
	if (!err)
		err = ctl_serve(p->loop, path, "weir", on_ctl_request, p, &p->ctl);
	if (err == -EADDRINUSE)
		log_error(
		        "control-not-opened",
		        "path=%s reason=\"another process listens there, or the file is not a socket\" "
		        "do=\"find the process (ss -xlp, ls -l) and stop it, or remove the file\"",
		        path);
	if (!err)
		err = loop_timer_set(p->loop, &p->tick, 0);
	return err;
}

int mgmt_process_open(struct mgmt_process *p)
{
	/* signals are blocked before threads start, so that the loop alone gets them */
	int err = open_mgmt_loop(p);

	if (!err)
		err = open_core(p);
	if (!err)
		err = member_expiry_start(&p->core, &p->expiry);
	return err ? err : listen_local(&p->core, &p->local);
}

int mgmt_process_run(struct mgmt_process *p)
{
	core_lock(&p->core);
	loop_beat(p->loop, stats_turns(p->core.stats, "main"));
	stats_job_end(p->core.stats, "start");
	core_unlock(&p->core);
	proc_ready();
	log_note("started", "node=%s", p->core.dirs.node);
	return loop_run(p->loop);
}

void mgmt_process_close(struct mgmt_process *p)
{
	if (p->core.intent) {
		core_lock(&p->core);
		p->core.stopping = true;
		core_changed(&p->core);
		core_unlock(&p->core);
	}
	shared_run_interrupt(&p->core); /* requests may wait for the store */
	http_stop(p->tcp);
	http_stop(p->local);
	member_expiry_stop(p->expiry);
	operations_stop(&p->core);
	announce_questions_stop(&p->core);
	state_fetch_stop(&p->core);
	exchange_stop(&p->core);
	shared_run_stop(&p->core);
	observer_stop(&p->core);
	ctl_close(p->ctl);
	audit_keeper_stop(&p->audit, p->core.audit);
	audit_heads_free(p->core.audit_heads);
	timekeep_close(&p->core);
	member_writes_close(&p->core);
	externals_free(p->core.externals);
	intent_close(p->core.intent);
	stats_close(p->core.stats);
	loop_close(p->loop);
}
