#include "app/services_runs.h"

#include <dirent.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/controller.h"
#include "app/run_store.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/snapshot.h"
#include "store/sqlite/store.h"

enum { INVENTORY_SIZE_MAX = 1 << 20 };

struct err *services_open_journal(
    struct services *services, const char *cluster, struct journal **ret_journal)
{
    AUTO_FREE char *directory = mem_format("%s/%s", services->state_directory, cluster);
    AUTO_FREE char *file = mem_format("%s/journal.db", directory);
    if (!fs_exists(file)) {
        return err_hint(err_code(err_new(ERR_INVALID, directory,
                                     "no run of cluster \"%s\" is known here", cluster),
                            "no_run"),
            "look in another state directory with --state-dir, or begin with `upshift upgrade`");
    }
    return store_open(directory, /* read_only= */ true, ret_journal);
}

struct err *services_refuse_unfinished(struct services *services, const char *cluster)
{
    struct journal *journal = NULL;
    struct err *err = services_open_journal(services, cluster, &journal);
    if (err != NULL) {
        if (strcmp(err->code, "no_run") == 0) {
            err_free(err);
            return NULL;
        }
        return err;
    }
    err = stored_run_refuse_unfinished(journal);
    journal->ops->close(journal);
    return err;
}

static char *name_of_caller(void)
{
    const struct passwd *user = getpwuid(geteuid());
    return mem_format(
        "%s (uid %u, pid %d)", user == NULL ? "?" : user->pw_name, geteuid(), getpid());
}

struct err *services_start_run(struct services *services, const struct cli_request *request,
    const struct plan *plan, struct arena *arena, const char **ret_run)
{
    AUTO_BUF inventory = {0};
    struct err *err = fs_read(request->inventory->path, INVENTORY_SIZE_MAX, &inventory);
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *who = name_of_caller();
    AUTO_JSON message = js_object();
    js_put_text(message, "state_directory", services->state_directory);
    js_put_text(message, "cluster", plan->request.cluster);
    js_put_text(message, "inventory_text", buf_text(&inventory));
    js_put_text(message, "who", who);
    js_put(message, "plan", plan_to_json(plan));
    AUTO_FREE char *run = NULL;
    err = controller_start(message, &run);
    if (err == NULL) {
        *ret_run = arena_strdup(arena, run);
    }
    return err;
}

static struct json *put_answer(
    const struct stored_run *run, const struct run_rule *rule, const char *command)
{
    struct clock *clock = clock_system();
    struct json *answer = js_object();
    js_put_bool(answer, "ok", rule->verdict != RUN_REFUSE);
    js_put_text(answer, "text", rule->verdict == RUN_DO ? command : rule->text);
    js_put(
        answer, "snapshot", run_snapshot(&run->state, clock_now_ms(clock), clock_wall_ms(clock)));
    if (rule->verdict == RUN_REFUSE) {
        AUTO_ERR refusal =
            err_code(err_new(ERR_REFUSED, run->state.id, "%s", rule->text), "run_ended");
        js_put(answer, "error", js_of_err(refusal));
    }
    return answer;
}

struct err *services_load_run(
    struct services *services, const char *cluster, const char *id, struct stored_run *ret_run)
{
    struct journal *journal = NULL;
    struct err *err = services_open_journal(services, cluster, &journal);
    if (err == NULL) {
        err = stored_run_load(journal, id, ret_run);
        journal->ops->close(journal);
    }
    return err;
}

/* The newest run's place in the table of commands; NULL in `*ret_answer`: it has not ended. */
static struct err *answer_for_ended(struct services *services, const char *cluster,
    enum run_command command, struct json **ret_answer)
{
    struct stored_run run = {0};
    struct err *err = services_load_run(services, cluster, NULL, &run);
    if (err == NULL) {
        const struct run_rule *rule = run_find_rule(run.state.status, command);
        if (run_status_is_final(run.state.status)) {
            *ret_answer = put_answer(&run, rule, run_command_names[command]);
        }
        stored_run_release(&run);
    }
    return err;
}

struct err *services_continue_run(
    struct services *services, const char *cluster, const char *command, struct json **ret_answer)
{
    int number = 0;
    if (!codec_enum_value(run_command_names, command, &number)) {
        return err_new(ERR_INTERNAL, cluster, "there is no command %s", command);
    }
    struct json *answer = NULL;
    struct err *err = answer_for_ended(services, cluster, (enum run_command)number, &answer);
    const bool is_carried = text_equal(js_get_text(answer, "text"), command);
    if (err == NULL && (answer == NULL || is_carried)) {
        AUTO_FREE char *who = name_of_caller();
        AUTO_JSON message = js_object();
        js_put_text(message, "state_directory", services->state_directory);
        js_put_text(message, "cluster", cluster);
        js_put_text(message, "who", who);
        if (is_carried) {
            js_put_text(message, "command", command);
        }
        AUTO_FREE char *run = NULL;
        err = controller_start(message, &run);
    }
    if (err != NULL) {
        js_free(answer);
        return err;
    }
    *ret_answer = answer;
    return NULL;
}

struct err *services_read_run(
    struct services *services, const char *cluster, const char *run, struct json **ret_snapshot)
{
    struct stored_run stored = {0};
    struct err *err = services_load_run(services, cluster, run, &stored);
    if (err == NULL) {
        struct clock *clock = clock_system();
        *ret_snapshot = run_snapshot(&stored.state, clock_now_ms(clock), clock_wall_ms(clock));
        stored_run_release(&stored);
    }
    return err;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct err *services_list_journals(
    struct services *services, struct arena *arena, const char ***ret_clusters, size_t *ret_count)
{
    DIR *folder = opendir(services->state_directory);
    if (folder == NULL) {
        return NULL; /* nothing has been run yet */
    }
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        AUTO_FREE char *file =
            mem_format("%s/%s/journal.db", services->state_directory, entry->d_name);
        if (entry->d_name[0] != '.' && fs_exists(file)) {
            const char **slot = arena_push(arena, ret_clusters, ret_count, sizeof(**ret_clusters));
            *slot = arena_strdup(arena, entry->d_name);
        }
    }
    (void)closedir(folder);
    if (*ret_count > 0) {
        qsort(*ret_clusters, *ret_count, sizeof(**ret_clusters), compare_names);
    }
    return NULL;
}
