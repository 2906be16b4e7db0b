#include "model/inventory.h"

#include "base/str.h"

void inventory_release(struct inventory *inventory)
{
    arena_release(&inventory->arena);
    *inventory = (struct inventory){0};
}

const struct inv_cluster *inventory_find_cluster(
    const struct inventory *inventory, const char *name)
{
    for (size_t i = 0; i < inventory->cluster_count; i++) {
        if (text_equal(inventory->clusters[i].name, name)) {
            return &inventory->clusters[i];
        }
    }
    return NULL;
}

const struct inv_datastore *inventory_find_datastore(
    const struct inventory *inventory, const char *name)
{
    for (size_t i = 0; i < inventory->datastore_count; i++) {
        if (text_equal(inventory->datastores[i].name, name)) {
            return &inventory->datastores[i];
        }
    }
    return NULL;
}

const struct inv_node *inv_cluster_find_node(const struct inv_cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->node_count; i++) {
        if (text_equal(cluster->nodes[i].name, name)) {
            return &cluster->nodes[i];
        }
    }
    for (size_t i = 0; i < cluster->sentinel_count; i++) {
        if (text_equal(cluster->sentinels[i].name, name)) {
            return &cluster->sentinels[i];
        }
    }
    return NULL;
}

bool inv_cluster_has_one_primary(const struct inv_cluster *cluster)
{
    return !text_equal(cluster->topology, "cluster");
}
