/*
 * tests/fuzz/fuzz_inventory.c - any bytes as an inventory.
 *
 * Goal: no crash, no leak; a refusal always has a complaint that can be shown, and what is accepted
 * has clusters whose nodes are complete.
 */
#include "config/inventory.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a small buffer per quoted scalar with more than eight escapes. Leaks of
 * ours are still found, and a parser that is not closed by the unit tests. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml\n";
}

static void check_accepted(const struct inventory *inventory)
{
    assert(inventory->cluster_count > 0);
    for (size_t i = 0; i < inventory->cluster_count; i++) {
        const struct inv_cluster *cluster = &inventory->clusters[i];
        assert(cluster->node_count > 0);
        assert(inventory_find_cluster(inventory, cluster->name) == cluster);
        for (size_t k = 0; k < cluster->node_count; k++) {
            const struct inv_node *node = &cluster->nodes[k];
            assert(inv_cluster_find_node(cluster, node->name) == node);
            assert(node->port > 0);
            assert(node->directory[0] == '/');
            assert(node->config_file[0] == '/');
            assert(node->server_link[0] == '/');
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_INVENTORY inventory = {0};
    AUTO_COMPLAINTS complaints = {0};
    const struct config_source source = {.absolute_path = "/etc/upshift.yaml",
        .shown_path = "upshift.yaml",
        .text = {(const char *)data, size}};
    AUTO_ERR err = config_parse_inventory(&source, &inventory, &complaints);
    AUTO_FREE char *shown = config_complaints_text(&complaints);
    assert((err == NULL) == (complaints.count == 0));
    assert((err == NULL) == (shown[0] == '\0'));
    if (err == NULL) {
        check_accepted(&inventory);
    }
    return 0;
}
