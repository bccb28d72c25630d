/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One small function a rule, in the table's order, adds a reason for each subject that the rule
 * applies to; the state is the worst of all reasons. What a process states itself (its conditions)
 * outranks what is concluded here from its counters: a subject is not blamed twice.
 */
#include "mgmt/judge/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "weir/life.h"

const char *judge_state_text(int state)
{
	static const char *const texts[] = { "well", "degraded", "down" };

	return texts[state];
}

static struct judge_reason make_reason(enum rule_id rule, const char *code, const char *subject)
{
	struct judge_reason r = { .rule = rule,
		                  .state = rule_rows[rule].level == RULE_DOWN ? JUDGE_DOWN
		                                                              : JUDGE_DEGRADED };

	snprintf(r.code, sizeof(r.code), "%s", code);
	snprintf(r.subject, sizeof(r.subject), "%.*s", (int)sizeof(r.subject) - 1, subject);
	return r;
}

/* Two rules stand for all that processes state: there, each code is a kind of its own. */
static bool is_alike(const struct judge_reason *a, const struct judge_reason *b)
{
	return a->rule == b->rule && !strcmp(a->code, b->code);
}

/*
 * Make room for one more reason like @p like in a list that is full, where one problem that many things have must not hide
 * the others: the kind with the most reasons gives up its last one, if it has more than @p like's kind would have. The others
 * keep their order. In any case one reason is left out. @return whether there is room
 */
static bool make_room(struct judge_reason *list, size_t *n, const struct judge_reason *like)
{
	struct {
		size_t n, last;
	} kinds[JUDGE_REASONS_MAX] = { { 0, 0 } };
	size_t n_kinds = 0, most = 0, n_like = 0;

	for (size_t i = 0; i < *n; i++) {
		size_t k = 0;

		while (k < n_kinds && !is_alike(&list[kinds[k].last], &list[i]))
			k++;
		n_kinds += k == n_kinds;
		kinds[k].n++;
		kinds[k].last = i;
		n_like += is_alike(&list[i], like);
	}
	for (size_t k = 1; k < n_kinds; k++)
		if (kinds[k].n > kinds[most].n)
			most = k;
	if (kinds[most].n <= n_like + 1)
		return false;
	--*n;
	memmove(&list[kinds[most].last], &list[kinds[most].last + 1],
	        (*n - kinds[most].last) * sizeof(list[0]));
	return true;
}

/* Add a reason; the state counts in any case. @return NULL: it is left out */
static struct judge_reason *new_reason(struct judge_verdict *v, enum rule_id rule, const char *code,
                                       const char *subject)
{
	const struct judge_reason r = make_reason(rule, code, subject);

	if (r.state > v->state)
		v->state = r.state;
	if (v->n_reasons == JUDGE_REASONS_MAX) {
		v->n_left_out++;
		if (!make_room(v->reasons, &v->n_reasons, &r))
			return NULL;
	}
	v->reasons[v->n_reasons] = r;
	return &v->reasons[v->n_reasons++];
}

/* A sentence that is not at its end goes on with the cure of its rule. */
static void add_cure(struct judge_reason *r)
{
	const char *cure = rule_rows[r->rule].cure, *name = strstr(cure, "NAME");
	size_t n = strlen(r->text), before = name ? (size_t)(name - cure) : strlen(cure);
	bool opened = r->text[n - 1] == '(';

	if (opened || r->text[n - 1] == ' ')
		snprintf(r->text + n, sizeof(r->text) - n, "%.*s%s%s%s", (int)before, cure,
		         name ? r->subject : "", name ? name + strlen("NAME") : "",
		         opened ? ")" : "");
}

__attribute__((format(printf, 4, 5))) static void
add_reason(struct judge_verdict *v, enum rule_id rule, const char *subject, const char *format, ...)
{
	struct judge_reason *r = new_reason(v, rule, rule_rows[rule].name, subject);
	va_list list;

	if (!r)
		return;
	va_start(list, format);
	vsnprintf(r->text, sizeof(r->text), format, list);
	va_end(list);
	add_cure(r);
}

static const struct judge_process *find_process(const struct judge_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_processes; i++)
		if (!strcmp(f->processes[i].name, name))
			return &f->processes[i];
	return NULL;
}

static bool is_process_silent(const struct judge_facts *f, const char *name)
{
	const struct judge_process *p = find_process(f, name);

	return p && !p->running;
}

static bool is_running(const struct judge_facts *f, const char *name)
{
	const struct judge_process *p = find_process(f, name);

	return p && p->running;
}

/* Whether a running process states a condition that begins with @p code. */
static bool is_stated(const struct judge_process *p, const char *code)
{
	for (uint32_t i = 0; p->running && p->conditions && i < p->conditions->n; i++)
		if (!strncmp(p->conditions->items[i].code, code, strlen(code)))
			return true;
	return false;
}

static void judge_forwarding(const struct judge_facts *f, struct judge_verdict *v)
{
	const struct judge_process *p = find_process(f, "dataplane");

	if (!p || p->running)
		return;
	if (p->present && f->dpdk && !f->workers_forward)
		add_reason(v, JUDGE_RULE_FORWARDING_STOPPED, "weir-dataplane",
		           "weir-dataplane has stopped: with DPDK nothing is forwarded; ");
	else if (!f->dpdk && f->no_program && (p->present || !f->starts))
		add_reason(v, JUDGE_RULE_FORWARDING_STOPPED, "weir-dataplane",
		           "weir-dataplane has %s: nothing is forwarded; ",
		           p->present ? "stopped, and no port has its program any more"
		                      : "not run here yet, and no port has its program");
}

static void judge_no_port(const struct judge_facts *f, struct judge_verdict *v)
{
	const struct judge_process *p = find_process(f, "dataplane");

	if (p && p->running && f->ports_known && f->n_ports_meant && f->n_ports == 0 &&
	    !is_stated(p, "port-"))
		add_reason(v, JUDGE_RULE_NO_PORT, "weir-dataplane",
		           "none of the %zu ports carries the program: nothing is forwarded; ",
		           f->n_ports_meant);
}

static void judge_answering(const struct judge_facts *f, struct judge_verdict *v)
{
	if (is_process_silent(f, "dns") && f->answers && f->n_ports_meant == 0)
		add_reason(v, JUDGE_RULE_ANSWERING_STOPPED, "weir-dns",
		           "weir-dns has stopped: no DNS query is answered; ");
}

/* The i-th process that may state conditions, the supervisor last. NULL: there are no more */
static const struct judge_process *stating_process(const struct judge_facts *f, size_t i)
{
	if (i < f->n_processes)
		return &f->processes[i];
	return i == f->n_processes ? &f->supervisor : NULL;
}

#define OF_THE_CLOCK "clock-" /* how the codes of its conditions begin */

static bool outweighs_condition(const struct condition *other, const struct condition *c,
                                bool is_later)
{
	return !strcmp(other->code, c->code) &&
	       (other->level > c->level || (other->level == c->level && is_later));
}

/*
 * weir-dns and weir-mgmt both follow the node's clock, and both state conditions about it. Of one
 * problem only one statement counts: the one of the higher level, and of equal ones that of the
 * later process, weir-mgmt, which has the figures. @return whether that is another than @p c of @p of
 */
static bool is_said_twice(const struct judge_facts *f, const struct judge_process *of,
                          const struct condition *c)
{
	if (strncmp(c->code, OF_THE_CLOCK, strlen(OF_THE_CLOCK)) != 0)
		return false;
	for (size_t i = 0; i < f->n_processes; i++) {
		const struct judge_process *p = &f->processes[i];

		for (uint32_t k = 0; p != of && p->running && p->conditions && k < p->conditions->n;
		     k++)
			if (outweighs_condition(&p->conditions->items[k], c, p > of))
				return true;
	}
	return false;
}

/* What a process says of itself, in its words. */
static void write_stated(struct judge_reason *r, const struct condition *c)
{
	snprintf(r->text, sizeof(r->text), "%s%s%s", c->subject, *c->subject ? ": " : "", c->text);
	r->since_ms = c->since_ms;
}

/* The conditions of one level that running processes state; those of a dead process are history. */
static void judge_stated(const struct judge_facts *f, struct judge_verdict *v,
                         enum condition_level level)
{
	enum rule_id rule =
	        level == CONDITION_DOWN ? JUDGE_RULE_STATED_DOWN : JUDGE_RULE_STATED_DEGRADED;
	const struct judge_process *p;

	for (size_t i = 0; (p = stating_process(f, i)); i++) {
		for (uint32_t k = 0; p->running && p->conditions && k < p->conditions->n; k++) {
			const struct condition *c = &p->conditions->items[k];
			struct judge_reason *r = c->level == level && !is_said_twice(f, p, c)
			                                 ? new_reason(v, rule, c->code, c->subject)
			                                 : NULL;

			if (!r)
				continue;
			write_stated(r, c);
			if (!*c->subject)
				snprintf(r->text, sizeof(r->text), "weir-%s: %s", p->name, c->text);
		}
	}
}

static void judge_stated_down(const struct judge_facts *f, struct judge_verdict *v)
{
	judge_stated(f, v, CONDITION_DOWN);
}

static void judge_stated_degraded(const struct judge_facts *f, struct judge_verdict *v)
{
	judge_stated(f, v, CONDITION_DEGRADED);
}

static void judge_pool_nothing(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->in_force && p->n_backends && !p->n_serving && !p->n_backup_serving)
		add_reason(v, JUDGE_RULE_POOL_FORWARDS_NOTHING, p->name,
		           "pool %s forwards nothing: none of its %zu backends takes "
		           "packets%s; ",
		           p->name, p->n_backends,
		           p->n_meant ? "" : " (overrides take all of them out)");
}

/* Whether all backends are down and no backup takes the packets. */
static bool is_pool_down(const struct judge_pool *p)
{
	return p->health_fresh && p->n_backends && p->down.n == p->n_backends &&
	       !(p->in_force && p->n_backup_serving);
}

static void judge_pool_down(const struct judge_pool *p, struct judge_verdict *v)
{
	if (is_pool_down(p))
		add_reason(v, JUDGE_RULE_POOL_ALL_DOWN, p->name,
		           "all backends of pool %s are down: ", p->name);
}

static bool is_supervisor_gone(const struct judge_facts *f)
{
	return f->supervisor.present && !f->supervisor.running;
}

/*
 * "Hangs", "dead", "stopped" and "never started" need different actions, so each has its own sentence. Without weir run
 * nothing starts it again, and its log says nothing of that.
 */
static void judge_one_silent(const struct judge_facts *f, const struct judge_process *p,
                             struct judge_verdict *v)
{
	char subject[CONDITION_SUBJECT_MAX];

	if (p->running)
		return;
	snprintf(subject, sizeof(subject), "weir-%s", p->name);
	if (p->present && is_supervisor_gone(f))
		add_reason(v, JUDGE_RULE_PROCESS_SILENT, subject,
		           "%s has stopped, or hangs, and so does weir run, which restarts it: "
		           "start weir run (systemctl start weir)",
		           subject);
	else if (p->present && p->age_ms > life_limits[LIFE_FOR_STATUS].hung_ms)
		add_reason(v, JUDGE_RULE_PROCESS_SILENT, subject,
		           "%s has shown no sign of life for %.1f s: ", subject,
		           (double)p->age_ms / 1000);
	else if (p->present)
		add_reason(v, JUDGE_RULE_PROCESS_SILENT, subject,
		           "%s is dead, or does not answer: ", subject);
	else
		add_reason(v, JUDGE_RULE_PROCESS_SILENT, subject,
		           "%s has not run here yet: start weir run", subject);
}

static void judge_silent(const struct judge_facts *f, struct judge_verdict *v)
{
	for (size_t i = 0; i < f->n_processes; i++)
		judge_one_silent(f, &f->processes[i], v);
}

static void judge_supervisor(const struct judge_facts *f, struct judge_verdict *v)
{
	if (is_supervisor_gone(f))
		add_reason(v, JUDGE_RULE_SUPERVISOR_SILENT, "weir run",
		           "weir run is dead or hangs: failed processes are not restarted; ");
}

static void judge_refused(const struct judge_process *p, struct judge_verdict *v)
{
	char subject[CONDITION_SUBJECT_MAX];

	snprintf(subject, sizeof(subject), "weir-%s", p->name);
	if (p->running && p->refused && !is_stated(p, "document-refused"))
		add_reason(v, JUDGE_RULE_DOCUMENT_REFUSED, subject,
		           "%s has refused the newest document; ", subject);
}

static void judge_pending(const struct judge_facts *f, struct judge_verdict *v)
{
	for (size_t i = 0; i < f->n_processes; i++) {
		const struct judge_process *p = &f->processes[i];
		char subject[CONDITION_SUBJECT_MAX];

		if (!p->running || p->refused || is_stated(p, "document-refused") ||
		    p->document >= f->document || p->pending_ms < JUDGE_PENDING_MS)
			continue;
		snprintf(subject, sizeof(subject), "weir-%s", p->name);
		if (p->document)
			add_reason(v, JUDGE_RULE_DOCUMENT_PENDING, subject,
			           "%s has not taken document %" PRIu64 " yet (it has %" PRIu64
			           "): ",
			           subject, f->document, p->document);
		else
			add_reason(
			        v, JUDGE_RULE_DOCUMENT_PENDING, subject,
			        "%s has taken no document yet, or does not say which (the newest "
			        "is %" PRIu64 "): ",
			        subject, f->document);
	}
}

/* Notes that do not fit are no trouble: only left-out conditions of a level that counts are. */
static void judge_unread(const struct judge_process *p, struct judge_verdict *v)
{
	uint64_t n_more = p->conditions ? p->conditions->n_left_out : 0;

	if (!p->running)
		return;
	if (p->conditions_unread)
		add_reason(
		        v, JUDGE_RULE_CONDITIONS_UNREAD, p->name,
		        "the conditions of weir-%s cannot be read, so its problems are unknown: ",
		        p->name);
	if (n_more && p->conditions->worst >= CONDITION_DEGRADED)
		add_reason(v, JUDGE_RULE_CONDITIONS_UNREAD, p->name,
		           "weir-%s states %" PRIu64
		           " more conditions than can be shown: clear those that are shown first",
		           p->name, n_more);
}

static void judge_ports(const struct judge_facts *f, struct judge_verdict *v)
{
	const struct judge_process *p = find_process(f, "dataplane");

	if (p && p->running && f->ports_known && f->n_ports && f->n_ports < f->n_ports_meant &&
	    !is_stated(p, "port-"))
		add_reason(v, JUDGE_RULE_PORTS_MISSING, "weir-dataplane",
		           "weir-dataplane has its program on %zu of %zu ports; ", f->n_ports,
		           f->n_ports_meant);
}

/* Only if something is meant to be in force. */
static void judge_effect(const struct judge_facts *f, struct judge_verdict *v)
{
	const struct judge_process *p = find_process(f, "dataplane");

	if (p && p->running && f->n_pools && !f->effect_fresh && (p->document || f->document))
		add_reason(
		        v, JUDGE_RULE_EFFECT_UNKNOWN, "weir-dataplane", "%s",
		        p->document
		                ? "the tables of weir-dataplane cannot be read: "
		                : "weir-dataplane has not taken a document yet, so what is in force is not known");
}

static void judge_connections(const struct judge_facts *f, struct judge_verdict *v)
{
	if (f->waits_for_connections && is_running(f, "dataplane"))
		add_reason(v, JUDGE_RULE_CONNECTIONS_PENDING, "weir-dataplane",
		           "weir-dataplane waits for a peer's connection state: ");
}

static void judge_configuration(const struct judge_facts *f, struct judge_verdict *v)
{
	if (f->has_intent && !f->has_configuration)
		add_reason(v, JUDGE_RULE_NO_CONFIGURATION, "", "there is no configuration: ");
}

static void judge_store(const struct judge_facts *f, struct judge_verdict *v)
{
	if (f->store_reason && *f->store_reason)
		add_reason(v, JUDGE_RULE_STORE_FAILING, "", "the store fails: %s; ",
		           f->store_reason);
}

static void judge_written(const struct judge_facts *f, struct judge_verdict *v)
{
	if (f->unwritten_reason && *f->unwritten_reason)
		add_reason(v, JUDGE_RULE_DOCUMENT_UNWRITTEN, "",
		           "the effective document cannot be written (%s), so changes do not reach "
		           "the processes: ",
		           f->unwritten_reason);
}

static void judge_unconfirmed(const struct judge_facts *f, struct judge_verdict *v)
{
	const char *more =
	        f->unconfirmed_waits && *f->unconfirmed_waits ? f->unconfirmed_waits : "";

	const char *at = f->unconfirmed_at ? f->unconfirmed_at : "";

	if (f->unconfirmed)
		add_reason(v, JUDGE_RULE_VERSION_UNCONFIRMED, "",
		           "version %" PRIu64 " is %s%s%snot confirmed%s%s: ", f->unconfirmed,
		           *at ? "tried at " : "", at, *at ? " and " : "", *more ? "; " : "", more);
}

/* Whether a condition of the next hop is stated about @p subject. */
static bool is_blamed(const struct judge_verdict *v, const char *subject)
{
	for (size_t i = 0; i < v->n_reasons; i++)
		if (!strncmp(v->reasons[i].code, "next-hop", 8) &&
		    !strcmp(v->reasons[i].subject, subject))
			return true;
	return false;
}

/* Few backends are named one by one, many are counted. */
static void add_named(struct judge_verdict *v, enum rule_id rule, const struct judge_pool *p,
                      const struct judge_names *names, const char *what)
{
	char subject[CONDITION_SUBJECT_MAX];

	if (names->n > JUDGE_NAMED_MAX) {
		add_reason(v, rule, p->name, "%zu of %zu backends of pool %s %s", names->n,
		           p->n_backends, p->name, what);
		return;
	}
	for (size_t i = 0; i < names->n; i++) {
		snprintf(subject, sizeof(subject), "%.64s/%.64s", p->name, names->first[i]);
		if (rule == JUDGE_RULE_BACKEND_DOWN || !is_blamed(v, subject))
			add_reason(v, rule, subject, "backend %s %s", subject, what);
	}
}

static void judge_next_hops(const struct judge_pool *p, struct judge_verdict *v)
{
	bool one = p->no_next_hop.n <= JUDGE_NAMED_MAX;

	if (p->in_force)
		add_named(v, JUDGE_RULE_BACKEND_NO_NEXT_HOP, p, &p->no_next_hop,
		          one ? "has no next hop: packets of its slots are dropped ("
		              : "have no next hop: packets of their slots are dropped (");
}

static void judge_slots(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->in_force && p->n_empty && (p->n_serving || p->n_backup_serving))
		add_reason(v, JUDGE_RULE_SLOTS_EMPTY, p->name,
		           "%" PRIu32 " of %" PRIu32
		           " slots of pool %s have no owner: their packets are dropped (",
		           p->n_empty, p->n_slots, p->name);
}

static void judge_backends(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->health_fresh && !is_pool_down(p))
		add_named(v, JUDGE_RULE_BACKEND_DOWN, p, &p->down,
		          p->down.n > JUDGE_NAMED_MAX ? "are down: " : "is down: ");
}

/* The tables follow a verdict within milliseconds; `weir why` shows what a longer gap is for. */
static void judge_out(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->in_force)
		add_named(v, JUDGE_RULE_BACKEND_OUT, p, &p->out,
		          "should serve, but gets no traffic: ");
}

static void judge_checks(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->health_fresh && p->checked && p->silent.n)
		add_reason(v, JUDGE_RULE_CHECKS_SILENT, p->name,
		           "%zu of %zu backends of pool %s have no verdict of their check: ",
		           p->silent.n, p->n_backends, p->name);
}

static void judge_inconclusive(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->health_fresh && p->checked && p->n_backends && p->inconclusive.n == p->n_backends)
		add_reason(v, JUDGE_RULE_CHECKS_INCONCLUSIVE, p->name,
		           "all checks of pool %s are inconclusive, their verdicts are "
		           "old: the checker is late, or its probes cannot leave, or its "
		           "control targets do not answer; ",
		           p->name);
}

static void judge_drained(const struct judge_pool *p, struct judge_verdict *v)
{
	if (p->n_backends && !p->n_meant && p->n_drained)
		add_reason(v, JUDGE_RULE_POOL_ALL_DRAINED, p->name,
		           "all backends of pool %s are drained by overrides: they keep "
		           "serving with equal weights, since no other is left",
		           p->name);
}

static void judge_sites(const struct judge_facts *f, struct judge_verdict *v)
{
	for (size_t i = 0; i < f->n_sites; i++)
		if (f->sites[i].down)
			add_reason(v, JUDGE_RULE_SITE_DOWN, f->sites[i].name,
			           "site %s is down as seen from here: ", f->sites[i].name);
}

static void judge_drains(const struct judge_facts *f, struct judge_verdict *v)
{
	for (size_t i = 0; i < f->n_sites; i++)
		if (f->sites[i].drain_held)
			add_reason(v, JUDGE_RULE_DRAIN_HELD, f->sites[i].name,
			           "the drain of site %s has expired and is held: the site is not "
			           "up as seen from outside; ",
			           f->sites[i].name);
}

static void judge_token(const struct judge_facts *f, struct judge_verdict *v)
{
	if (f->has_peers && !f->has_token)
		add_reason(v, JUDGE_RULE_PEER_TOKEN_MISSING, "peer.token",
		           "there is no usable peer.token in the configuration directory: nothing "
		           "is exchanged with other nodes; ");
}

static const struct {
	enum judge_peer_state state;
	enum rule_id rule;
	const char *what;
} peer_rows[] = {
	{ JUDGE_PEER_REFUSED, JUDGE_RULE_PEER_TOKEN_REFUSED, "refuses our peer.token: " },
	{ JUDGE_PEER_NEVER, JUDGE_RULE_PEER_NEVER_HEARD,
	  "has never answered since weir-mgmt started" },
	{ JUDGE_PEER_UNREACHABLE, JUDGE_RULE_PEER_UNREACHABLE, "is unreachable" },
	{ JUDGE_PEER_BEHIND, JUDGE_RULE_PEER_BEHIND,
	  "is behind: it does not take this node's version or overrides; " },
	{ JUDGE_PEER_DIFFERS, JUDGE_RULE_PEER_DIFFERS,
	  "runs another configuration than this node, and no store decides for both: " },
};

static void judge_peer(const struct judge_peer *p, struct judge_verdict *v, size_t row)
{
	const char *what = peer_rows[row].what;
	bool has_cure = what[strlen(what) - 1] == ' ';

	if (p->state == peer_rows[row].state &&
	    (p->state != JUDGE_PEER_BEHIND || p->behind_ms >= JUDGE_BEHIND_MS))
		add_reason(v, peer_rows[row].rule, p->node, "node %s %s%s%s%s", p->node, what,
		           has_cure ? rule_rows[peer_rows[row].rule].cure : "",
		           *p->detail ? ": " : "", p->detail);
}

/* All rules of peers: they stand together in the table, in this order. */
static void judge_peers(const struct judge_facts *f, struct judge_verdict *v)
{
	for (size_t row = 0; row < sizeof(peer_rows) / sizeof(peer_rows[0]); row++)
		for (size_t i = 0; i < f->n_peers && f->has_token; i++)
			judge_peer(&f->peers[i], v, row);
}

/* How a rule finds its reasons: in one look, or pool by pool, or process by process. */
static const struct {
	void (*whole)(const struct judge_facts *, struct judge_verdict *);
	void (*pool)(const struct judge_pool *, struct judge_verdict *);
	void (*process)(const struct judge_process *, struct judge_verdict *);
} find_reasons[RULE_COUNT] = {
	[JUDGE_RULE_FORWARDING_STOPPED] = { .whole = judge_forwarding },
	[JUDGE_RULE_NO_PORT] = { .whole = judge_no_port },
	[JUDGE_RULE_ANSWERING_STOPPED] = { .whole = judge_answering },
	[JUDGE_RULE_STATED_DOWN] = { .whole = judge_stated_down },
	[JUDGE_RULE_POOL_FORWARDS_NOTHING] = { .pool = judge_pool_nothing },
	[JUDGE_RULE_POOL_ALL_DOWN] = { .pool = judge_pool_down },
	[JUDGE_RULE_PROCESS_SILENT] = { .whole = judge_silent },
	[JUDGE_RULE_SUPERVISOR_SILENT] = { .whole = judge_supervisor },
	[JUDGE_RULE_DOCUMENT_REFUSED] = { .process = judge_refused },
	[JUDGE_RULE_DOCUMENT_PENDING] = { .whole = judge_pending },
	[JUDGE_RULE_STATED_DEGRADED] = { .whole = judge_stated_degraded },
	[JUDGE_RULE_CONDITIONS_UNREAD] = { .process = judge_unread },
	[JUDGE_RULE_PORTS_MISSING] = { .whole = judge_ports },
	[JUDGE_RULE_EFFECT_UNKNOWN] = { .whole = judge_effect },
	[JUDGE_RULE_CONNECTIONS_PENDING] = { .whole = judge_connections },
	[JUDGE_RULE_NO_CONFIGURATION] = { .whole = judge_configuration },
	[JUDGE_RULE_STORE_FAILING] = { .whole = judge_store },
	[JUDGE_RULE_DOCUMENT_UNWRITTEN] = { .whole = judge_written },
	[JUDGE_RULE_VERSION_UNCONFIRMED] = { .whole = judge_unconfirmed },
	[JUDGE_RULE_BACKEND_NO_NEXT_HOP] = { .pool = judge_next_hops },
	[JUDGE_RULE_SLOTS_EMPTY] = { .pool = judge_slots },
	[JUDGE_RULE_BACKEND_DOWN] = { .pool = judge_backends },
	[JUDGE_RULE_BACKEND_OUT] = { .pool = judge_out },
	[JUDGE_RULE_CHECKS_SILENT] = { .pool = judge_checks },
	[JUDGE_RULE_CHECKS_INCONCLUSIVE] = { .pool = judge_inconclusive },
	[JUDGE_RULE_POOL_ALL_DRAINED] = { .pool = judge_drained },
	[JUDGE_RULE_SITE_DOWN] = { .whole = judge_sites },
	[JUDGE_RULE_DRAIN_HELD] = { .whole = judge_drains },
	[JUDGE_RULE_PEER_TOKEN_MISSING] = { .whole = judge_token },
	[JUDGE_RULE_PEER_TOKEN_REFUSED] = { .whole =
	                                            judge_peers }, /* and the rules of peers after it */
};

static void add_note(struct judge_verdict *v, const struct condition *c)
{
	struct judge_reason r = make_reason(JUDGE_RULE_STATED_DEGRADED, c->code, c->subject);

	if (v->n_notes == JUDGE_NOTES_MAX) {
		v->n_notes_left_out++;
		if (!make_room(v->notes, &v->n_notes, &r))
			return;
	}
	r.state = JUDGE_WELL;
	write_stated(&r, c);
	v->notes[v->n_notes++] = r;
}

/* Notes are worth knowing and do not change the state. */
static void add_notes(const struct judge_facts *f, struct judge_verdict *v)
{
	const struct judge_process *p;

	for (size_t i = 0; (p = stating_process(f, i)); i++)
		for (uint32_t k = 0; p->running && p->conditions && k < p->conditions->n; k++) {
			const struct condition *c = &p->conditions->items[k];

			if (c->level == CONDITION_NOTE && !is_said_twice(f, p, c))
				add_note(v, c);
		}
}

void judge(const struct judge_facts *facts, struct judge_verdict *out)
{
	*out = (struct judge_verdict){ .state = JUDGE_WELL };
	for (int rule = 0; rule < RULE_COUNT; rule++) {
		if (find_reasons[rule].whole)
			find_reasons[rule].whole(facts, out);
		for (size_t i = 0; find_reasons[rule].pool && i < facts->n_pools; i++)
			find_reasons[rule].pool(&facts->pools[i], out);
		for (size_t i = 0; find_reasons[rule].process && i < facts->n_processes; i++)
			find_reasons[rule].process(&facts->processes[i], out);
	}
	add_notes(facts, out);
}
