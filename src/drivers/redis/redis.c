#include "drivers/redis/redis.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "drivers/redis/driver.h"

struct err *redis_open(
    const struct inv_cluster *cluster, struct host *host, struct redis_capabilities *ret_redis)
{
    struct tls *tls = NULL;
    if (cluster->tls.is_enabled) {
        const struct tls_config config = {.ca_file = cluster->tls.ca_file,
            .cert_file = cluster->tls.cert_file,
            .key_file = cluster->tls.key_file,
            .server_name = cluster->tls.server_name};
        struct err *err = tls_open(&config, &tls);
        if (err != NULL) {
            return err_wrap(err, cluster->name, "cannot set up TLS for the cluster");
        }
    }
    struct redis_driver *driver = mem_alloc(sizeof(*driver));
    *driver = (struct redis_driver){.topology.ops = &redis_topology_ops,
        .replication.ops = &redis_replication_ops,
        .settings.ops = &redis_settings_ops,
        .fence.ops = &redis_fence_ops,
        .cutover.ops = &redis_cutover_ops,
        .cluster = cluster,
        .host = host,
        .tls = tls,
        .open_count = 5};
    *ret_redis = (struct redis_capabilities){.topology = &driver->topology,
        .replication = &driver->replication,
        .settings = &driver->settings,
        .fence = &driver->fence,
        .cutover = &driver->cutover};
    return NULL;
}

void redis_driver_unref(struct redis_driver *driver)
{
    assert(driver->open_count > 0);
    if (--driver->open_count == 0) {
        tls_close(driver->tls);
        free(driver);
    }
}
