/*
 * steps/config_rewrite.c - lets a server write its live settings into its file before it restarts.
 *
 * The file as the plan found it is kept in the node's directory first; what else is in the file
 * then means that the step is done. Whether nothing would be lost any more, the gate of the stop
 * that follows sees for itself.
 */
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "drivers/host.h"
#include "drivers/settings.h"
#include "drivers/world.h"
#include "steps/step_args.h"
#include "steps/steps.h"

enum { CONFIG_FILE_SIZE_MAX = 4 * 1024 * 1024, DIGEST_SHOWN = 8 };

static struct err *config_rewrite_bind(struct call *call, const struct facts *UNUSED(facts),
    const struct json *args, struct json **ret_args)
{
    static const char *const keys[] = {"node", "digest", NULL};
    return step_bind_args(call, config_rewrite_ops.name, keys, args, ret_args);
}

static struct err *config_rewrite_capture(
    struct call *UNUSED(call), const struct bound *UNUSED(bound), struct json **ret_values)
{
    *ret_values = js_object(); /* the arguments have the digest, the directory gets the file */
    return NULL;
}

/* `ret_text` holds passwords: the caller wipes it. */
static struct err *read_file_now(struct call *call, const struct inv_node *node,
    struct buf *ret_text, char ret_digest[SHA256_HEX_SIZE])
{
    bool exists = false;
    struct err *err = host_read_file(
        call, call->world->host, node, node->config_file, CONFIG_FILE_SIZE_MAX, &exists, ret_text);
    if (err == NULL && !exists) {
        err = err_code(
            err_new(ERR_INVALID, node->config_file, "there is no such file"), "config_missing");
    }
    if (err == NULL) {
        sha256_hex(buf_text(ret_text), ret_text->size, ret_digest);
    }
    return err;
}

static void wipe_text(struct buf *text)
{
    if (text->data != NULL) {
        explicit_bzero(text->data, text->capacity);
    }
    buf_release(text);
}

static struct err *config_rewrite_verify(struct call *call, const struct bound *bound,
    const struct before *UNUSED(before), enum step_state *ret_state)
{
    const struct inv_node *node;
    struct err *err = step_find_node(call, bound->args, "node", &node);
    if (err != NULL) {
        return err;
    }
    struct buf text = {0};
    char digest[SHA256_HEX_SIZE];
    err = read_file_now(call, node, &text, digest);
    wipe_text(&text);
    if (err == NULL) {
        *ret_state =
            text_equal(digest, js_get_text(bound->args, "digest")) ? STEP_ABSENT : STEP_DONE;
    }
    return err;
}

/* Beside the data, because upshift changes no other folder: upshift-config-1a2b3c4d.conf. */
static struct err *keep_original(
    struct call *call, const struct inv_node *node, const struct bound *bound)
{
    const char *wanted = js_get_text(bound->args, "digest");
    AUTO_FREE char *path =
        mem_format("%s/upshift-config-%.*s.conf", node->directory, DIGEST_SHOWN, wanted);
    struct buf text = {0};
    char digest[SHA256_HEX_SIZE];
    struct err *err = read_file_now(call, node, &text, digest);
    if (err == NULL && text_equal(digest, wanted)) {
        err = host_write_file(call, call->world->host, node, path, &text);
    }
    wipe_text(&text);
    return err;
}

static struct err *config_rewrite_apply(
    struct call *call, const struct bound *bound, const struct before *UNUSED(before))
{
    const struct inv_node *node;
    struct err *err = step_begin_act(call, bound, &node);
    if (err == NULL) {
        err = keep_original(call, node, bound);
    }
    if (err == NULL) {
        err = settings_rewrite(call, call->world->settings, node);
    }
    return err == NULL ? NULL
                       : err_wrap(err, node->name, "cannot write its settings into its file");
}

const struct step_ops config_rewrite_ops = {
    .name = "config.rewrite",
    .def = 1,
    .def_min = 1,
    .observe = STEP_BY_STATE,
    .bind = config_rewrite_bind,
    .capture = config_rewrite_capture,
    .verify = config_rewrite_verify,
    .apply = config_rewrite_apply,
};
