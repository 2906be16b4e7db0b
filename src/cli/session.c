#include "cli/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/errors.h"
#include "cli/screen.h"
#include "config/inventory.h"
#include "config/rules.h"

static const char inventory_of_folder[] = "upshift.yaml";
static const char inventory_of_machine[] = "/etc/upshift/upshift.yaml";

static const char *find_inventory(const struct session *session)
{
    const char *named = arguments_text(&session->arguments, "inventory");
    if (named == NULL) {
        named = getenv("UPSHIFT_INVENTORY");
    }
    if (named != NULL) {
        return named;
    }
    const bool is_here = fs_exists(inventory_of_folder) || !fs_exists(inventory_of_machine);
    return is_here ? inventory_of_folder : inventory_of_machine;
}

static int fail_with_complaints(
    struct session *session, struct err *err, const struct config_complaints *complaints)
{
    if (complaints->count == 0) {
        return session_fail(session, err);
    }
    const int code = error_exit(err);
    if (session->is_json) {
        struct json *result = js_object();
        js_put(result, "error", js_of_err(err));
        js_put(result, "complaints", codec_write(&config_complaints_codec, complaints));
        (void)session_end(session, code, result);
    } else {
        char *text = config_complaints_text(complaints);
        (void)fputs(text, stderr);
        free(text);
    }
    err_free(err);
    return code;
}

bool session_load(struct session *session, int *ret_exit)
{
    if (session->is_loaded) {
        return true;
    }
    AUTO_COMPLAINTS complaints = {0};
    struct err *err =
        config_load_inventory(find_inventory(session), &session->inventory, &complaints);
    if (err != NULL) {
        *ret_exit = fail_with_complaints(session, err, &complaints);
        return false;
    }
    err = rules_load(&session->rules);
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return false;
    }
    session->is_loaded = true;
    return true;
}

static struct err *cluster_unknown(const struct session *session, const char *name)
{
    AUTO_ARENA arena = {0};
    const size_t count = session->inventory.cluster_count;
    const char **names = arena_alloc_array(&arena, count + 1, sizeof(*names));
    AUTO_BUF list = {0};
    for (size_t i = 0; i < count; i++) {
        names[i] = session->inventory.clusters[i].name;
        buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    struct err *err = err_code(
        err_new(ERR_INVALID, session->inventory.path, "the inventory has no cluster \"%s\"", name),
        "cluster_unknown");
    const char *nearest = str_nearest(name, names, count);
    return nearest != NULL ? err_hint(err, "did you mean \"%s\"?", nearest)
                           : err_hint(err, "the inventory has: %s", buf_text(&list));
}

static struct err *cluster_missing(const char *where, const char *what)
{
    return err_hint(err_code(err_new(ERR_INVALID, where, "%s", what), "usage"),
        "name one; `upshift cluster list` shows them");
}

const struct inv_cluster *session_cluster(struct session *session, size_t index, int *ret_exit)
{
    if (!session_load(session, ret_exit)) {
        return NULL;
    }
    const struct inventory *inventory = &session->inventory;
    if (index >= session->arguments.word_count) {
        if (inventory->cluster_count == 1) {
            return &inventory->clusters[0];
        }
        *ret_exit =
            session_fail(session, cluster_missing(inventory->path,
                                      "which cluster? the inventory does not have just one"));
        return NULL;
    }
    const char *name = session->arguments.words[index];
    const struct inv_cluster *cluster = inventory_find_cluster(inventory, name);
    if (cluster == NULL) {
        *ret_exit = session_fail(session, cluster_unknown(session, name));
    }
    return cluster;
}

/* A name becomes part of a path, so it must not lead out of the state directory. */
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

const char *session_cluster_name(struct session *session, size_t index, int *ret_exit)
{
    if (index < session->arguments.word_count) {
        const char *name = session->arguments.words[index];
        if (is_plain_name(name)) {
            return name;
        }
        *ret_exit = session_fail(session,
            err_code(err_new(ERR_INVALID, NULL, "\"%s\" is not the name of a cluster", name),
                "cluster_unknown"));
        return NULL;
    }
    if (session->is_loaded || fs_exists(find_inventory(session))) {
        const struct inv_cluster *cluster = session_cluster(session, index, ret_exit);
        return cluster == NULL ? NULL : cluster->name;
    }
    const char **names = NULL;
    size_t count = 0;
    struct err *err =
        session->services->list_journals(session->services, &session->arena, &names, &count);
    if (err == NULL && count != 1) {
        err = cluster_missing(session->services->state_directory,
            "which cluster? there is no inventory and not just one journal");
    }
    if (err != NULL) {
        *ret_exit = session_fail(session, err);
        return NULL;
    }
    return names[0];
}

const char *session_directory(struct session *session, const char *cluster)
{
    return arena_format(&session->arena, "%s/%s", session->services->state_directory, cluster);
}

static void show_progress(void *context, const char *text)
{
    session_say(context, "%s", text);
}

struct cli_request session_request(
    struct session *session, const struct inv_cluster *cluster, const char *target)
{
    return (struct cli_request){
        .inventory = &session->inventory,
        .cluster = cluster,
        .rules = &session->rules,
        .target = target,
        .progress = show_progress,
        .progress_context = session,
    };
}

/* What servers say must not steer the terminal. */
static void write_safe(FILE *stream, const char *text)
{
    AUTO_BUF safe = {0};
    screen_append_safe(&safe, text, SIZE_MAX);
    (void)fputs(buf_text(&safe), stream);
}

int session_fail(struct session *session, struct err *err)
{
    const int code = error_exit(err);
    if (session->is_json) {
        struct json *result = js_object();
        js_put(result, "error", js_of_err(err));
        (void)session_end(session, code, result);
    } else {
        AUTO_BUF text = {0};
        error_text(err, &text);
        write_safe(stderr, buf_text(&text));
    }
    err_free(err);
    return code;
}

int session_end(struct session *session, int exit, struct json *result)
{
    if (session->is_json) {
        js_put_number(result, "exit", exit);
        js_put_text(result, "word", exit_word(exit));
        char *text = js_write(result);
        (void)printf("%s\n", text);
        free(text);
    }
    js_free(result);
    return exit;
}

void session_print(const struct session *session, const char *text)
{
    if (!session->is_json) {
        write_safe(stdout, text);
    }
}

void session_say(const struct session *session, const char *format, ...)
{
    if (session->is_quiet) {
        return;
    }
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = NULL;
    const int size = vasprintf(&text, format, args);
    va_end(args);
    if (size >= 0) {
        write_safe(stderr, text);
        write_safe(stderr, "\n");
    }
}
