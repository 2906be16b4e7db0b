/*
 * app/claims_end.c - shows, clears and adopts claims.
 *
 * Nobody takes a stranger's claim by himself; here a human says that its controller is gone. What
 * can be seen of that is checked: a claim that is renewed under our eyes stays. A tombstone without
 * an origin is left, so that the journal of the run that was cleared can go on when its owner wants
 * it to, with a higher epoch than anybody had.
 */
#include "app/claims_end.h"

#include "app/claim_file.h"
#include "app/world.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/fence.h"
#include "engine/claim.h"
#include "steps/steps.h"
#include "store/sqlite/store.h"

enum {
    END_CALL_MS = 60000,
    ALIVE_WATCH_MS = 2 * CLAIM_RENEW_MS + 1000, /* two renewals may be missed by a busy host */
    ALIVE_LOOK_MS = 250,
};

struct ending {
    struct world world;
    struct call call;
    struct arena *arena; /* of what is returned */
    struct cli_claims *told;
    char *directory;
    struct claim_owner owner;
    struct claim_survey survey;
    int64_t epoch_max;
};

/* A claim of this cluster, or what may be one, that was not released. */
static bool is_standing(const struct ending *ending, const struct claim_seen *seen)
{
    if (seen->text == NULL) {
        return false;
    }
    return !seen->is_parsed || (text_equal(seen->file.cluster, ending->world.cluster->name) &&
                                   seen->file.state != CLAIM_RELEASED);
}

/* The node whose claim says most about that run: the newest of its claims. False: another one. */
static bool is_newest_of_run(const struct ending *ending, size_t index)
{
    const struct claim_seen *nodes = ending->survey.nodes;
    const struct claim_file *file = &nodes[index].file;
    if (!is_standing(ending, &nodes[index]) || !nodes[index].is_parsed) {
        return false;
    }
    for (size_t i = 0; i < ending->survey.count; i++) {
        const struct claim_file *other = &nodes[i].file;
        if (i == index || !nodes[i].is_parsed || !is_standing(ending, &nodes[i]) ||
            !text_equal(other->origin, file->origin)) {
            continue;
        }
        const bool is_newer =
            other->epoch > file->epoch || (other->epoch == file->epoch && other->seq > file->seq);
        const bool is_same = other->epoch == file->epoch && other->seq == file->seq;
        if (is_newer || (is_same && i < index)) {
            return false;
        }
    }
    return true;
}

/* --- telling --- */

static void tell_text(struct arena *arena, const char ***texts, size_t *count, const char *text)
{
    const char **slot = arena_push(arena, texts, count, sizeof(**texts));
    *slot = arena_strdup(arena, text);
}

static void tell_unseen(struct ending *ending, const struct inv_node *node, const struct err *err)
{
    AUTO_FREE char *why = err_text(err);
    AUTO_FREE char *text = mem_format("%s: %s", node->name, why);
    tell_text(ending->arena, &ending->told->unseen, &ending->told->unseen_count, text);
}

/* "repl.setting: name repl-backlog-size, node node-1, value 67108864": all arguments in order. */
static const char *describe_scope(struct arena *arena, const struct json *scope)
{
    AUTO_BUF text = {0};
    const char *kind = js_get_text(scope, "kind");
    buf_append_text(&text, kind == NULL ? "?" : kind);
    const char *separator = ": ";
    const char *key = NULL;
    struct json *value = NULL;
    for (size_t cursor = 0; js_next(js_get(scope, "args"), &cursor, &key, &value);) {
        AUTO_FREE char *word = js_is(value, JS_STRING) ? NULL : js_write(value);
        buf_printf(&text, "%s%s %s", separator, key, word == NULL ? js_as_text(value) : word);
        separator = ", ";
    }
    return arena_strdup(arena, buf_text(&text));
}

static const char *text_or_null(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strdup(arena, text);
}

static struct cli_claim_scope *tell_scope(struct ending *ending, const struct json *scope)
{
    struct cli_claim_scope *slot = arena_push(ending->arena, &ending->told->scopes,
        &ending->told->scope_count, sizeof(*ending->told->scopes));
    AUTO_FREE char *before =
        js_get(scope, "before") == NULL ? NULL : js_write(js_get(scope, "before"));
    const char *value = js_get_text(js_get(scope, "before"), "value");
    *slot = (struct cli_claim_scope){
        .step = text_or_null(ending->arena, js_get_text(scope, "step")),
        .node = text_or_null(ending->arena, js_get_text(js_get(scope, "args"), "node")),
        .what = describe_scope(ending->arena, scope),
        .before = text_or_null(ending->arena, value != NULL ? value : before),
    };
    return slot;
}

static void tell_all(struct ending *ending)
{
    struct cli_claims *told = ending->told;
    for (size_t i = 0; i < ending->survey.count; i++) {
        const struct claim_seen *seen = &ending->survey.nodes[i];
        if (seen->err != NULL) {
            tell_unseen(ending, seen->node, seen->err);
        }
        if (seen->is_parsed && seen->file.epoch > ending->epoch_max) {
            ending->epoch_max = seen->file.epoch;
        }
        if (!is_standing(ending, seen) || (seen->is_parsed && !is_newest_of_run(ending, i))) {
            continue;
        }
        tell_text(ending->arena, &told->owners, &told->owner_count,
            claim_seen_describe(seen, ending->arena));
        for (size_t s = 0; s < js_count(seen->file.scopes); s++) {
            (void)tell_scope(ending, js_at(seen->file.scopes, s));
        }
    }
}

/* --- is it alive? --- */

static struct err *refuse_alive(struct ending *ending, const struct claim_seen *seen)
{
    struct err *err = err_new(ERR_REFUSED, seen->node->name, "its controller is at work: %s",
        claim_seen_describe(seen, ending->arena));
    return err_hint(err_code(err, "claim_alive"), "pause or abort the run there first");
}

/* Who held the lock of this state directory before us has ended. */
static bool may_be_alive(const struct ending *ending, const struct claim_seen *seen)
{
    const bool was_here = text_equal(seen->file.owner.host, ending->owner.host) &&
                          text_equal(seen->file.owner.journal, ending->owner.journal);
    return is_standing(ending, seen) && seen->is_parsed && seen->file.state == CLAIM_LIVE &&
           !was_here;
}

/* Waits for a sign of life of one claim. */
static struct err *watch_claim(struct ending *ending, struct claim_seen *seen)
{
    const char *text = seen->text;
    const int64_t until_ms = clock_now_ms(ending->call.clock) + ALIVE_WATCH_MS;
    while (clock_now_ms(ending->call.clock) < until_ms) {
        clock_wait_ms(ending->call.clock, ALIVE_LOOK_MS);
        claim_seen_read(&ending->call, &ending->world, &ending->survey.arena, seen);
        if (seen->err != NULL || !text_equal(seen->text, text)) {
            return refuse_alive(ending, seen);
        }
    }
    return NULL;
}

static struct err *refuse_living(struct ending *ending)
{
    for (size_t i = 0; i < ending->survey.count; i++) {
        if (is_newest_of_run(ending, i) && may_be_alive(ending, &ending->survey.nodes[i])) {
            struct err *err = watch_claim(ending, &ending->survey.nodes[i]);
            if (err != NULL) {
                return err;
            }
        }
    }
    return NULL;
}

/* --- changing it --- */

/* Writes to every node that has a claim: what it was, as ours, or a tombstone. */
static struct err *rewrite_all(struct ending *ending, bool is_tombstone)
{
    bool is_whole = true;
    for (size_t i = 0; i < ending->survey.count; i++) {
        struct claim_seen *seen = &ending->survey.nodes[i];
        if (!is_standing(ending, seen)) {
            is_whole = is_whole && seen->err == NULL;
            continue;
        }
        struct claim_file file = seen->file; /* its scopes stay the survey's */
        file.format = CLAIM_FORMAT;
        file.cluster = ending->world.cluster->name;
        file.epoch = ending->epoch_max + 1;
        file.owner = ending->owner;
        file.changed_wall_ms = clock_wall_ms(ending->call.clock);
        file.state = is_tombstone ? CLAIM_RELEASED : CLAIM_LIVE;
        file.run_status = is_tombstone ? "CLEARED" : "ADOPTING";
        file.origin = is_tombstone ? "" : file.origin;
        file.run = file.run == NULL ? "unknown" : file.run;
        file.scopes = is_tombstone ? NULL : file.scopes;
        struct err *err =
            claim_seen_swap(&ending->call, &ending->world, &file, &ending->survey.arena, seen);
        if (err != NULL && text_equal(err->code, "claim_contested")) {
            err_free(err);
            return refuse_alive(ending, seen);
        }
        if (err != NULL) {
            tell_unseen(ending, seen->node, err);
            is_whole = false;
        }
        err_free(err);
    }
    ending->told->is_cleared = is_tombstone && is_whole;
    return NULL;
}

/* --- taking temporary changes back --- */

static struct err *cut_owners(struct ending *ending)
{
    for (size_t i = 0; i < ending->survey.count; i++) {
        const struct fence_mark mark = {
            .run = ending->survey.nodes[i].file.run, .epoch = ending->epoch_max + 1};
        for (size_t n = 0; is_newest_of_run(ending, i) && n < ending->survey.count; n++) {
            int64_t cut_count = 0;
            struct err *err = ending->world.fence == NULL
                                  ? NULL
                                  : fence_cut(&ending->call, ending->world.fence,
                                        ending->survey.nodes[n].node, &mark, &cut_count);
            if (err != NULL && err->kind != ERR_UNREACHABLE) {
                return err;
            }
            err_free(err); /* who does not answer does not act */
        }
    }
    return NULL;
}

static struct err *undo_scope(
    struct ending *ending, const struct json *scope, enum step_state *ret_left)
{
    const char *kind = js_get_text(scope, "kind");
    const struct step_ops *ops = kind == NULL ? NULL : steps_find(kind);
    if (ops == NULL || ops->undo == NULL) {
        return err_new(ERR_INVALID, NULL, "upshift %s cannot take back \"%s\"", UPSHIFT_VERSION,
            kind == NULL ? "?" : kind);
    }
    struct call call = ending->call;
    call.world = &ending->world;
    call.step = js_get_text(scope, "step");
    const struct bound bound = {js_get(scope, "args")};
    const struct before before = {js_get(scope, "before")};
    return ops->undo(&call, &bound, &before, ret_left);
}

/* True: nothing of it is left to do. */
static bool restore_scope(struct ending *ending, const struct json *scope)
{
    struct cli_claim_scope *told = tell_scope(ending, scope);
    enum step_state left = STEP_ABSENT;
    AUTO_ERR err = undo_scope(ending, scope, &left);
    if (err != NULL) {
        AUTO_FREE char *why = err_text(err);
        told->outcome = arena_format(ending->arena, "not restored: %s", why);
    } else {
        told->outcome =
            left == STEP_ELSEWHERE ? "left as it is: somebody has changed it since" : "restored";
    }
    return err == NULL;
}

/* The last change first, as a run does it. */
static bool restore_all(struct ending *ending)
{
    ending->told->scopes = NULL;
    ending->told->scope_count = 0;
    bool is_done = true;
    for (size_t i = 0; i < ending->survey.count; i++) {
        const struct json *scopes = ending->survey.nodes[i].file.scopes;
        for (size_t s = js_count(scopes); is_newest_of_run(ending, i) && s > 0; s--) {
            is_done = restore_scope(ending, js_at(scopes, s - 1)) && is_done;
        }
    }
    return is_done;
}

static struct err *adopt_all(struct ending *ending)
{
    for (size_t i = 0; i < ending->survey.count; i++) {
        const struct claim_seen *seen = &ending->survey.nodes[i];
        if (is_standing(ending, seen) && !seen->is_parsed) {
            struct err *err = err_new(ERR_INVALID, seen->node->name,
                "what its run has changed cannot be read: %s", seen->complaint);
            return err_hint(err_code(err, "claim_unusable"),
                "`upshift reconcile %s --clear-claim` ends it without restoring anything",
                ending->world.cluster->name);
        }
    }
    struct err *err = rewrite_all(ending, /* is_tombstone= */ false);
    if (err == NULL) {
        err = cut_owners(ending);
    }
    if (err == NULL && restore_all(ending)) {
        ending->epoch_max++;
        err = rewrite_all(ending, /* is_tombstone= */ true);
    }
    return err;
}

/* --- the whole --- */

/* In the journal of this state directory, when it has a run that this may concern. */
static struct err *note_in_journal(const struct ending *ending, enum cli_claims_act act)
{
    AUTO_FREE char *file = mem_format("%s/journal.db", ending->directory);
    AUTO_ARENA arena = {0};
    struct journal *journal = NULL;
    struct journal_run *runs = NULL;
    size_t count = 0;
    if (!fs_exists(file)) {
        return NULL;
    }
    struct err *err = store_open(ending->directory, /* read_only= */ false, &journal);
    if (err != NULL) {
        return err;
    }
    err = journal->ops->list_runs(journal, &arena, &runs, &count);
    if (err == NULL && count > 0 && !runs[0].is_final) {
        AUTO_JSON body = js_object();
        js_put_text(body, "command", "reconcile");
        js_put_text(body, "answer", act == CLI_CLAIMS_ADOPT ? "adopt" : "clear-claim");
        js_put_text(body, "who",
            arena_format(&arena, "%s on %s (pid %lld)", ending->owner.user, ending->owner.host,
                (long long)ending->owner.pid));
        struct journal_record record = {
            .epoch = ending->epoch_max,
            .def = 1,
            .type = JOURNAL_OPERATOR,
            .boot_id = clock_boot_id(),
            .boottime_ms = clock_now_ms(ending->call.clock),
            .wall_ms = clock_wall_ms(ending->call.clock),
            .body = body,
        };
        err = journal->ops->append(journal, runs[0].id, &record, 1, NULL, /* is_final= */ false);
    }
    journal->ops->close(journal);
    return err;
}

static struct err *end_locked(struct ending *ending, enum cli_claims_act act)
{
    struct err *err = refuse_living(ending);
    if (err == NULL) {
        err = note_in_journal(ending, act);
    }
    if (err == NULL && act == CLI_CLAIMS_ADOPT) {
        err = adopt_all(ending);
    } else if (err == NULL) {
        err = rewrite_all(ending, /* is_tombstone= */ true);
    }
    return err;
}

static struct err *look_and_end(struct ending *ending, enum cli_claims_act act)
{
    struct store_lock *lock = NULL;
    struct err *err = act == CLI_CLAIMS_LOOK ? NULL : store_lock(ending->directory, &lock);
    if (err != NULL) {
        return err;
    }
    claim_survey_read(&ending->call, &ending->world, &ending->survey);
    ending->owner = claim_owner_here(&ending->survey.arena, ending->directory);
    tell_all(ending);
    if (act != CLI_CLAIMS_LOOK) {
        err = end_locked(ending, act);
    }
    claim_survey_release(&ending->survey);
    store_unlock(lock);
    return err;
}

struct err *services_reconcile_claims(struct services *services, const struct cli_request *request,
    enum cli_claims_act act, struct arena *arena, struct cli_claims *ret_claims)
{
    struct cli_claims told = {0};
    struct clock *clock = clock_system();
    struct ending ending = {
        .call = {.clock = clock, .deadline_ms = clock_now_ms(clock) + END_CALL_MS},
        .arena = arena,
        .told = &told,
    };
    struct err *err = world_open(request->cluster, &ending.world);
    if (err != NULL) {
        return err;
    }
    ending.directory = mem_format("%s/%s", services->state_directory, request->cluster->name);
    err = look_and_end(&ending, act);
    world_close(&ending.world);
    free(ending.directory);
    if (err == NULL) {
        *ret_claims = told;
    }
    return err;
}
