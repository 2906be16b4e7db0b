/* Looking things up in an inventory. */
#include "model/inventory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void find_returns_the_named_one_or_null(void **UNUSED(state))
{
    struct inv_node nodes[] = {{.name = "n1"}, {.name = "n2"}};
    struct inv_cluster clusters[] = {{.name = "orders", .nodes = nodes, .node_count = 2}};
    struct inv_datastore datastores[] = {{.name = "redis"}, {.name = "valkey"}};
    struct inventory inventory = {
        .clusters = clusters, .cluster_count = 1, .datastores = datastores, .datastore_count = 2};

    assert_ptr_equal(inventory_find_cluster(&inventory, "orders"), &clusters[0]);
    assert_null(inventory_find_cluster(&inventory, "order"));
    assert_ptr_equal(inventory_find_datastore(&inventory, "valkey"), &datastores[1]);
    assert_null(inventory_find_datastore(&inventory, "mariadb"));
    assert_ptr_equal(inv_cluster_find_node(&clusters[0], "n2"), &nodes[1]);
    assert_null(inv_cluster_find_node(&clusters[0], "n3"));
}

static void release_empties_it(void **UNUSED(state))
{
    struct inventory inventory = {0};
    inventory.path = arena_strdup(&inventory.arena, "/etc/upshift.yaml");
    inventory_release(&inventory);
    assert_null(inventory.path);
    inventory_release(&inventory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_returns_the_named_one_or_null),
        cmocka_unit_test(release_empties_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
