/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of owners. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/operation_decide.h"
#include "mgmt/api/shared_lease.h"
#include "mgmt/api/shared_run.h"
#include "mgmt/store/copy.h"
#include "record/fields.h"

/** The record of an operation's owner. */
struct owner_record {
	char node[MODEL_NAME_MAX];
};
static const struct field owner_fields[] = { RECORD_TEXT(struct owner_record, node) };
static const struct record_kind owner_record =
        RECORD_OF(struct owner_record, "owner", owner_fields, NULL);

static const char *name_owner(const struct operation *op, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, SHARED_LEASED_AT "%s", op->id);
	return out;
}

void operation_put_owner(const struct core *core, const struct operation *op, int64_t lease,
                         struct shared_change *c)
{
	struct owner_record own;
	char name[SHARED_NAME_MAX];

	snprintf(own.node, sizeof(own.node), "%s", core->dirs.node);
	if (lease)
		shared_change_put_leased(c, name_owner(op, name), &owner_record, &own, lease);
	else
		shared_change_remove(c, name_owner(op, name));
}

bool operation_decides_alone(const struct core *core)
{
	return !core->shared && !shared_run_is_missing(core);
}

/* The owner by the copy; a record that is none names nobody. @return the revision of what is there; 0: nothing */
static int64_t read_owner(struct core *core, const struct operation *op, struct owner_record *out)
{
	struct store *store = intent_store(core->intent);
	struct shared_record r = { 0 };
	char name[SHARED_NAME_MAX];

	if (!store || copy_read(store, name_owner(op, name), &r) ||
	    record_from_text(&owner_record, r.text, out, NULL))
		out->node[0] = '\0';
	free(r.text);
	return r.revision;
}

void operation_see_unowned(struct core *core, const struct operation *op, struct shared_change *c)
{
	struct owner_record owner;
	int64_t revision = read_owner(core, op, &owner);
	char name[SHARED_NAME_MAX];

	shared_change_see(c, name_owner(op, name), *owner.node ? 0 : revision);
}

bool operation_has_owner(struct core *core, const struct operation *op)
{
	struct owner_record owner;

	(void)read_owner(core, op, &owner);
	return *owner.node;
}

bool operation_is_owned_here(struct core *core, const struct operation *op)
{
	const struct shared_lease *lease = shared_run_lease(core);
	struct owner_record owner;

	if (!lease)
		return operation_decides_alone(core);
	(void)read_owner(core, op, &owner);
	return shared_lease_is_fresh(lease) && !strcmp(owner.node, core->dirs.node);
}
