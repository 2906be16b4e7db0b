#include "strategies/gates.h"

#include "base/attr.h"
#include "base/str.h"
#include "strategies/gate_report.h"

/* In the order in which an operator would look: can we see, is it well, may we do it. */
const struct gate_ops strategy_gates[] = {
    {"all_reachable", "every node can be read", gate_all_reachable},
    {"roles_known", "every node is a primary with slots or a replica of one", gate_roles_known},
    {"process_known", "every server is a process that can be stopped", gate_process_known},
    {"not_loading", "no node is loading its data", gate_not_loading},
    {"cluster_ok", "every node says that the cluster is ok with all 16384 slots", gate_cluster_ok},
    {"views_agree", "all nodes have the same view of each other", gate_views_agree},
    {"replicas_synced", "every replica is attached and in step", gate_replicas_synced},
    {"lag_small", "the replica is close behind its primary", gate_lag_small},
    {"key_counts_match", "replicas hold as many keys as their primaries", gate_key_counts_match},
    {"redundancy", "every shard has a healthy replica", gate_redundancy},
    {"min_replicas", "writes go on while one replica of a shard is out", gate_min_replicas},
    {"no_slot_moves", "no slot is being moved", gate_no_slot_moves},
    {"one_primary", "there is one primary and all replicas follow it", gate_one_primary},
    {"files_follow", "every configuration file says what its node is", gate_files_follow},
    {"sentinels_agree", "all Sentinels see the same primary and each other", gate_sentinels_agree},
    {"sentinel_quorum", "every Sentinel can reach a quorum", gate_sentinel_quorum},
    {"sentinel_spare", "one Sentinel can be out while the others fail over", gate_sentinel_spare},
    {"heir_electable", "all Sentinels would choose the planned replica", gate_heir_electable},
    {"no_saving", "no save is in progress and the last one was good", gate_no_saving},
    {"nodes_settled", "no node has just been started", gate_nodes_settled},
    {"drained", "no client is busy on the node", gate_drained},
    {"no_drift", "live settings are those of the configuration files", gate_no_drift},
    {"persistent_primary", "every primary keeps its data on disk", gate_persistent_primary},
    {"fork_memory", "every host has memory to copy its servers' data", gate_fork_memory},
    {"disk_space", "every data directory has room for new copies", gate_disk_space},
    {"modules_allowed", "no module is loaded that nobody has vouched for", gate_modules_allowed},
    {"commands_known", "no command that upshift needs is renamed", gate_commands_known},
    {"addresses_announced", "every node announces the address that the inventory has",
        gate_addresses_announced},
    {"heir_allowed", "the planned replica may become primary", gate_heir_allowed},
    {"one_product", "the nodes to upgrade run one product", gate_one_product},
    {"no_downgrade", "no node runs a newer version than the target", gate_no_downgrade},
    {"hop_allowed", "the target can be reached in one run", gate_hop_allowed},
    {"full_sync_allowed", "the target can copy from the primaries", gate_full_sync_allowed},
    {"directory_safe", "the target can read the data directories", gate_directory_safe},
    {"config_accepted", "the target accepts every configuration file", gate_config_accepted},
    {"way_back_fed", "the old primaries are attached and in step", gate_way_back_fed},
    {"assume_role", "the node has the planned role", gate_assume_role},
    {"assume_id", "the node is the planned one", gate_assume_id},
    {"assume_slots", "the shard has the planned slots", gate_assume_slots},
    {"assume_series", "the node runs the planned series", gate_assume_series},
};

const size_t strategy_gate_count = ARRAY_COUNT(strategy_gates);

const struct gate_ops *gate_find(const char *name)
{
    for (size_t i = 0; i < strategy_gate_count; i++) {
        if (text_equal(strategy_gates[i].name, name)) {
            return &strategy_gates[i];
        }
    }
    return NULL;
}
