/*
 * strategies/gate_report.h - what gates share: collecting problems, choosing nodes.
 *
 * A gate adds a problem for each thing it finds; the answer is the worst state and all problems,
 * worst first, in one sentence. Private to strategies/gates*.c, which declare themselves below.
 */
#ifndef UPSHIFT_STRATEGIES_GATE_REPORT_H
#define UPSHIFT_STRATEGIES_GATE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/gate.h"

/* One thing that is wrong. Its sentence is `before`, the names of the nodes of which exactly the
 * same is wrong, and `after`. */
struct gate_problem {
    enum gate_state state;
    const char *remedy; /* instruction, static or in the input's arena, or NULL */
    const char *before; /* static; NULL: the sentence begins with the names */
    const char *node;   /* NULL: the sentence is `after` alone */
    const char *after;  /* set by gate_report_add_node() */
};

struct gate_report {
    const struct gate_input *input;
    struct gate_problem *problems;
    size_t problem_count;
};

/* Adds a problem of no node in particular, or one that no two nodes share. */
void gate_report_add(struct gate_report *report, enum gate_state state, const char *remedy,
    const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds a problem of problem->node; the format writes `after`. Word it for one node and for many. */
void gate_report_add_node(struct gate_report *report, const struct gate_problem *problem,
    const char *format, ...) PRINTF_LIKE(3, 4);

/* The answer of the gate `name`: *yes* with its summary when there were no problems. */
struct gate_answer gate_report_finish(const struct gate_report *report, const char *name);

/* Walks the nodes that the gate is about: args.node, or all, without args.except. Those that cannot
 * be read are reported and left out. Start with *cursor == 0; NULL at the end. */
const struct fact_node *gate_next_node(struct gate_report *report, size_t *cursor);

/* The node of args.node, read or not; reports and answers NULL when it is unknown. */
const struct fact_node *gate_named_node(struct gate_report *report);

/* Reports a node that cannot be read. */
void gate_report_unread(struct gate_report *report, const struct fact_node *node);

/* Is the node out of account: named by args.except or args.gone, or one of args.except_old? */
bool gate_is_excepted(const struct gate_input *input, const char *name);

/* The state of a problem that only the operator can end: *never* in preflight (args.preflight). In
 * a run it is *not yet*, because right after a switchover it may look the same for a moment. */
enum gate_state gate_lasting(const struct gate_input *input);

/* The node that a line of a view is about: by id, else (when that node cannot be read, so that its
 * id is not known) by address. NULL: not one of ours. */
const struct fact_node *gate_node_of_view(const struct facts *facts, const struct fact_view *view);

/* True when a replica's primary is out of account, too (args.except), so that nothing can be said
 * of the pair. */
bool gate_is_primary_excepted(const struct gate_input *input, const struct fact_node *replica);

/* A name for people. */
const char *gate_view_name(const struct facts *facts, const struct fact_view *view);

/* The line of `viewer`'s own table about the node with this id, or NULL. */
const struct fact_view *gate_view_of(const struct fact_node *viewer, const char *id);

/* How many replicas `primary` has in its own view, healthy or not. */
int64_t gate_replica_count(const struct fact_node *primary);

/* Does the node run exactly args.product and args.version already? False without these. */
bool gate_is_at_target(const struct gate_input *input, const struct fact_node *node);

/* Reachable, attached to its primary, nothing left to copy. */
bool gate_is_healthy_replica(const struct fact_node *node);

/* "1.5 GiB", for people (gates_preflight.c). */
const char *gate_write_bytes(struct arena *arena, int64_t bytes);

/* The gates, by file. */
struct gate_answer gate_all_reachable(const struct gate_input *input);
struct gate_answer gate_roles_known(const struct gate_input *input);
struct gate_answer gate_not_loading(const struct gate_input *input);
struct gate_answer gate_cluster_ok(const struct gate_input *input);
struct gate_answer gate_no_slot_moves(const struct gate_input *input);
struct gate_answer gate_views_agree(const struct gate_input *input);

struct gate_answer gate_one_primary(const struct gate_input *input);
struct gate_answer gate_files_follow(const struct gate_input *input);
struct gate_answer gate_sentinels_agree(const struct gate_input *input);
struct gate_answer gate_sentinel_quorum(const struct gate_input *input);
struct gate_answer gate_sentinel_spare(const struct gate_input *input);
struct gate_answer gate_heir_electable(const struct gate_input *input);

struct gate_answer gate_replicas_synced(const struct gate_input *input);
struct gate_answer gate_lag_small(const struct gate_input *input);
struct gate_answer gate_key_counts_match(const struct gate_input *input);
struct gate_answer gate_redundancy(const struct gate_input *input);
struct gate_answer gate_min_replicas(const struct gate_input *input);
struct gate_answer gate_way_back_fed(const struct gate_input *input);

struct gate_answer gate_no_saving(const struct gate_input *input);
struct gate_answer gate_nodes_settled(const struct gate_input *input);
struct gate_answer gate_process_known(const struct gate_input *input);
struct gate_answer gate_drained(const struct gate_input *input);
struct gate_answer gate_no_drift(const struct gate_input *input);
struct gate_answer gate_persistent_primary(const struct gate_input *input);

struct gate_answer gate_fork_memory(const struct gate_input *input);
struct gate_answer gate_disk_space(const struct gate_input *input);
struct gate_answer gate_modules_allowed(const struct gate_input *input);
struct gate_answer gate_commands_known(const struct gate_input *input);
struct gate_answer gate_addresses_announced(const struct gate_input *input);
struct gate_answer gate_heir_allowed(const struct gate_input *input);

struct gate_answer gate_one_product(const struct gate_input *input);
struct gate_answer gate_no_downgrade(const struct gate_input *input);
struct gate_answer gate_hop_allowed(const struct gate_input *input);
struct gate_answer gate_full_sync_allowed(const struct gate_input *input);
struct gate_answer gate_directory_safe(const struct gate_input *input);
struct gate_answer gate_config_accepted(const struct gate_input *input);

struct gate_answer gate_assume_role(const struct gate_input *input);
struct gate_answer gate_assume_id(const struct gate_input *input);
struct gate_answer gate_assume_slots(const struct gate_input *input);
struct gate_answer gate_assume_series(const struct gate_input *input);

#endif
