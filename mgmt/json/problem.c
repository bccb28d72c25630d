/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows: code, statuses, scope, what it means, what to do. */
#include "mgmt/json/problem.h"

#include <string.h>

#define ANY     PROBLEM_ANY
#define NOWHERE PROBLEM_NOWHERE
#define BODY    PROBLEM_BODY
#define CHANGE  PROBLEM_CHANGE
#define PEER    PROBLEM_PEER

/* clang-format off */
const struct problem problems[] = {
	{ "bad-request", "400, 417", ANY, "not HTTP as it should be, a bad path or query", NULL },
	{ "timeout", "408", ANY, "the request was not received in time", NULL },
	{ "too-long", "414, 431", ANY, "the request line or a header", NULL },
	{ "too-many-requests", "429", ANY, "too many failed logins from this address", NULL },
	{ "not-implemented", "501", ANY, "a method or transfer coding that is not known", NULL },
	{ "http-version", "505", ANY, "not HTTP/1.1", NULL },
	{ "unauthorized", "401", ANY, "no valid token", "ask somebody whose role allows it" },
	{ "token-ended", "401", ANY, "the token was for a time that is over", "make another one: weir token new" },
	{ "token-elsewhere", "403", ANY, "the token is not taken from this address", "ask from an address that its line in CONF/tokens has behind from=" },
	{ "forbidden", "403", ANY, "the role does not permit the request", "ask somebody whose role allows it" },
	{ "out-of-scope", "403", ANY, "the change touches what is outside the token's scope; `outside` has the paths, or the first 32", "ask somebody whose token has it in its scope" },
	{ "not-found", "404", ANY, "", NULL },
	{ "method-not-allowed", "405", NOWHERE, "`Allow` has the methods of the path", NULL },
	{ "guard", "409", CHANGE, "refused by a guard; `guards`",
	  "to do it anyway: --override GUARD --reason TEXT (kept in the record)" },
	{ "operation", "409", CHANGE,
	  "another operation has the site, or the command is not for this state; `operation` names the other one",
	  "weir operations lists all with their states" },
	{ "site-gone", "409", CHANGE,
	  "the version in force has the site no more; `detail` says what ends its drain", NULL },
	{ "drill", "409", CHANGE, "a drill is not possible now; `detail` says why", NULL },
	{ "owner-unreachable", "409", CHANGE,
	  "the owner does not answer: `take` makes another node the owner. `detail` says whether nothing was changed, or that the owner carries the order out within 5 s or not at all",
	  NULL },
	{ "other-cluster", "409", PEER,
	  "a request between nodes names another cluster, or this node has no version yet", NULL },
	{ "peer-unreachable", "503", ANY, "a peer that was to be asked gave no answer", NULL },
	{ "not-pending", "409", CHANGE, "there is nothing to confirm", NULL },
	{ "nothing-to-end", "409", CHANGE, "there is nothing to hold or return", NULL },
	{ "overtaken", "409", CHANGE,
	  "another command at that target came first, which this node had not heard of; `detail` names it", NULL },
	{ "no-store", "409", CHANGE, "this node shares no store", NULL },
	{ "no-copy", "409", CHANGE, "this node has no versions of the store to rebuild it from", NULL },
	{ "store-empty", "409", CHANGE, "the shared store has no version to accept", NULL },
	{ "store-not-empty", "409", CHANGE, "the shared store has records, so it is not rebuilt", NULL },
	{ "store-differs", "409", CHANGE, "the shared store is another one than this node's", NULL },
	{ "nothing-to-accept", "409", CHANGE, "the shared store has all that this node has", NULL },
	{ "rebuild-runs", "409", CHANGE, "another node makes the shared store at this moment", NULL },
	{ "too-many", "409", CHANGE, "a bound is reached (1,024 overrides)", NULL },
	{ "in-use", "409", CHANGE, "a member's name or address is another backend's or member's; `detail` names it", NULL },
	{ "too-fast", "429", CHANGE, "more changes of members than the store takes in 10 s; `Retry-After`", NULL },
	{ "referenced", "409", CHANGE, "what an edit removes is named elsewhere; `referents` has the paths", "remove what names it first, or let it name another one (weir set)" },
	{ "shared-include", "409", CHANGE,
	  "what is to be edited stands in a file that is included twice; `positions`: change the files, and apply them", "its text is used twice: change the files (weir pull, then weir push)" },
	{ "not-editable", "409", CHANGE, "the text of the object cannot be edited in place; `positions`: change the files, and apply them", "change the files instead (weir pull, then weir push)" },
	{ "events-lost", "410", ANY, "events after that id are no longer kept", NULL },
	{ "cursor-expired", "410", ANY,
	  "the cursor is of a version that is not in force, or not kept, any more: read the list from its beginning", NULL },
	{ "not-a-node", "409, 410", CHANGE,
	  "409: this node is not in the version in force, and takes no override, operation or drill: give the command at another node. 410: a request between nodes is of a node that is not in the configuration here",
	  NULL },
	{ "old-file", "412", CHANGE, "the file takes back settings that changed since it was made; `takes_back`",
	  "make the file again from the version in force (weir pull NEW-DIRECTORY), or use --replace" },
	{ "base-unknown", "412", CHANGE,
	  "what the file was made from is not known here, so neither is what it takes back; `takes_back`",
	  "what others did is in weir versions and weir diff; make the file again from the version in force (weir pull NEW-DIRECTORY), or use --replace" },
	{ "first-version", "409", CHANGE,
	  "the change is to be confirmed, and would be the first version of the store, so there is none to go back to: apply what the nodes run first, or say `\"confirm_within\": \"none\"`",
	  NULL },
	{ "not-here", "412", CHANGE,
	  "another version is to be in force, and this node does not have its files yet: ask again, or apply with `replace`",
	  "wait until weir store status has it here; if no node has its files any more: weir apply FILE --replace" },
	{ "store-changed", "412", CHANGE, "the shared store is not as the dry run showed it",
	  "run the same command again: it shows what it would do now" },
	{ "stale", "412", CHANGE,
	  "If-Match does not match, or another node's change came first; `head` is the present ETag, and of an edit `object` what it is of",
	  "somebody changed it meanwhile: look at weir diff, then try again" },
	{ "plan-changed", "409", CHANGE,
	  "the plan that a token was made for is another now; `plan`, `token`",
	  "somebody changed it meanwhile: look at weir diff, then try again" },
	{ "unconfirmed", "409", CHANGE,
	  "an earlier version is not confirmed yet; `version`, `rolls_back_to`; `Retry-After`: seconds until its deadline",
	  "keep the earlier version with weir confirm; or repeat the command with --confirm-pending or --join-pending" },
	{ "too-large", "413", BODY, "a body of more than 32 MiB, or with too many values", NULL },
	{ "not-json", "415", BODY, "", NULL },
	{ "mistakes", "422", BODY, "the configuration has errors; all are listed",
	  "correct the errors, then run weir config check; zone files are searched for next to the configuration file" },
	{ "invalid", "422", ANY, "the request has errors; `errors` lists them", NULL },
	{ "digest", "422", BODY,
	  "a file sent in parts does not match its digest: send it again from its beginning", NULL },
	{ "key-reused", "422", CHANGE, "the Idempotency-Key was used for another request", NULL },
	{ "if-match-required", "428", CHANGE, "", NULL },
	{ "busy", "503", ANY, "out of memory, or a limit is reached; `Retry-After` where asking again helps",
	  "try again in a moment" },
	{ "internal", "500", ANY, "", NULL },
	{ "store", "503", ANY,
	  "the store cannot keep a version, or an operation that begins, now: nothing was changed (overrides are taken all the same); or a version in it is damaged",
	  "overrides still work (of a site: weir drain site NAME --scheduled); weir status says what is wrong" },
	{ "store-unavailable", "503", CHANGE,
	  "the shared store does not decide now: nothing was changed; `detail` says why. Overrides are taken all the same",
	  "overrides still work (of a site: weir drain site NAME --scheduled); weir store status says what is wrong" },
	{ "outcome-unknown", "503", CHANGE,
	  "the shared store may have taken the change; `detail` has its id. `/v1/versions` and `/v1/operations` show it",
	  "look at weir versions and weir operations before you repeat the command" },
	{ "audit", "503", CHANGE,
	  "the audit log of the node cannot be written, so no version is made: nothing was changed. Overrides, operations, confirmations and rollbacks are carried out all the same",
	  "make room on the disk of the state directory (df), then repeat; overrides still work, and weir confirm and weir rollback" },
	{ "process-unreachable", "503", ANY, "", NULL },
};
/* clang-format on */
const size_t problems_n = sizeof(problems) / sizeof(problems[0]);

const char *problem_cure(const char *code)
{
	for (size_t i = 0; i < problems_n; i++)
		if (!strcmp(problems[i].code, code))
			return problems[i].cure;
	return NULL;
}
