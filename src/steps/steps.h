/*
 * steps/steps.h - every kind of step there is, as one table.
 *
 * A kind is one file here, implementing engine/step.h. Strategies name kinds in plans, `app` checks
 * that each name exists and hands the table to the engine, which calls them on worker threads.
 */
#ifndef UPSHIFT_STEPS_STEPS_H
#define UPSHIFT_STEPS_STEPS_H

#include "engine/step.h"

/* {node, series, to, rdb_file, aof_file, aof_folder, cluster_file} */
extern const struct step_ops data_set_aside_ops;
extern const struct step_ops data_drop_aside_ops;  /* {node} */
extern const struct step_ops backup_take_ops;      /* {node, dir, dump, server: that loads it} */
extern const struct step_ops config_fit_ops;       /* {node, series} */
extern const struct step_ops config_replicaof_ops; /* {node, primary: a name or "none"} */
extern const struct step_ops config_rewrite_ops;   /* {node, digest: of the file until then} */
extern const struct step_ops package_switch_ops;   /* {node, server, version, series} */
extern const struct step_ops repl_cutover_ops;     /* {node, primary, shard, id, primary_id} */
extern const struct step_ops repl_setting_ops;     /* {node, name, value} */
extern const struct step_ops repl_switchover_ops;  /* {node, primary, shard, id, primary_id} */
extern const struct step_ops service_start_ops;    /* {node, series, reads_rdb, reads_aof_folder} */
extern const struct step_ops service_stop_ops;     /* {node} */

/* All of them, ended by NULL. */
extern const struct step_ops *const step_table[];

/* The kind with this name, or NULL. */
const struct step_ops *steps_find(const char *name);

#endif
