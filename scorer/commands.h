/* The scorer's subcommands, one file each; main.c holds the table. Each returns the exit
 * status: 0 done, 1 failed, 2 usage; on failure it has said why in one log line. */
#pragma once

#include "base/options.h"

int cmd_run(const struct options *options);     /* daemon.c: the daemon */
int cmd_check(const struct options *options);   /* check.c: configuration, model, topics, servers */
int cmd_audit(const struct options *options);   /* audit.c: every offset one end, every record one row */
int cmd_explain(const struct options *options); /* explain/: past decisions made again */
int cmd_report(const struct options *options);  /* report/: a month as a page, from the database */
int cmd_notices(const struct options *options); /* command_notices.c: who became flagged, and why, in words */
int cmd_state(const struct options *options);   /* state_admin/: the state topic, while no scorer runs */
int cmd_score(const struct options *options);   /* cmd_score.c: JSON Lines in, probabilities and reasons out */
int cmd_decode(const struct options *options);  /* cmd_decode.c: hexadecimal Avro in, JSON out */

/* command_views.c: the SQL that describes the schemas to a database. */
MUST_USE enum status command_views(const struct options *options, struct error *err);
