/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weir-announce shows, for labs: its page as one line of JSON.
 *
 *     lab-announced RUN_DIR
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "weir/announce.h"

static void print_page(const struct announced_node *node, const struct announced_address *addresses,
                       const struct announced_neighbour *neighbours)
{
	printf("{\"age_ms\":%" PRIu64 ",\"state\":\"%s\",\"version\":\"%s\",\"neighbours\":{",
	       clock_mono_ms() - node->alive_ms, node->daemon_state, node->version);
	for (uint32_t i = 0; i < node->n_neighbours; i++)
		printf("%s\"%s\":%s", i ? "," : "", neighbours[i].name,
		       neighbours[i].established ? "true" : "false");
	printf("},\"addresses\":{");
	for (uint32_t i = 0; i < node->n_addresses; i++) {
		const struct announced_address *a = &addresses[i];
		char text[ADDR_TEXT_MAX];

		printf("%s\"%s\":{\"table\":\"%s\",\"reason\":\"%s\",\"in_kernel\":%u,\"imported\":%u,"
		       "\"exported\":%" PRIu32 ",\"differs_ms\":%" PRIu64 "}",
		       i ? "," : "", addr_text(&a->address, text),
		       announce_table_label((enum announce_table)a->table),
		       announce_reason_label((enum announce_reason)a->reason), a->in_kernel,
		       a->imported, a->exported, a->differs_ms);
	}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	static struct announced_address addresses[ANNOUNCED_MAX];
	static struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	struct announced_node node;
	struct announced_page *page;
	int err = argc == 2 ? announced_open(argv[1], &page) : -1;

	if (!err) {
		err = announced_read(page, &node, addresses, ANNOUNCED_MAX, neighbours);
		announced_close(page);
	}
	if (err)
		printf("{\"state\":\"\"}\n");
	else
		print_page(&node, addresses, neighbours);
	return 0;
}
