/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "No" is said only of what was read back as not so. A page that is missing, old, or of a process
 * that has not tried yet leaves a fact unknown, and unknown changes nothing.
 */
#include "announce/evidence.h"

#include "weir/fwd/reason.h"

static enum announce_truth truth_of(uint8_t fact)
{
	return fact == PROOF_YES ? ANNOUNCE_YES : fact == PROOF_NO ? ANNOUNCE_NO : ANNOUNCE_UNKNOWN;
}

/* Yes if one port says yes, no if all say no. */
static enum announce_truth any_port(const struct proof_node *n, bool attached)
{
	uint32_t n_ports = n->n_ports < PROOF_PORTS_MAX ? n->n_ports : PROOF_PORTS_MAX, n_no = 0;

	for (uint32_t i = 0; i < n_ports; i++) {
		const struct proof_port *p = &n->ports[i];
		enum announce_truth up = truth_of(p->up), carries = truth_of(p->attached);
		/* a program on a port that is down forwards nothing */
		enum announce_truth truth = !attached           ? up
		                            : up == ANNOUNCE_NO ? ANNOUNCE_NO
		                                                : carries;

		if (truth == ANNOUNCE_YES)
			return ANNOUNCE_YES;
		n_no += truth == ANNOUNCE_NO;
	}
	return n_ports > 0 && n_no == n_ports ? ANNOUNCE_NO : ANNOUNCE_UNKNOWN;
}

/*
 * Yes if each port that is up carries the program, no if one does not: its packets go to the kernel,
 * which has no use for them. A port that is down, or not known to be up, says nothing.
 */
static enum announce_truth each_port(const struct proof_node *n)
{
	uint32_t n_ports = n->n_ports < PROOF_PORTS_MAX ? n->n_ports : PROOF_PORTS_MAX;
	uint32_t n_up = 0, n_carry = 0;

	for (uint32_t i = 0; i < n_ports; i++) {
		if (n->ports[i].up != PROOF_YES)
			continue;
		if (n->ports[i].attached == PROOF_NO)
			return ANNOUNCE_NO;
		n_up++;
		n_carry += n->ports[i].attached == PROOF_YES;
	}
	return n_up && n_carry == n_up ? ANNOUNCE_YES : ANNOUNCE_UNKNOWN;
}

void evidence_of_node(const struct proof_node *n, uint64_t document, bool is_dead,
                      struct announce_facts *f)
{
	enum announce_truth *truth = f->truth;

	truth[ANNOUNCE_FACT_DOCUMENT] = ANNOUNCE_UNKNOWN;
	truth[ANNOUNCE_FACT_PEERS] = n ? truth_of(n->state_arrived) : ANNOUNCE_UNKNOWN;
	truth[ANNOUNCE_FACT_PORT] = n ? any_port(n, false) : ANNOUNCE_UNKNOWN;
	truth[ANNOUNCE_FACT_PROGRAM] = is_dead ? ANNOUNCE_NO
	                               : n     ? any_port(n, true)
	                                       : ANNOUNCE_UNKNOWN;
	truth[ANNOUNCE_FACT_COVERED] = n ? each_port(n) : ANNOUNCE_UNKNOWN;
	if (n && n->stopping)
		f->command = ANNOUNCE_COMMAND_STOP;
	if (n && n->document)
		truth[ANNOUNCE_FACT_DOCUMENT] =
		        n->document == document ? ANNOUNCE_YES : ANNOUNCE_NO;
}

void evidence_of_vip(const struct proof_vip *v, uint32_t n_vips, bool needs_all, uint64_t now_ms,
                     struct announce_facts *f)
{
	enum announce_truth *truth = f->truth;

	f->probe_old = false;
	truth[ANNOUNCE_FACT_HOPS] = truth[ANNOUNCE_FACT_POOLS] = truth[ANNOUNCE_FACT_PROBE] =
	        ANNOUNCE_UNKNOWN;
	truth[ANNOUNCE_FACT_SOCKETS] = ANNOUNCE_YES; /* a VIP needs none */
	truth[ANNOUNCE_FACT_LEAVES] = ANNOUNCE_YES;  /* until a loss is proved */
	if (!v)
		return;
	f->probe_old = announce_elapsed_ms(now_ms, v->proved_ms) >
	               EVIDENCE_PROMISE_MS + (uint64_t)n_vips * EVIDENCE_PROBE_MS;
	if (v->state == PROOF_STATE_FORWARDED)
		truth[ANNOUNCE_FACT_PROBE] = ANNOUNCE_YES;
	else if (v->state == PROOF_STATE_REFUSED && v->reason == FWD_REASON_NOT_SENT)
		truth[ANNOUNCE_FACT_LEAVES] = ANNOUNCE_NO;
	else if (v->state == PROOF_STATE_REFUSED)
		truth[ANNOUNCE_FACT_PROBE] = ANNOUNCE_NO;
	if (v->n_services == 0)
		return; /* nothing is forwarded, and nothing has failed */
	truth[ANNOUNCE_FACT_POOLS] =
	        v->n_serving >= (needs_all ? v->n_services : 1) ? ANNOUNCE_YES : ANNOUNCE_NO;
	if (v->n_serving > 0)
		truth[ANNOUNCE_FACT_HOPS] = v->n_reachable >= (needs_all ? v->n_services : 1)
		                                    ? ANNOUNCE_YES
		                                    : ANNOUNCE_NO;
}

void evidence_of_dns(enum announce_truth answers, enum announce_truth holds, bool by_kernel,
                     struct announce_facts *f)
{
	enum announce_truth *truth = f->truth;

	f->probe_old = false;
	truth[ANNOUNCE_FACT_PROBE] = answers;
	/* a server that is silent or gone holds what it held: its successor gets the sockets */
	truth[ANNOUNCE_FACT_SOCKETS] = answers == ANNOUNCE_YES ? holds : ANNOUNCE_UNKNOWN;
	truth[ANNOUNCE_FACT_DOCUMENT] = truth[ANNOUNCE_FACT_PEERS] = ANNOUNCE_YES;
	truth[ANNOUNCE_FACT_HOPS] = truth[ANNOUNCE_FACT_POOLS] = ANNOUNCE_YES;
	truth[ANNOUNCE_FACT_LEAVES] = ANNOUNCE_YES; /* the kernel sends its answers */
	if (by_kernel)
		truth[ANNOUNCE_FACT_PORT] = truth[ANNOUNCE_FACT_PROGRAM] =
		        truth[ANNOUNCE_FACT_COVERED] = ANNOUNCE_YES;
}

uint64_t evidence_daemon_old_ms(const struct daemon_facts *d)
{
	uint64_t old_ms = d ? 2 * d->round_ms + DAEMON_DEADLINE_MS : 0;

	if (old_ms > EVIDENCE_ROUND_OLD_MS)
		return EVIDENCE_ROUND_OLD_MS;
	return old_ms > EVIDENCE_DAEMON_OLD_MS ? old_ms : EVIDENCE_DAEMON_OLD_MS;
}

static uint32_t established_mask(const struct daemon_facts *d)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < d->n_neighbours && i < DAEMON_NEIGHBOURS_MAX; i++)
		mask |= d->neighbours[i].established ? 1u << i : 0;
	return mask;
}

static bool is_fresh(uint64_t at_ms, uint64_t old_ms, uint64_t now_ms)
{
	return at_ms && at_ms <= now_ms && now_ms - at_ms <= old_ms;
}

uint32_t evidence_of_daemon(const struct daemon_facts *d, const struct daemon_route *r,
                            const uint64_t added_ms[3], uint64_t old_ms, uint64_t now_ms,
                            struct announce_routes *routes, struct announce_facts *f)
{
	bool is_known = d && r && d->state == DAEMON_ANSWERS && is_fresh(r->at_ms, old_ms, now_ms);
	bool is_export_known = is_known && is_fresh(r->exported_at_ms, old_ms, now_ms);
	uint32_t exported = is_export_known ? r->exported & established_mask(d) : 0;

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		bool shows = is_known &&
		             r->imported[t == ANNOUNCE_NORMAL ? DAEMON_NORMAL : DAEMON_GSHUT];

		routes->imported[t] =
		        !is_known || r->pending || (added_ms[t] && r->at_ms < added_ms[t])
		                ? ANNOUNCE_UNKNOWN
		        : shows ? ANNOUNCE_YES
		                : ANNOUNCE_NO;
	}
	f->exported = routes->imported[ANNOUNCE_NORMAL];
	if (f->exported == ANNOUNCE_YES && !exported)
		f->exported = is_export_known ? ANNOUNCE_NO : ANNOUNCE_UNKNOWN;
	if (is_known && !is_fresh(r->exported_at_ms, EVIDENCE_EXPORT_MS, now_ms))
		f->exported = ANNOUNCE_UNKNOWN;
	routes->exported = !is_export_known || r->pending ? ANNOUNCE_UNKNOWN
	                   : exported                     ? ANNOUNCE_YES
	                                                  : ANNOUNCE_NO;
	return exported;
}

enum announce_truth evidence_differs(enum announce_table intended,
                                     const struct announce_routes *routes)
{
	/* with both routes, neighbours get the normal one */
	bool normal = routes->imported[ANNOUNCE_NORMAL] == ANNOUNCE_YES;

	if (routes->imported[ANNOUNCE_NORMAL] == ANNOUNCE_UNKNOWN ||
	    routes->imported[ANNOUNCE_SHUTDOWN] == ANNOUNCE_UNKNOWN)
		return ANNOUNCE_UNKNOWN;
	if (intended == ANNOUNCE_NONE)
		return routes->exported;
	if (routes->imported[intended] == ANNOUNCE_NO || normal != (intended == ANNOUNCE_NORMAL))
		return ANNOUNCE_YES;
	return routes->exported == ANNOUNCE_YES  ? ANNOUNCE_NO
	       : routes->exported == ANNOUNCE_NO ? ANNOUNCE_YES
	                                         : ANNOUNCE_UNKNOWN;
}
