/*
 * drivers/redis/fence.c - cuts the connections of earlier controllers (CLIENT LIST, CLIENT KILL).
 */
#include "base/mem.h"
#include "drivers/redis/conn.h"
#include "wire/redis_text.h"

/* Is it a connection of that run by a controller before that epoch? */
static bool is_of_older_epoch(struct str name, const struct fence_mark *mark)
{
    AUTO_FREE char *prefix = mem_format(REDIS_CONN_PREFIX "%s:", mark->run);
    int64_t epoch = 0;
    if (!str_starts_with(name, prefix)) {
        return false;
    }
    const size_t size = strlen(prefix);
    const struct str number = {name.data + size, name.size - size};
    return str_to_int64(number, &epoch) && epoch < mark->epoch;
}

/* Connections come and go: the ids are copied before the next reply takes their place. */
static size_t find_older(
    struct str list, const struct fence_mark *mark, struct arena *arena, const char ***ret_ids)
{
    size_t count = 0;
    struct str line;
    while (str_cut(&list, '\n', &line)) {
        struct str name;
        struct str id;
        if (redis_client_get(line, "name", &name) && is_of_older_epoch(name, mark) &&
            redis_client_get(line, "id", &id)) {
            const char **slot = arena_push(arena, ret_ids, &count, sizeof(**ret_ids));
            *slot = arena_strndup(arena, id.data, id.size);
        }
    }
    return count;
}

static struct err *cut_older(const struct call *call, struct redis_conn *conn,
    const struct fence_mark *mark, int64_t *ret_cut_count)
{
    struct str list;
    struct err *err = redis_conn_ask_text(call, conn, REDIS_COMMAND("CLIENT", "LIST"), &list);
    if (err != NULL) {
        return err;
    }
    AUTO_ARENA arena = {0};
    const char **ids = NULL;
    const size_t count = find_older(list, mark, &arena, &ids);
    int64_t cut_count = 0;
    for (size_t i = 0; err == NULL && i < count; i++) {
        struct resp reply = {0};
        err = redis_conn_ask(call, conn, REDIS_COMMAND("CLIENT", "KILL", "ID", ids[i]), &reply);
        cut_count += reply.type == RESP_INTEGER ? reply.number : 0; /* 0: it went by itself */
    }
    if (err == NULL) {
        *ret_cut_count = cut_count;
    }
    return err;
}

static struct err *redis_cut(const struct call *call, struct fence *fence,
    const struct inv_node *node, const struct fence_mark *mark, int64_t *ret_cut_count)
{
    const struct redis_driver *driver = REDIS_DRIVER_OF(fence, fence);
    AUTO_SECRET password = {0};
    AUTO_REDIS_CONN conn = NULL;
    struct err *err = redis_conn_password(driver, &password);
    if (err == NULL) {
        err = redis_conn_open(call, driver, node, &password, &conn);
    }
    if (err == NULL) {
        err = cut_older(call, conn, mark, ret_cut_count);
    }
    return err == NULL ? NULL
                       : err_wrap(err, node->name, "cannot cut what an earlier controller left");
}

static void fence_close_driver(struct fence *fence)
{
    redis_driver_unref(REDIS_DRIVER_OF(fence, fence));
}

const struct fence_ops redis_fence_ops = {
    .name = "redis",
    .cut = redis_cut,
    .close = fence_close_driver,
};
