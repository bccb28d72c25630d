/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a process is, by its stats page. It runs when the process that writes the page exists and has signed
 * it lately: a process that is killed is seen at once, one that hangs after a while (weir/life.h).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/judge/gather.h"
#include "weir/life.h"
#include "weir/model.h"
#include "weir/port_program.h"
#include "weir/stats.h"

/* A total on a stats page, by its name; 0 if it is not there. */
static uint64_t read_total(const struct stats_reader *r, const char *name)
{
	uint64_t total;

	(void)stats_reader_sum(r, name, &total);
	return total;
}

/* What the dataplane says of itself, even without tables. */
static void read_dataplane(const struct stats_reader *r, struct gather_process *out)
{
	out->refused = read_total(r, "weir_dataplane_document_refused") != 0;
	out->learning = read_total(r, "weir_dataplane_learning") != 0;
	out->has_ports = read_total(r, "weir_dataplane_document") != 0;
	out->n_ports = out->has_ports ? read_total(r, "weir_dataplane_ports") : 0;
	out->dpdk = out->has_ports && read_total(r, "weir_dataplane_dpdk") != 0;
}

/* Another user's process answers EPERM. */
static bool process_exists(int64_t pid)
{
	return pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* Whether the kernel says that no port of the own node, which has some, runs an XDP program. */
static bool runs_no_program(const struct model *m)
{
	size_t n = m->self ? m->self->n_ports : 0, n_none = 0;

	for (size_t i = 0; i < n && n_none == i; i++)
		n_none += port_program_runs(m->self->ports[i].interface) == 0;
	return n && n_none == n;
}

/* Whether DPDK may have the ports: `auto` takes it only where each port names a device (dataplane/choose.c). */
static bool may_be_dpdk(const struct model_node *node)
{
	if (node->driver != MODEL_DRIVER_AUTO)
		return node->driver == MODEL_DRIVER_DPDK;
	for (size_t i = 0; i < node->n_ports; i++)
		if (!*node->ports[i].device)
			return false;
	return true;
}

void gather_ports(const struct model *m, const struct gather_process *dataplane,
                  const struct gather_process *supervisor, struct judge_facts *f)
{
	f->dpdk = dataplane->dpdk;
	f->workers_forward =
	        dataplane->exists && supervisor->running && supervisor->workers_forward;
	f->waits_for_connections = dataplane->learning;
	f->ports_known = dataplane->has_ports;
	f->n_ports = dataplane->n_ports;
	f->answers = m && m->self && m->self->n_dns_listen;
	f->n_ports_meant = m && m->self ? m->self->n_ports : 0;
	/* of a process whose page cannot be read it is not known that DPDK does not forward */
	bool is_xdp = dataplane->present || (m && m->self && !may_be_dpdk(m->self));
	f->no_program = m && !dataplane->running && is_xdp && runs_no_program(m);
}

struct judge_process gather_fact(const char *name, const struct gather_process *observed,
                                 const struct conditions *conditions)
{
	return (struct judge_process){
		.name = name,
		.present = observed->present,
		.running = observed->running,
		.refused = observed->refused,
		.age_ms = observed->age_ms,
		.document = observed->document,
		.pending_ms = observed->pending_ms,
		.conditions = observed->has_conditions ? conditions : NULL,
		.conditions_unread = observed->conditions_unread,
	};
}

void gather_process(const char *run_dir, const char *process, const struct life_watch *watch,
                    struct gather_process *out, struct conditions *conditions)
{
	uint64_t now_ms = clock_mono_ms();
	struct stats_reader *r;

	*out = (struct gather_process){ .age_ms = UINT64_MAX };
	if (stats_reader_open(run_dir, process, &r))
		return;
	out->present = true;
	out->pid = (int64_t)stats_reader_pid(r);
	out->exists = process_exists(out->pid);
	struct life_signs signs = life_signs_at(stats_reader_alive_ms(r), !out->exists, watch,
	                                        LIFE_FOR_STATUS, now_ms);
	enum life life = life_judge(&signs, &life_limits[LIFE_FOR_STATUS]);

	out->age_ms = signs.silent_ms;
	out->running = life == LIFE_RUNNING || life == LIFE_UNKNOWN; /* of both after a pause */
	if (!strcmp(process, "run"))
		out->workers_forward = read_total(r, STATS_FORWARD) != 0;
	if (!strcmp(process, "dataplane"))
		read_dataplane(r, out);
	stats_reader_close(r);
	if (!conditions)
		return;
	out->has_conditions = !conditions_read(run_dir, process, conditions);
	out->conditions_unread = !out->has_conditions;
}
