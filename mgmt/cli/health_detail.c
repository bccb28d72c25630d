/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The health page has verdicts only. Why a probe failed is known to weir-health alone, so it is
 * asked over its control socket, and its rows are joined to the items by the names that both have.
 */
#include "mgmt/cli/health_detail.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctl.h"
#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"
#include "mgmt/json/listing.h"
#include "weir/json.h"

#define TARGETS_SHOWN 60   /* of status */
#define QUERY_MS      2000 /* the list is an extra: weir health must not wait long for it */

static void format_row_key(const json_t *row, char key[256])
{
	row_format(key, 256, row, "[{pool}/{backend|}|{service|} {site|} {family|}]");
}

/* Rows by key. @return given; NULL when there is no answer */
static json_t *query_health_rows(const struct cli *cli)
{
	char path[PATH_MAX], key[256], *line = NULL;
	json_t *answer, *row, *rows;
	size_t i;

	if (proc_path(cli->dirs.run, "health.ctl", path) ||
	    ctl_request(path, "{\"do\":\"list\"}", QUERY_MS, &line))
		return NULL;
	answer = json_read(line, strlen(line), 0, NULL);
	free(line);
	rows = json_object();
	json_array_foreach(json_object_get(answer, "targets"), i, row)
	{
		format_row_key(row, key);
		json_object_set(rows, key, row);
	}
	json_decref(answer);
	return rows;
}

void health_detail_join(const struct cli *cli, json_t *items)
{
	json_t *rows = query_health_rows(cli), *item;
	char key[256];
	size_t i;

	if (!rows)
		return;
	json_array_foreach(items, i, item)
	{
		format_row_key(item, key);
		json_t *row = json_object_get(rows, key);

		if (!row)
			continue;
		json_object_set(item, "why", json_object_get(row, "why"));
		json_object_set(item, "probe", row);
	}
	json_decref(rows);
}

/* The reason and the marks come last: they have any length, or none. */
static const struct listing_column columns[] = {
	{ "Target", "[{pool}/{backend|}|service {service|} at {site|} {family|}]", LISTING_TEXT,
	  -44 },
	{ "Observed", "{observation.state}", LISTING_STATE, -8 },
	{ "Last result", "{observation.reason}", LISTING_KNOWN, -14 },
	{ "Since", "{observation.since}", LISTING_KNOWN, -26 },
	{ "Reason, marks",
	  "{why}[ last seen {observation.last}][{?observation.in_doubt} in_doubt]"
	  "[{?observation.inconclusive} inconclusive][{?observation.restored} restored]"
	  "[{?observation.damped} damped]",
	  LISTING_TEXT, LISTING_LAST },
	{ 0 },
};

void health_print(const json_t *body)
{
	if (json_array_size(json_at(body, "items")))
		listing_print(&(struct listing_table){ .list = "items", .columns = columns }, body);
	else
		puts("there are no targets");
}

void health_print_briefly(const json_t *body)
{
	bool all = json_array_size(json_at(body, "targets")) <= TARGETS_SHOWN;

	listing_print(
	        &(struct listing_table){ .title = "Targets",
	                                 .list = "targets",
	                                 .columns = columns,
	                                 .only = all ? NULL : "[{!observation.state=up}not up]",
	                                 .most = TARGETS_SHOWN },
	        body);
	if (!all)
		row_show(stdout, body, "{targets:count} targets in all: weir health shows them\n");
}
