/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lists of metrics. The stats page takes names, kinds and help from them, and `--metrics`
 * writes docs/metrics-dataplane.md from them; a test compares that file. Reasons and owner events
 * come from the lists of the packet path (fwd/reason.h, fwd/owner.h).
 */
#include "dataplane/export/metrics.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct metric service_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_service_packets_total",
	  "packets that the service's backends were to get; those that a port's driver did not take "
	  "are among them (weir_dataplane_port_not_sent_total)" },
	{ STATS_COUNTER, "weir_dataplane_service_bytes_total",
	  "bytes of these packets' frames as received, without FCS" },
	{ STATS_COUNTER, "weir_dataplane_service_new_flows_total",
	  "new TCP flows: SYNs forwarded for the service, repeated ones too" },
};
static const struct metric backend_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_backend_packets_total",
	  "packets that the backend was to get; those that a port's driver did not take are among "
	  "them (weir_dataplane_port_not_sent_total)" },
	{ STATS_COUNTER, "weir_dataplane_backend_bytes_total",
	  "bytes of these packets' frames as received, without FCS" },
	{ STATS_GAUGE, "weir_dataplane_backend_in_force",
	  "1: the backend is in force and may get packets" },
	{ STATS_GAUGE, "weir_dataplane_backend_next_hop",
	  "1: the next hop of the backend is known" },
	{ STATS_GAUGE, "weir_dataplane_backend_slots", "slots that the backend owns" },
	{ STATS_GAUGE, "weir_dataplane_backend_base_slots",
	  "slots that moved to other backends, but whose older flows still go to this one" },
	{ STATS_GAUGE, "weir_dataplane_backend_exceptions", "remembered flows of the backend" },
	{ STATS_GAUGE, "weir_dataplane_backend_inner_mtu",
	  "longest packet that fits into its tunnel, in bytes" },
	{ STATS_COUNTER, "weir_dataplane_backend_new_flows_total",
	  "new TCP flows: SYNs sent to the backend, repeated ones too" },
};
static const struct metric pool_metrics[] = {
	{ STATS_GAUGE, "weir_dataplane_pool_slots", "slots of the pool" },
	{ STATS_GAUGE, "weir_dataplane_pool_slots_empty", "slots without an owner" },
	{ STATS_GAUGE, "weir_dataplane_pool_slots_unsettled", "slots with an earlier owner" },
	{ STATS_GAUGE, "weir_dataplane_pool_backends_held", "backends kept in force by a guard" },
	{ STATS_GAUGE, "weir_dataplane_pool_slots_full",
	  "slots with a full list of earlier owners: planned changes wait until the oldest claim ends" },
	{ STATS_GAUGE, "weir_dataplane_pool_class",
	  "who takes new flows: 0 its own backends, 1 its backup, 2 its backup up to backup_max" },
	{ STATS_GAUGE, "weir_dataplane_pool_backup_slots",
	  "slots that backends of its backup own" },
	{ STATS_GAUGE, "weir_dataplane_pool_refused_slots",
	  "slots whose packets are dropped, as the backup gets as much as backup_max allows" },
};
static const struct metric worker_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_worker_frames_total",
	  "DPDK: frames received by the worker" },
	{ STATS_COUNTER, "weir_dataplane_worker_cycles_total",
	  "CPU cycles of rounds that had frames; divide by frames for cycles per frame" },
	{ STATS_COUNTER, "weir_dataplane_worker_sleeps_total", "times that the idle worker slept" },
	{ STATS_COUNTER, "weir_dataplane_worker_interrupts_total",
	  "sleeps that a receive interrupt ended" },
	{ STATS_COUNTER, "weir_dataplane_worker_handed_over_total",
	  "frames handed to another worker, as the port has too few queues" },
	{ STATS_COUNTER, "weir_dataplane_worker_from_kernel_total", "frames that the kernel sent" },
	{ STATS_COUNTER, "weir_dataplane_worker_from_kernel_lost_total",
	  "frames that the kernel sent and no port could send" },
};
static const struct metric burst_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_worker_bursts_total",
	  "bursts by size: at least so many frames, and fewer than the next label" },
};
static const struct metric class_metrics[] = {
	{ STATS_COUNTER, "weir_dataplane_kernel_frames_total", "DPDK: frames given to the kernel" },
	{ STATS_COUNTER, "weir_dataplane_kernel_policed_total",
	  "frames for the kernel dropped above the rate of their class" },
};
static const struct metric port_metrics[] = {
	{ STATS_GAUGE, "weir_dataplane_port_up", "1: the port has a link" },
	{ STATS_COUNTER, "weir_dataplane_port_missed_total",
	  "frames that the device dropped because workers read too slowly (imissed)" },
	{ STATS_COUNTER, "weir_dataplane_port_no_memory_total",
	  "frames dropped because no buffer was free (rx_nombuf)" },
	{ STATS_COUNTER, "weir_dataplane_port_not_sent_total",
	  "frames that were to leave by the port and that its driver did not take; 0 while "
	  "weir_dataplane_port_not_sent_known is 0" },
	{ STATS_GAUGE, "weir_dataplane_port_not_sent_known",
	  "1: what the port's driver does not take is counted; 0: nothing can tell (XDP without "
	  "the kernel's tracepoints, or a driver that may not tell each loss)" },
};

const struct metrics_row metrics_rows[METRICS_KINDS] = {
	[METRICS_SERVICE] = { "service", service_metrics, COUNT(service_metrics) },
	[METRICS_BACKEND] = { "pool, backend", backend_metrics, COUNT(backend_metrics) },
	[METRICS_POOL] = { "pool", pool_metrics, COUNT(pool_metrics) },
	[METRICS_WORKER] = { "worker, cpu", worker_metrics, COUNT(worker_metrics) },
	[METRICS_BURST] = { "worker, frames", burst_metrics, COUNT(burst_metrics) },
	[METRICS_CLASS] = { "class", class_metrics, COUNT(class_metrics) },
	[METRICS_PORT] = { "port", port_metrics, COUNT(port_metrics) },
};
_Static_assert(COUNT(backend_metrics) <= METRICS_ROW_MAX, "room in a row");

const struct metric metrics_totals[TOTALS] = {
	[RECEIVED] = { STATS_COUNTER, "weir_dataplane_received_packets_total",
	               "packets seen on our ports" },
	[RECEIVED_BYTES] = { STATS_COUNTER, "weir_dataplane_received_bytes_total",
	                     "bytes of these packets' frames, without FCS" },
	[DOCUMENT] = { STATS_GAUGE, "weir_dataplane_document", "number of the document in force" },
	[REFUSED] = { STATS_GAUGE, "weir_dataplane_document_refused",
	              "1: a newer document was refused, the old one is in force" },
	[DOCUMENTS] = { STATS_COUNTER, "weir_dataplane_documents_total",
	                "documents brought into force" },
	[DOCUMENT_READ_US] = { STATS_GAUGE, "weir_dataplane_document_read_microseconds",
	                       "how long reading and checking the last document took; shown as "
	                       "weir_dataplane_document_read_seconds" },
	[DOCUMENT_COMPILE_US] = { STATS_GAUGE, "weir_dataplane_document_compile_microseconds",
	                          "how long compiling its tables took; shown as "
	                          "weir_dataplane_document_compile_seconds" },
	[DOCUMENT_SWITCH_US] = { STATS_GAUGE, "weir_dataplane_document_switch_microseconds",
	                         "how long bringing them into force took, of the first one with "
	                         "opening the driver; shown as weir_dataplane_document_switch_seconds" },
	[REFUSALS] = { STATS_COUNTER, "weir_dataplane_documents_refused_total",
	               "documents refused" },
	[RESIZES] = { STATS_COUNTER, "weir_dataplane_resizes_total", "times that tables grew" },
	[DEATHS] = { STATS_COUNTER, "weir_dataplane_backends_out_total",
	             "backends taken out of force" },
	[RETURNS] = { STATS_COUNTER, "weir_dataplane_backends_back_total",
	              "backends that came back" },
	[HELD] = { STATS_COUNTER, "weir_dataplane_guard_holds_total",
	           "removals that a guard held back" },
	[EXCEPTIONS] = { STATS_GAUGE, "weir_dataplane_exceptions", "remembered flows" },
	[EXCEPTIONS_MAX] = { STATS_GAUGE, "weir_dataplane_exceptions_max",
	                     "remembered flows that there is room for" },
	[FRAGMENTS_LOST] = { STATS_COUNTER, "weir_dataplane_fragments_forgotten_total",
	                     "fragmented datagrams forgotten for newer ones; their later fragments are dropped" },
	[HOP_CHANGES] = { STATS_COUNTER, "weir_dataplane_next_hop_changes_total",
	                  "next hops that changed" },
	[HOP_PROBES] = { STATS_COUNTER, "weir_dataplane_next_hop_probes_total",
	                 "requests to the kernel to probe a next hop" },
	[HOP_RESYNCS] = { STATS_COUNTER, "weir_dataplane_next_hop_resyncs_total",
	                  "times that routes and neighbours were read again after lost messages" },
	[HOPS_REFUSED] = { STATS_COUNTER, "weir_dataplane_next_hops_refused_total",
	                   "addresses or links not followed, as there are too many" },
	[PATHS_LOW] = { STATS_GAUGE, "weir_dataplane_paths_lowered",
	                "backends whose path carries less than is configured, as routers reported" },
	[PATHS_LOWERED] = { STATS_COUNTER, "weir_dataplane_path_mtu_lowered_total",
	                    "times that routers reported a lower path MTU" },
	[PATHS_RESTORED] = { STATS_COUNTER, "weir_dataplane_path_mtu_restored_total",
	                     "times that the configured MTU was tried again after 10 minutes" },
	[DAMAGED] = { STATS_COUNTER, "weir_dataplane_table_damage_total",
	              "elements of the forwarding tables that held what weir-dataplane had not "
	              "written, and that it wrote again" },
	[SCRUBS] = { STATS_COUNTER, "weir_dataplane_table_scrubs_total",
	             "times that all forwarding tables were compared with what was written" },
	[PINS] = { STATS_COUNTER, "weir_dataplane_pins_renewed_total",
	           "pins below --bpf-dir that were missing or another object's, and that "
	           "weir-dataplane made again" },
	[PORTS] = { STATS_GAUGE, "weir_dataplane_ports", "ports to which the program is attached" },
	[PORTS_GENERIC] = { STATS_GAUGE, "weir_dataplane_ports_generic",
	                    "ports to which it is attached in the slower generic mode" },
	[DPDK] = { STATS_GAUGE, "weir_dataplane_dpdk", "1: DPDK moves packets; 0: XDP" },
	[TABLES_PAGE] = { STATS_GAUGE, "weir_dataplane_tables_page_bytes",
	                  "DPDK: bytes of a memory page that the tables lie in; 4096 where there were no "
	                  "hugepages for them. 0: XDP, whose tables the kernel lays out" },
	[LEARNING] = { STATS_GAUGE, "weir_dataplane_learning",
	               "1: started on empty tables and waits for a peer's connection state" },
	[CPU_US] = { STATS_COUNTER, "weir_dataplane_process_cpu_microseconds_total",
	             "CPU time of the process; shown as weir_dataplane_process_cpu_seconds_total" },
	[RESIDENT] = { STATS_GAUGE, "weir_dataplane_process_resident_bytes",
	               "memory of the process" },
};

const struct metric metrics_packets = { STATS_COUNTER, "weir_dataplane_packets_total",
	                                "packets by result; the sum is the number received" };
const struct metric metrics_events = { STATS_COUNTER, "weir_dataplane_owner_events_total",
	                               "packets in unsettled slots, by how their owner was found" };

#define ACTION_TX   "sent"
#define ACTION_PASS "passed"
#define ACTION_DROP "dropped"

const struct metrics_label metrics_reasons[FWD_REASON_COUNT] = {
#define REASON(name, kind, label, text)                                                            \
	[FWD_REASON_##name] = { "action=\"" ACTION_##kind "\",reason=\"" label "\"", text },
	FWD_REASONS(REASON)
#undef REASON
};

const struct metrics_label metrics_owner_events[OWNER_EVENT_COUNT] = {
#define EVENT(name, label, text) [OWNER_EVENT_##name] = { "event=\"" label "\"", text },
	OWNER_EVENTS(EVENT)
#undef EVENT
};

static void document_metric(FILE *out, const struct metric *m, const char *labels)
{
	fprintf(out, "| `%s` | %s | %s | %s |\n", m->name,
	        m->kind == STATS_COUNTER ? "counter" : "gauge", labels, m->help);
}

static void document_labels(FILE *out, const struct metric *m, const struct metrics_label *labels,
                            size_t n)
{
	fprintf(out, "\n## `%s`\n\n%s.\n\n| labels | meaning |\n|---|---|\n", m->name, m->help);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "| `%s` | %s |\n", labels[i].labels, labels[i].text);
}

void metrics_document(FILE *out)
{
	fprintf(out,
	        "# Metrics of weir-dataplane\n\n"
	        "Generated by `weir-dataplane --metrics`: do not edit.\n\n"
	        "The stats page RUN/stats.dataplane.page holds them. It is written each second from the "
	        "forwarding tables.\nReceived packets = sent + passed + dropped, exactly.\n\n"
	        "4,096 services, 1,024 pools and 1,024 backends have rows, the first in the document. The log's "
	        "`services-without-counters`, `pools-without-counters` and `backends-without-counters` count "
	        "the others.\n\n"
	        "| name | kind | labels | meaning |\n|---|---|---|---|\n");
	for (int i = 0; i < TOTALS; i++)
		document_metric(out, &metrics_totals[i], "");
	for (int k = 0; k < METRICS_KINDS; k++)
		for (size_t i = 0; i < metrics_rows[k].n; i++)
			document_metric(out, &metrics_rows[k].items[i], metrics_rows[k].labels);
	document_labels(out, &metrics_packets, metrics_reasons, FWD_REASON_COUNT);
	document_labels(out, &metrics_events, metrics_owner_events, OWNER_EVENT_COUNT);
}
