/* Gates: each answer of each, and what they do with what they cannot see. */
#include "strategies/gates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/str.h"
#include "story.h"

#define DOWN                                                                                       \
    "\"is_reachable\": false, \"trouble\": \"connection refused\", \"id\": null, "                 \
    "\"role\": null, \"primary_id\": null, \"slots\": null, \"version\": null, \"views\": []"

/* shard-1 after its switchover: n4 primary on 7.0, n1 its replica on 6.0. */
#define SWITCHED                                                                                   \
    "\"*\": {\"views\": {\"id1\": {\"role\": \"replica\", \"primary_id\": \"id4\", "               \
    "\"slots\": null, \"epoch\": 4}, \"id4\": {\"role\": \"primary\", \"primary_id\": null, "      \
    "\"slots\": \"0-5460\", \"epoch\": 4}}}, "                                                     \
    "\"n4\": {\"role\": \"primary\", \"primary_id\": null, \"slots\": \"0-5460\", "                \
    "\"version\": \"7.0.15\", \"series\": \"redis/7.0\", \"offset\": 5000000}"
#define OLD_PRIMARY(link)                                                                          \
    "\"role\": \"replica\", \"primary_id\": \"id4\", \"slots\": null, \"is_link_up\": " link

#define WAY_BACK                                                                                   \
    "{\"nodes\": [{\"node\": \"n1\", \"shard\": \"shard-1\", \"series\": \"redis/6.0\"}]}"
#define TARGET "{\"product\": \"redis\", \"version\": \"7.0.15\", \"series\": \"redis/7.0\"}"

struct gate_case {
    const char *title;
    const char *gate;
    const char *args;  /* NULL: {} */
    const char *nodes; /* patch of the facts' nodes; NULL: none */
    enum gate_state state;
    const char *reason; /* part of it */
};

static const struct gate_case cases[] = {
    {"all_reachable_waits_for_a_node_that_is_down", "all_reachable", NULL, "{\"n4\": {" DOWN "}}",
        GATE_NOT_YET, "n4 cannot be read: connection refused"},
    {"all_reachable_asks_about_a_wrong_password", "all_reachable", NULL,
        "{\"n4\": {" DOWN ", \"trouble_code\": \"wrong_password\"}}", GATE_NEEDS_YOU,
        "n4 cannot be read"},
    {"all_reachable_forgives_a_node_in_repair", "all_reachable", "{\"except\": [\"n4\"]}",
        "{\"n4\": {" DOWN "}}", GATE_YES, NULL},

    {"except_old_leaves_out_nodes_of_another_version", "not_loading",
        "{\"except_old\": true, \"product\": \"redis\", \"version\": \"7.0.15\"}",
        "{\"n4\": {\"is_loading\": true}}", GATE_YES, NULL},
    {"except_old_does_not_leave_out_nodes_at_the_target", "not_loading",
        "{\"except_old\": true, \"product\": \"redis\", \"version\": \"6.0.16\"}",
        "{\"n4\": {\"is_loading\": true}}", GATE_NOT_YET, "n4 is loading"},
    {"except_old_does_not_leave_out_nodes_that_are_down", "all_reachable",
        "{\"except_old\": true, \"product\": \"redis\", \"version\": \"7.0.15\"}",
        "{\"n4\": {" DOWN "}}", GATE_NOT_YET, "n4 cannot be read"},

    {"roles_known_asks_about_a_primary_without_slots", "roles_known", NULL,
        "{\"n3\": {\"slots\": null}}", GATE_NEEDS_YOU, "n3 is a primary without slots"},
    {"roles_known_asks_about_a_replica_of_a_stranger", "roles_known", NULL,
        "{\"n6\": {\"primary_id\": \"id99\"}}", GATE_NEEDS_YOU,
        "n6 copies from a node that is not in the inventory"},
    {"roles_known_says_not_yet_without_a_role", "roles_known", NULL, "{\"n6\": {\"role\": null}}",
        GATE_NOT_YET, "n6 does not say its role"},

    {"not_loading_waits_for_loading", "not_loading", NULL, "{\"n5\": {\"is_loading\": true}}",
        GATE_NOT_YET, "n5 is loading"},
    {"not_loading_of_a_node_looks_at_that_node_only", "not_loading", "{\"node\": \"n4\"}",
        "{\"n5\": {\"is_loading\": true}}", GATE_YES, NULL},
    {"a_gate_of_a_node_that_is_down_says_not_yet", "not_loading", "{\"node\": \"n4\"}",
        "{\"n4\": {" DOWN "}}", GATE_NOT_YET, "n4 cannot be read"},
    {"a_gate_of_an_unknown_node_says_not_yet", "not_loading", "{\"node\": \"n99\"}", NULL,
        GATE_NOT_YET, "n99 was not looked at"},

    {"cluster_ok_waits_for_the_state", "cluster_ok", NULL, "{\"n2\": {\"is_cluster_ok\": false}}",
        GATE_NOT_YET, "n2 says cluster_state:fail"},
    {"cluster_ok_waits_for_one_missing_slot", "cluster_ok", NULL, "{\"n2\": {\"slots_ok\": 16383}}",
        GATE_NOT_YET, "slots ok 16383"},
    {"cluster_ok_waits_for_suspect_slots", "cluster_ok", NULL, "{\"n2\": {\"slots_suspect\": 1}}",
        GATE_NOT_YET, "suspect 1"},
    {"cluster_ok_waits_for_failing_slots", "cluster_ok", NULL, "{\"n2\": {\"slots_failing\": 1}}",
        GATE_NOT_YET, "failing 1"},
    {"cluster_ok_waits_for_missing_members", "cluster_ok", NULL, "{\"n2\": {\"known_nodes\": 5}}",
        GATE_NOT_YET, "not all nodes of the inventory are known to n2: 5 of 6"},
    {"cluster_ok_asks_about_unknown_members", "cluster_ok", NULL, "{\"*\": {\"known_nodes\": 7}}",
        GATE_NEEDS_YOU, "n1, n2, n3, n4, n5, n6: 7 instead of 6"},
    {"cluster_ok_counts_no_handshakes", "cluster_ok", NULL,
        "{\"n2\": {\"known_nodes\": 7, \"views\": {\"id7\": {\"id\": \"id7\", "
        "\"is_handshaking\": true}}}}",
        GATE_YES, NULL},

    {"views_agree_waits_for_fail", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": {\"is_failing\": true}}}}", GATE_NOT_YET,
        "n4 is failing (fail) in the view of n2"},
    {"views_agree_waits_for_suspicion", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": {\"is_suspect\": true}}}}", GATE_NOT_YET,
        "n4 is suspected (fail?) in the view of n2"},
    {"views_agree_waits_for_links", "views_agree", NULL,
        "{\"*\": {\"views\": {\"id4\": {\"is_linked\": false}}}}", GATE_NOT_YET,
        "n4 has no link in the view of n1, n2, n3 and 3 more"},
    {"views_agree_waits_for_handshakes", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": {\"is_handshaking\": true}}}}", GATE_NOT_YET,
        "n4 is still shaking hands"},
    {"views_agree_waits_for_slot_owners", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id1\": {\"slots\": \"0-5459\"}}}}", GATE_NOT_YET,
        "n1 has other slots in the view of n2"},
    {"views_agree_waits_for_epochs", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id1\": {\"epoch\": 7}}}}", GATE_NOT_YET,
        "n1 has another epoch in the view of n2"},
    {"views_agree_does_not_compare_epochs_of_replicas", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": {\"epoch\": 7}}}}", GATE_YES, NULL},
    {"views_agree_waits_for_roles", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": {\"role\": \"primary\"}}}}", GATE_NOT_YET,
        "n4 has another role or primary in the view of n2"},
    {"views_agree_waits_for_primaries", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": {\"primary_id\": \"id2\"}}}}", GATE_NOT_YET,
        "n4 has another role or primary in the view of n2"},
    {"views_agree_waits_for_a_forgotten_node", "views_agree", NULL,
        "{\"n2\": {\"views\": {\"id4\": null}}}", GATE_NOT_YET, "n4 is missing in the view of n2"},
    {"views_agree_waits_for_an_unread_view", "views_agree", NULL, "{\"n2\": {\"views\": []}}",
        GATE_NOT_YET, "n2 shows no view"},
    {"views_agree_forgives_a_node_in_repair", "views_agree", "{\"except\": [\"n4\"]}",
        "{\"n4\": {" DOWN "}, \"*\": {\"views\": {\"id4\": {\"is_failing\": true}}}}", GATE_YES,
        NULL},

    {"replicas_synced_waits_for_a_link", "replicas_synced", NULL,
        "{\"n4\": {\"is_link_up\": false}}", GATE_NOT_YET, "the link of n4 to n1 is down"},
    {"replicas_synced_waits_for_a_full_copy", "replicas_synced", NULL,
        "{\"n4\": {\"is_syncing\": true}}", GATE_NOT_YET, "n4 is copying everything from n1"},
    {"replicas_synced_waits_after_silence", "replicas_synced", NULL,
        "{\"n4\": {\"link_silence_s\": 16}}", GATE_NOT_YET,
        "n4 has heard nothing from n1 for 16 s"},
    {"replicas_synced_accepts_the_silence_between_two_pings", "replicas_synced", NULL,
        "{\"n4\": {\"link_silence_s\": 15}}", GATE_YES, NULL},
    {"replicas_synced_of_a_primary_says_not_yet", "replicas_synced", "{\"node\": \"n1\"}", NULL,
        GATE_NOT_YET, "n1 is not a replica"},

    {"lag_small_waits_for_one_byte_too_many", "lag_small", "{\"node\": \"n4\", \"bytes\": 999}",
        NULL, GATE_NOT_YET, "n4 is 1000 bytes behind n1 (at most 999)"},
    {"lag_small_accepts_the_limit", "lag_small", "{\"node\": \"n4\", \"bytes\": 1000}", NULL,
        GATE_YES, NULL},
    {"lag_small_accepts_a_replica_read_later", "lag_small", "{\"node\": \"n4\", \"bytes\": 0}",
        "{\"n4\": {\"offset\": 5000001}}", GATE_YES, NULL},
    {"lag_small_waits_for_another_history", "lag_small", "{\"node\": \"n4\", \"bytes\": 1000}",
        "{\"n4\": {\"replid\": \"other\"}}", GATE_NOT_YET, "another history"},
    {"lag_small_waits_for_an_unread_primary", "lag_small", "{\"node\": \"n4\", \"bytes\": 1000}",
        "{\"n1\": {" DOWN "}}", GATE_NOT_YET, "the primary of n4 cannot be read"},

    {"key_counts_match_waits_beyond_five_percent", "key_counts_match", "{\"node\": \"n4\"}",
        "{\"n4\": {\"key_count\": 94999}}", GATE_NOT_YET,
        "n4 holds 94999 keys, its primary n1 100000"},
    {"key_counts_match_accepts_five_percent", "key_counts_match", "{\"node\": \"n4\"}",
        "{\"n4\": {\"key_count\": 95000}}", GATE_YES, NULL},
    {"key_counts_match_accepts_a_thousand_of_few", "key_counts_match", NULL,
        "{\"n1\": {\"key_count\": 1500}, \"n4\": {\"key_count\": 500}}", GATE_YES, NULL},
    {"key_counts_match_never_takes_empty_for_full", "key_counts_match", NULL,
        "{\"n1\": {\"key_count\": 3}, \"n4\": {\"key_count\": 0}}", GATE_NOT_YET,
        "n4 holds 0 keys, its primary n1 3"},
    {"key_counts_match_accepts_two_empty_ones", "key_counts_match", NULL,
        "{\"n1\": {\"key_count\": 0}, \"n4\": {\"key_count\": 0}}", GATE_YES, NULL},
    {"key_counts_match_waits_for_an_unread_primary", "key_counts_match", "{\"node\": \"n4\"}",
        "{\"n1\": {" DOWN "}}", GATE_NOT_YET, "the primary of n4 cannot be read"},

    {"redundancy_waits_for_the_only_replica", "redundancy", NULL,
        "{\"n4\": {\"is_link_up\": false}}", GATE_NOT_YET, "shard-1 of n1 has no healthy replica"},
    {"redundancy_waits_in_a_run_for_replicas_to_come_over", "redundancy", NULL,
        "{\"n4\": {\"primary_id\": \"id2\"}, \"*\": {\"views\": {\"id4\": {\"primary_id\": "
        "\"id2\"}}}}",
        GATE_NOT_YET, "shard-1 of n1 has no replica"},
    {"redundancy_is_impossible_without_replicas", "redundancy", "{\"preflight\": true}",
        "{\"n4\": {\"primary_id\": \"id2\"}, \"*\": {\"views\": {\"id4\": {\"primary_id\": "
        "\"id2\"}}}}",
        GATE_NEVER, "shard-1 of n1 has no replica"},
    {"redundancy_of_a_shard_looks_at_that_shard", "redundancy", "{\"shard\": \"shard-2\"}",
        "{\"n4\": {\"is_link_up\": false}}", GATE_YES, NULL},
    {"redundancy_waits_for_the_target_series", "redundancy",
        "{\"shard\": \"shard-1\", \"series\": \"redis/7.0\"}", NULL, GATE_NOT_YET,
        "has no healthy replica on redis/7.0"},
    {"redundancy_of_an_unknown_shard_says_not_yet", "redundancy", "{\"shard\": \"shard-9\"}", NULL,
        GATE_NOT_YET, "shard-9 has no primary in sight"},
    {"redundancy_forgives_a_node_in_repair", "redundancy", "{\"except\": [\"n4\"]}",
        "{\"n4\": {" DOWN "}}", GATE_YES, NULL},
    {"redundancy_forgives_only_the_shard_in_repair", "redundancy", "{\"except\": [\"n4\"]}",
        "{\"n4\": {" DOWN "}, \"n5\": {\"is_link_up\": false}}", GATE_NOT_YET, "shard-2 of n2"},

    {"min_replicas_waits_in_a_run", "min_replicas", NULL, "{\"n4\": {\"min_replicas\": 1}}",
        GATE_NOT_YET, "min-replicas-to-write of n4 is 1"},
    {"min_replicas_refuses_what_cannot_remain", "min_replicas", "{\"preflight\": true}",
        "{\"n4\": {\"min_replicas\": 1}}", GATE_NEVER,
        "min-replicas-to-write of n4 is 1, shard-1 has 1 replica"},
    {"min_replicas_accepts_none_wanted", "min_replicas", NULL, NULL, GATE_YES, NULL},

    {"no_slot_moves_waits_for_resharding", "no_slot_moves", NULL,
        "{\"n1\": {\"views\": {\"id1\": {\"moving_slots\": 1}}}}", GATE_NOT_YET,
        "n1 is moving 1 slot"},

    {"no_saving_waits_for_a_save", "no_saving", "{\"node\": \"n1\"}",
        "{\"n1\": {\"is_saving\": true}}", GATE_NOT_YET, "n1 is saving"},
    {"no_saving_refuses_after_a_failed_write", "no_saving", NULL,
        "{\"n1\": {\"is_last_write_good\": false, \"is_saving\": true}}", GATE_NEVER,
        "the last save or append of n1 failed; n1 is saving"},
    {"no_saving_of_a_node_looks_at_that_node_only", "no_saving", "{\"node\": \"n2\"}",
        "{\"n1\": {\"is_saving\": true}}", GATE_YES, NULL},

    {"drained_waits_for_clients", "drained", "{\"node\": \"n1\"}", NULL, GATE_NOT_YET,
        "4 clients are still busy on n1"},
    {"drained_is_without_clients", "drained", "{\"node\": \"n1\"}",
        "{\"n1\": {\"busy_clients\": 0}}", GATE_YES, NULL},

    {"no_drift_asks_which_value_is_meant", "no_drift", NULL,
        "{\"n2\": {\"drift\": {\"maxmemory\": {\"setting\": \"maxmemory\", \"live\": \"1\", "
        "\"file\": \"0\"}}}}",
        GATE_NEEDS_YOU, "maxmemory of n2 is 1 live and 0 in its file"},
    {"no_drift_ignores_what_the_run_set", "no_drift", "{\"ignore\": [\"repl-backlog-size\"]}",
        "{\"n2\": {\"drift\": {\"repl-backlog-size\": {\"setting\": \"repl-backlog-size\", "
        "\"live\": \"1\", \"file\": \"0\"}}}}",
        GATE_YES, NULL},

    {"persistent_primary_refuses_a_primary_in_memory", "persistent_primary", NULL,
        "{\"n2\": {\"is_persistent\": false}}", GATE_NEVER, "n2 keeps nothing on disk"},
    {"persistent_primary_lets_replicas_be", "persistent_primary", NULL,
        "{\"n5\": {\"is_persistent\": false}}", GATE_YES, NULL},
    {"persistent_primary_refuses_the_next_primary", "persistent_primary", "{\"node\": \"n5\"}",
        "{\"n5\": {\"is_persistent\": false}}", GATE_NEVER, "n5 keeps nothing on disk"},

    {"one_product_refuses_two", "one_product", TARGET, "{\"n2\": {\"product\": \"valkey\"}}",
        GATE_NEVER, "a second product is on n2: valkey, while n1 runs redis"},
    {"one_product_counts_no_node_at_the_target", "one_product",
        "{\"product\": \"valkey\", \"version\": \"8.1.1\", \"series\": \"valkey/8.1\"}",
        "{\"n2\": {\"product\": \"valkey\", \"version\": \"8.1.1\"}}", GATE_YES, NULL},
    {"an_untold_version_says_not_yet", "one_product", TARGET, "{\"n2\": {\"version\": null}}",
        GATE_NOT_YET, "n2 does not tell its version"},

    {"no_downgrade_refuses_an_older_target", "no_downgrade", TARGET,
        "{\"n2\": {\"version\": \"7.0.16\", \"series\": \"redis/7.0\"}}", GATE_NEVER,
        "n2 cannot go back from redis 7.0.16 to 7.0.15"},
    {"no_downgrade_does_not_compare_products", "no_downgrade", TARGET,
        "{\"n2\": {\"product\": \"valkey\", \"version\": \"8.1.1\"}}", GATE_YES, NULL},

    {"hop_allowed_refuses_an_unknown_series", "hop_allowed",
        "{\"product\": \"redis\", \"version\": \"9.9\", \"series\": \"redis/9.9\"}", NULL,
        GATE_NEVER, "upshift has no rules for redis/9.9"},
    {"hop_allowed_refuses_a_jump", "hop_allowed",
        "{\"product\": \"valkey\", \"version\": \"8.1.1\", \"series\": \"valkey/8.1\"}", NULL,
        GATE_NEVER, "cannot go from redis/6.0 to valkey/8.1 in one run"},
    {"hop_allowed_accepts_a_hop", "hop_allowed", TARGET, NULL, GATE_YES, NULL},

    {"full_sync_allowed_refuses_a_newer_primary", "full_sync_allowed",
        "{\"node\": \"n4\", \"series\": \"redis/7.0\"}",
        "{\"n1\": {\"version\": \"8.0.2\", \"series\": \"redis/8.0\"}}", GATE_NEVER,
        "n4 on redis/7.0 could not copy from n1 on redis/8.0"},
    {"full_sync_allowed_asks_the_others_about_a_stopped_node", "full_sync_allowed",
        "{\"node\": \"n4\", \"id\": \"id4\", \"series\": \"redis/7.0\"}", "{\"n4\": {" DOWN "}}",
        GATE_YES, NULL},
    {"full_sync_allowed_refuses_by_what_the_others_say", "full_sync_allowed",
        "{\"node\": \"n4\", \"id\": \"id4\", \"series\": \"redis/7.0\"}",
        "{\"n4\": {" DOWN "}, \"n1\": {\"series\": \"redis/8.0\"}}", GATE_NEVER,
        "could not copy from n1"},
    {"full_sync_allowed_waits_while_the_others_differ", "full_sync_allowed",
        "{\"node\": \"n4\", \"id\": \"id4\", \"series\": \"redis/7.0\"}",
        "{\"n4\": {" DOWN "}, \"n2\": {\"views\": {\"id4\": {\"primary_id\": \"id3\"}}}}",
        GATE_NOT_YET, "the others do not agree"},
    {"full_sync_allowed_lets_a_stopped_primary_start", "full_sync_allowed",
        "{\"node\": \"n1\", \"id\": \"id1\", \"series\": \"redis/7.0\"}", "{\"n1\": {" DOWN "}}",
        GATE_YES, NULL},
    {"full_sync_allowed_refuses_an_unknown_series", "full_sync_allowed",
        "{\"node\": \"n4\", \"series\": \"redis/9.9\"}", NULL, GATE_NEVER,
        "no rules for redis/9.9"},

    {"directory_safe_refuses_a_newer_dump", "directory_safe",
        "{\"node\": \"n4\", \"series\": \"redis/7.0\"}", "{\"n4\": {\"rdb_version\": 11}}",
        GATE_NEVER,
        "too new a dump is in the directory of n4: format 11, redis/7.0 reads up to 10"},
    {"directory_safe_refuses_an_old_program_on_appendonlydir", "directory_safe",
        "{\"node\": \"n4\", \"series\": \"redis/6.0\"}",
        "{\"n4\": {" DOWN ", \"has_appendonly_dir\": true}}", GATE_NEVER, "would start empty"},
    {"directory_safe_waits_for_an_unread_directory", "directory_safe",
        "{\"node\": \"n4\", \"series\": \"redis/7.0\"}", "{\"n4\": {\"config_digest\": null}}",
        GATE_NOT_YET, "the directory of n4 was not read"},
    {"directory_safe_needs_no_running_server", "directory_safe",
        "{\"node\": \"n4\", \"series\": \"redis/7.0\"}", "{\"n4\": {" DOWN "}}", GATE_YES, NULL},
    {"directory_safe_of_an_unknown_node_says_not_yet", "directory_safe",
        "{\"node\": \"n99\", \"series\": \"redis/7.0\"}", NULL, GATE_NOT_YET,
        "n99 was not looked at"},

    {"way_back_fed_waits_for_a_link", "way_back_fed", WAY_BACK,
        "{" SWITCHED ", \"n1\": {" OLD_PRIMARY("false") ", \"offset\": 4999000}}", GATE_NOT_YET,
        "the way back of shard-1 is closing: the link of n1 to n4 is down"},
    {"way_back_fed_is_closed_when_the_backlog_is_overrun", "way_back_fed", WAY_BACK,
        "{" SWITCHED ", \"n1\": {" OLD_PRIMARY("false") ", \"offset\": 0}}", GATE_NEVER,
        "the way back of shard-1 is closed: n1 missed 5000000 bytes"},
    {"way_back_fed_is_closed_by_a_full_copy", "way_back_fed", WAY_BACK,
        "{" SWITCHED ", \"n1\": {" OLD_PRIMARY("true") ", \"is_syncing\": true}}", GATE_NEVER,
        "n1 (redis/6.0) needs a full copy of n4 (redis/7.0)"},
    {"way_back_fed_is_closed_by_the_new_version", "way_back_fed", WAY_BACK,
        "{" SWITCHED ", \"n1\": {" OLD_PRIMARY("true") ", \"series\": \"redis/7.0\"}}", GATE_NEVER,
        "n1 runs redis/7.0 now"},
    {"way_back_fed_is_closed_by_commands_that_the_old_version_dropped", "way_back_fed", WAY_BACK,
        "{" SWITCHED ", \"n1\": {" OLD_PRIMARY("true") ", \"key_count\": 90000}}", GATE_NEVER,
        "it does not understand all that it is sent"},
    {"way_back_fed_waits_for_an_unread_node", "way_back_fed", WAY_BACK, "{\"n1\": {" DOWN "}}",
        GATE_NOT_YET, "the way back of shard-1 cannot be seen"},
    {"way_back_fed_is_open_while_attached", "way_back_fed", WAY_BACK,
        "{" SWITCHED ", \"n1\": {" OLD_PRIMARY("true") "}}", GATE_YES, NULL},
    {"way_back_fed_is_not_needed_before_the_switchover", "way_back_fed", WAY_BACK, NULL, GATE_YES,
        NULL},

    {"all_reachable_asks_about_a_renamed_command", "all_reachable", NULL,
        "{\"n4\": {" DOWN ", \"trouble_code\": \"command_unknown\"}}", GATE_NEEDS_YOU,
        "n4 cannot be read"},
    {"fork_memory_is_asked_of_the_named_node", "fork_memory", "{\"node\": \"n4\"}",
        "{\"n1\": {\"memory_free_bytes\": 0}}", GATE_YES, NULL},
    {"fork_memory_waits_in_a_run", "fork_memory", "{\"node\": \"n4\"}",
        "{\"n4\": {\"memory_free_bytes\": 131071999}}", GATE_NOT_YET, "125.0 MiB"},
    {"fork_memory_of_a_quarter_is_enough", "fork_memory", "{\"node\": \"n4\"}",
        "{\"n4\": {\"memory_free_bytes\": 131072000}}", GATE_YES, NULL},
    {"fork_memory_never_overcommitted_is_needed_whole", "fork_memory", "{\"node\": \"n4\"}",
        "{\"n4\": {\"memory_free_bytes\": 524287999, \"overcommit\": 2}}", GATE_NOT_YET,
        "500.0 MiB"},
    {"disk_space_waits_in_a_run", "disk_space", "{\"node\": \"n4\"}",
        "{\"n4\": {\"disk_free_bytes\": 209715199}}", GATE_NOT_YET, "the disk of n4 has"},
    {"disk_space_for_two_copies_is_enough", "disk_space", "{\"node\": \"n4\"}",
        "{\"n4\": {\"disk_free_bytes\": 209715200}}", GATE_YES, NULL},
    {"modules_allowed_says_yes_when_told_so", "modules_allowed", "{\"allow\": true}",
        "{\"n4\": {\"modules\": \"a 1\", \"module_count\": 1, \"file_module_count\": 1}}", GATE_YES,
        NULL},
    {"addresses_announced_by_members_of_a_cluster_are_their_own_affair", "addresses_announced",
        NULL, "{\"n4\": {\"announced\": \"192.168.0.4:6379\"}}", GATE_YES, NULL},
    {"heir_allowed_says_yes_of_a_primary", "heir_allowed", "{\"node\": \"n1\"}",
        "{\"n1\": {\"is_failover_forbidden\": true}}", GATE_YES, NULL},

    {"assume_role_asks_about_another_role", "assume_role",
        "{\"node\": \"n4\", \"role\": \"primary\"}", NULL, GATE_NEEDS_YOU,
        "n4 is a replica, planned as primary"},
    {"assume_role_asks_about_another_shard", "assume_role",
        "{\"node\": \"n4\", \"role\": \"replica\", \"shard\": \"shard-2\"}", NULL, GATE_NEEDS_YOU,
        "n4 belongs to shard-1, planned in shard-2"},
    {"assume_role_waits_for_a_role", "assume_role", "{\"node\": \"n4\", \"role\": \"replica\"}",
        "{\"n4\": {\"role\": null}}", GATE_NOT_YET, "n4 does not say its role"},
    {"assume_role_waits_for_a_shard", "assume_role",
        "{\"node\": \"n4\", \"role\": \"replica\", \"shard\": \"shard-1\"}",
        "{\"n4\": {\"primary_id\": null}}", GATE_NOT_YET, "n4 belongs to no shard yet"},
    {"assume_id_asks_about_a_replaced_node", "assume_id", "{\"node\": \"n4\", \"id\": \"id7\"}",
        NULL, GATE_NEEDS_YOU, "n4 is another node (id4) than planned (id7)"},
    {"assume_series_asks_about_another_series", "assume_series",
        "{\"node\": \"n4\", \"series\": \"redis/7.0\"}", NULL, GATE_NEEDS_YOU,
        "n4 runs redis/6.0, planned with redis/7.0"},
    {"an_assumption_of_a_node_that_is_down_says_not_yet", "assume_id",
        "{\"node\": \"n4\", \"id\": \"id4\"}", "{\"n4\": {" DOWN "}}", GATE_NOT_YET,
        "n4 cannot be read"},
};

static struct gate_answer ask(struct story *story, const char *gate, const struct json *args)
{
    const struct gate_input input = {&story->facts, &story->rules, args, &story->arena};
    const struct gate_ops *ops = gate_find(gate);
    assert_non_null(ops);
    return ops->eval(&input);
}

static void gate_answers_as_written(void **state)
{
    const struct gate_case *gate_case = *state;
    AUTO_ARENA arena = {0};
    const char *patch =
        gate_case->nodes == NULL ? NULL : arena_format(&arena, "{\"nodes\": %s}", gate_case->nodes);
    AUTO_STORY story;
    story_init(&story, patch, NULL);
    AUTO_JSON args = story_parse(gate_case->args == NULL ? "{}" : gate_case->args);

    const struct gate_answer answer = ask(&story, gate_case->gate, args);

    assert_string_equal(gate_state_names[answer.state], gate_state_names[gate_case->state]);
    assert_string_equal(answer.gate, gate_case->gate);
    assert_non_null(answer.reason);
    if (gate_case->reason != NULL && strstr(answer.reason, gate_case->reason) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", gate_case->reason, answer.reason);
    }
    if (answer.state == GATE_NEVER || answer.state == GATE_NEEDS_YOU) {
        assert_non_null(answer.remedy);
    }
}

static void configurations_need_a_trial(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story,
        "{\"dry_starts\": {\"n2\": null, \"n4\": {\"is_good\": false, \"message\": \"line 3\"}}}",
        NULL);
    AUTO_JSON args = story_parse(TARGET);

    const struct gate_answer answer = ask(&story, "config_accepted", args);

    assert_int_equal(answer.state, GATE_NEVER);
    assert_string_equal(answer.reason,
        "the target refuses the configuration file of n4: line 3; the configuration file of n2 was "
        "not tried with the target yet");
    AUTO_STORY untried;
    story_init(&untried, "{\"dry_starts\": {\"n2\": null}}", NULL);
    assert_int_equal(ask(&untried, "config_accepted", args).state, GATE_NOT_YET);
}

/* A node that cannot be read must never let a gate say yes that looks at it. */
static void no_gate_says_yes_of_what_it_cannot_see(void **UNUSED(state))
{
    AUTO_STORY story;
    story_init(&story,
        "{\"nodes\": {\"*\": {" DOWN ", \"config_digest\": null}}, \"sentinels\": [{\"name\": "
        "\"s1\", \"address\": \"10.0.0.21:26379\", \"trouble\": \"connection refused\"}]}",
        NULL);
    AUTO_JSON args = story_parse(
        "{\"node\": \"n4\", \"product\": \"redis\", \"version\": \"7.0.15\", \"series\": "
        "\"redis/7.0\", \"role\": \"replica\", \"id\": \"id4\", \"bytes\": 1, \"nodes\": "
        "[{\"node\": \"n4\", \"shard\": \"shard-1\"}]}");
    int yes_count = 0;
    for (size_t i = 0; i < strategy_gate_count; i++) {
        if (ask(&story, strategy_gates[i].name, args).state == GATE_YES) {
            print_error("%s says yes\n", strategy_gates[i].name);
            yes_count++;
        }
    }
    assert_int_equal(yes_count, 0);
}

static void many_names_are_counted(void **UNUSED(state))
{
    AUTO_STORY story;
    AUTO_ARENA arena = {0};
    const char *patch = "{\"nodes\": {";
    for (int i = 20; i < 40; i++) {
        patch = arena_format(&arena,
            "%s\"m%d\": {\"name\": \"m%d\", \"address\": \"10.0.1.1:%d\", \"trouble\": \"gone\"},",
            patch, i, i, i);
    }
    story_init(&story, arena_format(&arena, "%s\"n1\": {}}}", patch), NULL);
    const struct gate_answer answer = ask(&story, "all_reachable", NULL);
    assert_non_null(strstr(answer.reason, "m31 and 8 more cannot be read: gone"));
}

static void an_unknown_gate_is_not_found(void **UNUSED(state))
{
    assert_null(gate_find("cluster_fine"));
    assert_null(gate_find(NULL));
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(configurations_need_a_trial),
        cmocka_unit_test(no_gate_says_yes_of_what_it_cannot_see),
        cmocka_unit_test(many_names_are_counted),
        cmocka_unit_test(an_unknown_gate_is_not_found),
    };
    struct CMUnitTest tests[ARRAY_COUNT(cases) + ARRAY_COUNT(others)];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        union {
            const struct gate_case *in;
            void *out; /* cmocka's state is not const */
        } state = {.in = &cases[i]};
        tests[i] = (struct CMUnitTest){.name = cases[i].title,
            .test_func = gate_answers_as_written,
            .initial_state = state.out};
    }
    memcpy(tests + ARRAY_COUNT(cases), others, sizeof(others));
    return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
