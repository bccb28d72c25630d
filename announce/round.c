/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A round, ten times a second and whenever something is new: the proof is read once, then each
 * address is decided and moved by itself. A round never waits: pages are memory, and the kernel
 * answers route messages within the call.
 *
 * The end of a DPDK dataplane is seen by a descriptor of its process: with it the driver is gone,
 * which is the node's own cause. The end of an XDP dataplane says nothing, because packets go on.
 */
#include "announce/process.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "weir/model.h"
#include "weir/stats.h"

#define KERNEL_READ_MS 1000u /* ms between two looks at the kernel's routes */

static void on_dataplane_end(void *arg, int fd, uint32_t events)
{
	struct announcer *a = arg;

	(void)events;
	loop_fd_remove(a->loop, fd);
	close(fd);
	a->dataplane_fd = -1;
	a->dataplane_dead = true;
	log_warn("dataplane-ended", "pid=%llu driver=dpdk effect=\"its routes are withdrawn\"",
	         (unsigned long long)a->dataplane_pid);
	round_run(a, clock_mono_ms());
}

static void stop_watching(struct announcer *a)
{
	if (a->dataplane_fd >= 0) {
		loop_fd_remove(a->loop, a->dataplane_fd);
		close(a->dataplane_fd);
	}
	a->dataplane_fd = -1;
	a->dataplane_pid = 0;
	a->dataplane_dead = false;
}

/* Watch the process that drives DPDK; of another driver, none. */
static void watch_dataplane(struct announcer *a, const struct proof_node *n)
{
	bool is_dpdk = strcmp(n->driver, "dpdk") == 0;
	int fd;

	if (is_dpdk && n->writer_pid == a->dataplane_pid)
		return;
	stop_watching(a);
	if (!is_dpdk || !n->writer_pid)
		return;
	a->dataplane_pid = n->writer_pid;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)n->writer_pid, 0);
	if (fd < 0) {
		a->dataplane_dead = errno == ESRCH;
		return;
	}
	if (loop_fd_add(a->loop, fd, EPOLLIN, on_dataplane_end, a))
		close(fd);
	else
		a->dataplane_fd = fd;
}

/* Read the node's part of the proof. @return whether it is there */
static bool read_proof(struct announcer *a, uint64_t now_ms, struct proof_node *out)
{
	int err = 0;

	if (!a->proof)
		err = proof_open(a->run_dir, &a->proof);
	if (!err)
		err = proof_node(a->proof, now_ms, out);
	if (err == -ESTALE || err == -EPROTO) {
		proof_close(a->proof);
		a->proof = NULL;
	}
	return !err;
}

/* Whether packets to the kernel pass a DPDK driver, by all that is known. */
static bool drives_dpdk(const struct announcer *a, const struct proof_node *node)
{
	return a->dataplane_dead || a->dataplane_pid ||
	       a->model->self->driver == MODEL_DRIVER_DPDK ||
	       (node && !strcmp(node->driver, "dpdk"));
}

/* All that is known of one address now. */
static void gather_facts(struct announcer *a, struct announce_row *row,
                         const struct proof_node *node, enum announce_truth dns_answers,
                         uint64_t now_ms)
{
	const struct intended *it = &row->intended;
	struct announce_facts *f = &row->facts;
	struct proof_vip vip;

	*f = (struct announce_facts){
		.configured = true,
		.command = a->stopping ? ANNOUNCE_COMMAND_STOP : a->command,
		.others = others_announce(row, now_ms),
		.emptied = a->emptied_ms &&
		                           announce_elapsed_ms(now_ms, a->emptied_ms) <= COMMAND_SAID_MS
		                   ? ANNOUNCE_YES
		                   : ANNOUNCE_UNKNOWN,
		.read_ms = now_ms,
	};
	evidence_of_node(node, a->model->meta.document, a->dataplane_dead, f);
	if (it->vip)
		evidence_of_vip(node && !proof_vip(a->proof, it->vip, &it->address, now_ms, &vip)
		                        ? &vip
		                        : NULL,
		                node ? node->n_vips : 0, it->needs_all, now_ms, f);
	else
		evidence_of_dns(dns_answers, !drives_dpdk(a, node), f);
	row->exported = evidence_of_daemon(a->daemon ? daemon_facts(a->daemon) : NULL,
	                                   a->daemon ? daemon_route(a->daemon, &it->address) : NULL,
	                                   row->added_ms, evidence_daemon_old_ms(a->n_rows), now_ms,
	                                   &row->routes, f);
}

/*
 * Since when the daemon shows something else than is intended. While it answers, a question that is
 * under way changes nothing; a daemon that does not is a condition of its own.
 */
static void note_difference(const struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	enum announce_truth differs =
	        evidence_differs(row->decision.table, &row->routes, row->exported);
	bool answers = a->daemon && daemon_facts(a->daemon)->state == DAEMON_ANSWERS;

	if (differs == ANNOUNCE_NO || !answers)
		row->differs_ms = 0;
	else if (differs == ANNOUNCE_YES && !row->differs_ms)
		row->differs_ms = now_ms;
}

static void log_change(const struct announce_row *row)
{
	char text[ADDR_TEXT_MAX];

	log_note("announcement-changed", "vip=%s address=%s table=%s reason=%s fact=%s",
	         row->intended.vip ? row->intended.vip : "",
	         addr_text(&row->intended.address, text), announce_table_label(row->decision.table),
	         announce_reason_label(row->decision.reason),
	         announce_fact_label(row->decision.fact));
}

/*
 * Between two tables: both have the route, until the daemon shows the new one. A question that is
 * under way is left alone, or its answer would never count.
 */
static bool does_wait(const struct announcer *a, const struct announce_row *row)
{
	const struct daemon_route *r =
	        a->daemon ? daemon_route(a->daemon, &row->intended.address) : NULL;

	return r && !r->pending && row->decision.table != ANNOUNCE_NONE &&
	       row->routes.in_kernel[ANNOUNCE_NORMAL] && row->routes.in_kernel[ANNOUNCE_SHUTDOWN];
}

/* Decide one address, and move it. @return whether anything changed */
static bool decide_row(struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	struct announce_decision d = announce_decide(&row->state, &row->facts, now_ms);
	struct announce_moves moves = announce_next_moves(d.table, &row->routes);
	bool changed = !row->is_decided || d.table != row->decision.table ||
	               d.reason != row->decision.reason;

	row->decision = d;
	row->is_decided = true;
	if (d.query) {
		row->query_ms = now_ms;
		stats_add(a->counters.questions, 1);
	} else if (d.reason != ANNOUNCE_REASON_KEPT_UNCONFIRMED &&
	           d.reason != ANNOUNCE_REASON_DRAIN_UNCONFIRMED) {
		row->query_ms = 0;
	}
	if (changed) {
		row->since_ms = now_ms;
		stats_add(a->counters.changes, 1);
		log_change(row);
	}
	note_difference(a, row, now_ms);
	changed |= rows_move(a, row, &moves, now_ms) || d.query;
	if (does_wait(a, row))
		daemon_hurry(a->daemon, &row->intended.address);
	return changed;
}

bool round_run(struct announcer *a, uint64_t now_ms)
{
	struct proof_node node;
	bool is_proved, changed = false;
	enum announce_truth dns_answers;

	if (!a->model || !a->model->self)
		return false;
	if (now_ms - a->kernel_read_ms >= KERNEL_READ_MS && !rows_read_kernel(a, now_ms))
		rows_delete_strays(a);
	is_proved = read_proof(a, now_ms, &node);
	if (is_proved)
		watch_dataplane(a, &node);
	dns_answers = dns_life_read(a, now_ms);
	a->round_ms = now_ms;
	for (size_t i = 0; i < a->n_rows; i++) {
		gather_facts(a, &a->rows[i], is_proved ? &node : NULL, dns_answers, now_ms);
		changed |= decide_row(a, &a->rows[i], now_ms);
	}
	return changed;
}

void round_close(struct announcer *a)
{
	stop_watching(a);
	proof_close(a->proof);
	stats_reader_close(a->dns);
	daemon_close(a->daemon);
}
