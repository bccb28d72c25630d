/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The routes are deleted, not compared: whoever proves the VIPs adds them again, and a route too
 * few for a second costs less than a route too many. Where packets are still forwarded, the proof
 * page says first that this ends: weir-announce does not take the missing routes for an error
 * then.
 */
#include "dataplane/withdraw.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/choose.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/own_routes.h"

#define YIELD_US 20000u

/* Empty one table. @return whether it had a route, or that is not known */
static bool empty_table(struct own_routes *routes, uint32_t table, int *err)
{
	struct addr first;
	size_t n = 1; /* untouched by a list that fails */
	int failed = own_routes_list(routes, table, &first, 1, &n);

	if (n)
		failed = own_routes_delete_all(routes, table);
	*err = *err ? *err : failed;
	return n > 0;
}

/* Empty two tables. @return whether they had a route, or that is not known */
static bool empty_tables(uint32_t table, uint32_t gshut_table)
{
	struct own_routes *routes = NULL;
	int err = own_routes_open(&routes);
	bool had_some = err != 0;

	if (!err) {
		had_some = empty_table(routes, table, &err);
		had_some |= empty_table(routes, gshut_table, &err);
	}
	own_routes_close(routes);
	if (err)
		log_warn("routes-left", "tables=%u,%u error=\"%s\" effect=\"%s\"", table,
		         gshut_table, strerror(-err),
		         "routers may send packets that this node does not forward");
	else if (had_some)
		log_note("routes-withdrawn", "tables=%u,%u", table, gshut_table);
	return had_some;
}

bool withdraw_routes(const struct model_node *self)
{
	const struct model_announce *a = self && self->announce.table ? &self->announce : NULL;

	return empty_tables(a ? a->table : MODEL_ANNOUNCE_TABLE,
	                    a ? a->gshut_table : MODEL_ANNOUNCE_GSHUT_TABLE);
}

void withdraw_before_workers(struct process *p, const struct driver_ops *next,
                             const struct model_node *self)
{
	if (!next->workers)
		return;
	if (p->driver && !p->ops->workers) /* it forwards, and all is proved */
		prover_say_stopping(p->prover);
	if (withdraw_routes(self))
		p->withdrawn_ms = clock_mono_ms();
}

void withdraw_before_compiling(void *process, const struct model *m)
{
	struct driver_reason reason;
	const struct driver_ops *next = m->self ? choose_driver(m->self, NIC_SYSFS, &reason) : NULL;

	if (next)
		withdraw_before_workers(process, next, m->self);
}

void withdraw_wait(struct process *p, void (*yield)(void *process))
{
	while (p->withdrawn_ms && clock_mono_ms() - p->withdrawn_ms < WITHDRAW_MS) {
		usleep(YIELD_US);
		yield(p);
	}
	p->withdrawn_ms = 0;
}

/*
 * The tables of an earlier document may have had other numbers: the page of weir-announce, which
 * may be dead, has the last ones that it used.
 */
void withdraw_without_daemon(const struct process *p)
{
	const struct model_node *self = p->node.model->self;
	struct announced_page *page;
	struct announced_node last;

	if (self->announce.daemon != MODEL_DAEMON_NONE)
		return;
	(void)withdraw_routes(self);
	if (announced_open(p->dirs.run, &page))
		return;
	if (!announced_read(page, &last, NULL, 0, NULL) && last.table && last.shutdown_table)
		(void)empty_tables(last.table, last.shutdown_table);
	announced_close(page);
}

static void end_loop(void *process)
{
	struct process *p = process;

	loop_stop(p->loop);
}

static bool stops_forwarding(const struct process *p)
{
	return p->driver && p->ops->workers && p->node.model && p->node.model->self;
}

void withdraw_and_stop(void *process)
{
	struct process *p = process;
	bool was_stopping = p->is_stopping;

	p->is_stopping = true;
	if (was_stopping || !stops_forwarding(p)) {
		end_loop(p);
		return;
	}
	prover_say_stopping(p->prover);
	if (!withdraw_routes(p->node.model->self)) {
		end_loop(p);
		return;
	}
	log_note("stopping", "in_ms=%u reason=\"%s\"", WITHDRAW_MS,
	         "packets are forwarded until routers send elsewhere");
	p->stop_timer = (struct loop_timer){ .cb = end_loop, .arg = p };
	if (loop_timer_set(p->loop, &p->stop_timer, loop_now_ms(p->loop) + WITHDRAW_MS))
		end_loop(p);
}
