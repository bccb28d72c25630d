/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to an override command for people. The API and --offline give the same answer, so both
 * are printed here.
 */
#include "mgmt/cli/cmd_override.h"
#include "mgmt/json/listing.h"

#define AT(label, name) "[  " label " {" name "}\n|{?" name "=null}  " label " never\n]"
/* Once an override returns, its start is of no interest. */
#define TIMES                                                                                      \
	"[{!state=returning}{!state=done}" AT(                                                     \
	        "starts   ", "from") "[  complete  {full}\n]"                                      \
	                             "]" AT("returns  ", "until") AT("all back ", "returned")

const char override_text[] =
        "[{?override}[{?dry_run}dry run, nothing was changed:\n]"
        "{*override}{do|?} " LISTING_TARGET ": {state|?} ({id|?})\n" TIMES "{/}"
        "[{?receivers}receivers:\n]"
        "{*receivers}  [{-16 site}|{-16 node}|{-16 backend|?}] share {7 weight_ppm_before:ppm|0} -> "
        "{7 weight_ppm_after:ppm|0}[, {bits_per_s:bits} -> {bits_per_s_after:bits|}"
        "|{?site}, load not known|{?node}, load not known]"
        "[ ({load_ppm_after:ppm} of {capacity_bits_per_s:bits|0})]\n{/}"
        "{*guards}  guard {guard}: [{?ok}{state|ok}|OVERRIDDEN][, {detail}]\n{/}"
        "{*notes}[  note: {}\n]{/}"
        "{*nodes}  {-16 node} {state}[ {detail}]\n{/}" INCOMPLETE "[{!dry_run}undo: {undo}\n]"
        "|{*notes}[{}\n]{/}]";
