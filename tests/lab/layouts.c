/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints as JSON what tests in Python must know of C: members of structs, and constants; with a file
 * of forwarding tables as its argument, where each table lies in it. The compiler takes all of this
 * from the headers, so layout.py repeats nothing by hand. A member or a constant that a test needs
 * is a row here; one that is gone does not compile.
 */
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/page.h"
#include "dataplane/dpdk/tablefile.h"
#include "pages/condition_internal.h"
#include "stream_flow.h"
#include "weir/fwd/tables.h"
#include "weir/health.h"
#include "weir/layout.h"
#include "weir/stats.h"

/* What a member is, or its elements are: a character, an integer, or bytes for all else. */
#define KIND(x)                                                                                    \
	_Generic((x),                                                                              \
	        char *: "char",                                                                    \
	        unsigned char: "u8",                                                               \
	        unsigned char *: "u8",                                                             \
	        unsigned short: "u16",                                                             \
	        unsigned short *: "u16",                                                           \
	        unsigned int: "u32",                                                               \
	        unsigned int *: "u32",                                                             \
	        unsigned long: "u64",                                                              \
	        unsigned long *: "u64",                                                            \
	        unsigned long long: "u64",                                                         \
	        default: "u8")
#define ROW(t, member, k)                                                                          \
	{                                                                                          \
		.type = #t, .type_bytes = sizeof(t), .name = #member, .kind = k,                   \
		.off = offsetof(t, member), .bytes = sizeof(((t *)0)->member)                      \
	}
#define MEMBER(t, member)     ROW(t, member, KIND(((t *)0)->member))
#define NESTED(t, member, of) ROW(t, member, #of)

/* In the order of their offsets. */
static const struct member_row {
	const char *type;
	size_t type_bytes;
	const char *name, *kind;
	size_t off, bytes;
} members[] = {
	MEMBER(struct page_header, magic),
	MEMBER(struct page_header, kind),
	MEMBER(struct page_header, layout),
	MEMBER(struct page_header, epoch),
	MEMBER(struct page_header, size_bytes),
	MEMBER(struct page_header, writer_pid),
	MEMBER(struct page_header, alive_ms),
	MEMBER(struct stats_head, n),
	MEMBER(struct stats_entry, name),
	MEMBER(struct stats_entry, labels),
	MEMBER(struct stats_entry, help),
	MEMBER(struct stats_entry, kind),
	MEMBER(struct stats_entry, used),
	MEMBER(struct stats_entry, value),
	MEMBER(struct condition, code),
	MEMBER(struct condition, subject),
	MEMBER(struct condition, text),
	MEMBER(struct condition, level),
	MEMBER(struct conditions, n),
	NESTED(struct conditions, items, struct condition),
	MEMBER(struct conditions_payload, sequence),
	NESTED(struct conditions_payload, banks, struct conditions),
	MEMBER(struct health_entry, target),
	MEMBER(struct health_entry, word),
	MEMBER(struct health_page, generation),
	MEMBER(struct health_page, n_entries),
	MEMBER(struct health_page, document),
	NESTED(struct health_page, entries, struct health_entry),
	MEMBER(struct fwd_root, active),
	MEMBER(struct fwd_root, n_services),
	MEMBER(struct fwd_root, hash_key),
	MEMBER(struct fwd_service, vip),
	MEMBER(struct fwd_service, port_be),
	MEMBER(struct fwd_service, protocol),
	MEMBER(struct fwd_service, flags),
	MEMBER(struct fwd_service, range),
	MEMBER(struct fwd_pool, settle_s),
	MEMBER(struct fwd_pool, id),
	MEMBER(struct fwd_slots, slot),
	MEMBER(struct owner_list, earlier),
	NESTED(struct owner_cold, list, struct owner_list),
	MEMBER(struct fwd_backend, address),
	MEMBER(struct fwd_backend, mac_to),
	MEMBER(struct fwd_destinations, backend),
	MEMBER(struct fwd_own_macs, word),
	MEMBER(struct fwd_drill, id),
	MEMBER(union bpf_attr, pathname),
};

#define CONSTANT(name)                                                                             \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct constant_row {
	const char *name;
	long long value;
} constants[] = {
	CONSTANT(BPF_OBJ_GET),        CONSTANT(SYS_bpf),
	CONSTANT(CONDITION_NOTE),     CONSTANT(CONDITION_DEGRADED),
	CONSTANT(CONDITION_DOWN),     CONSTANT(FLOW_STALL_MS),
	CONSTANT(FWD_SLOT_BACKEND),   CONSTANT(FWD_SLOT_UNSETTLED),
	CONSTANT(STATS_COUNTER),      CONSTANT(STATS_GAUGE),
	CONSTANT(HEALTH_PAGE_LAYOUT),
};

static int print_layouts(void)
{
	const char *before = "";

	printf("{\"members\": [");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++, before = ", ") {
		const struct member_row *m = &members[i];

		printf("%s[\"%s\", %zu, \"%s\", \"%s\", %zu, %zu]", before, m->type, m->type_bytes,
		       m->name, m->kind, m->off, m->bytes);
	}
	before = "";
	printf("], \"constants\": {");
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++, before = ", ")
		printf("%s\"%s\": %lld", before, constants[i].name, constants[i].value);
	puts("}}");
	return 0;
}

/* {"slots": [offset, bytes], ...} */
static int print_tables(const char *path)
{
	struct driver_reason why;
	struct layout_table tables[FWD_TABLE_COUNT];
	struct tablefile f = { 0 };
	const uint8_t *start;

	if (tablefile_open(&f, path, false, &why)) {
		fprintf(stderr, "lab-layouts: %s: %s\n", path, why.text);
		return 1;
	}
	start = f.memory;
	layout_list(&f.tables, tables);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		printf("%s\"%s\": [%td, %zu]", i ? ", " : "{", tables[i].name,
		       (const uint8_t *)tables[i].memory - start, layout_bytes(&tables[i]));
	puts("}");
	tablefile_close(&f);
	return 0;
}

int main(int argc, char **argv)
{
	return argc > 1 ? print_tables(argv[1]) : print_layouts();
}
