#include "steps/step_args.h"

#include <assert.h>

#include "base/mem.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/world.h"

static bool is_known_key(const char *const *keys, const char *key)
{
    for (; *keys != NULL; keys++) {
        if (text_equal(*keys, key)) {
            return true;
        }
    }
    return false;
}

static struct err *args_error(const char *kind, const char *problem, const char *key)
{
    struct err *err = err_new(ERR_INVALID, NULL, "step %s %s \"%s\"", kind, problem, key);
    return err_hint(err_code(err, "step_args"), "make the plan again; do not edit it by hand");
}

struct err *step_bind_args(const struct call *call, const char *kind, const char *const *keys,
    const struct json *args, struct json **ret_args)
{
    for (const char *const *key = keys; *key != NULL; key++) {
        if (js_get_text(args, *key) == NULL) {
            return args_error(kind, "lacks the argument", *key);
        }
    }
    size_t cursor = 0;
    const char *key;
    struct json *value;
    while (js_next(args, &cursor, &key, &value)) {
        if (!is_known_key(keys, key)) {
            return args_error(kind, "does not know the argument", key);
        }
    }
    const struct inv_node *node;
    struct err *err = step_find_node(call, args, "node", &node);
    if (err == NULL) {
        *ret_args = js_ref(args);
    }
    return err;
}

struct err *step_bind_aside(const struct call *call, const char *kind, const char *const *keys,
    const struct json *args, struct json **ret_args)
{
    assert(call->run != NULL);
    AUTO_JSON bound = NULL;
    struct err *err = step_bind_args(call, kind, keys, args, &bound);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *folder = mem_format("%s%s", HOST_ASIDE_PREFIX, call->run);
    *ret_args = js_copy(bound);
    js_put_text(*ret_args, "folder", folder);
    return NULL;
}

struct err *step_find_node(const struct call *call, const struct json *args, const char *key,
    const struct inv_node **ret_node)
{
    assert(call->world != NULL);
    const char *name = js_get_text(args, key);
    const struct inv_node *node = inv_cluster_find_node(call->world->cluster, name);
    if (node == NULL) {
        struct err *err = err_new(ERR_INVALID, call->world->cluster->name,
            "no node is called \"%s\"", name == NULL ? "" : name);
        return err_hint(err_code(err, "step_args"), "make the plan again with this inventory");
    }
    *ret_node = node;
    return NULL;
}

struct err *step_check_send(const struct call *call, const struct inv_node *node)
{
    if (call_may_begin(call)) {
        return NULL;
    }
    struct err *err = err_new(ERR_CANCELLED, node->name, "too late to change anything here");
    return err_code(err, "send_window_closed");
}

struct err *step_begin_act(
    const struct call *call, const struct bound *bound, const struct inv_node **ret_node)
{
    struct err *err = step_find_node(call, bound->args, "node", ret_node);
    return err != NULL ? err : step_check_send(call, *ret_node);
}
