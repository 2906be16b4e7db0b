#include "app/run_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/inventory.h"
#include "engine/loop.h"
#include "model/plan_text.h"

void stored_run_release(struct stored_run *run)
{
    run_release(&run->state);
    plan_release(&run->plan);
    inventory_release(&run->inventory);
    arena_release(&run->arena);
}

static struct err *load_inventory(const char *text, size_t size, struct stored_run *run)
{
    AUTO_COMPLAINTS complaints = {0};
    const struct config_source source = {
        run->plan.inventory_path, run->plan.inventory_path, {text, size}};
    struct err *err = config_parse_inventory(&source, &run->inventory, &complaints);
    if (err != NULL) {
        return err_wrap(
            err, run->plan.inventory_path, "the run's copy of the inventory is not valid");
    }
    run->cluster = inventory_find_cluster(&run->inventory, run->plan.request.cluster);
    if (run->cluster == NULL) {
        return err_new(ERR_INVALID, run->plan.inventory_path, "the inventory has no cluster \"%s\"",
            run->plan.request.cluster);
    }
    return NULL;
}

static struct json *created_body(
    const struct stored_run *run, const char *inventory_digest, const char *title, const char *who)
{
    const struct plan_request *request = &run->plan.request;
    struct json *asked = js_object();
    js_put_text(asked, "cluster", request->cluster);
    js_put_text(asked, "action", request->action);
    js_put_text(asked, "from", request->from);
    js_put_text(asked, "to", request->to);
    struct json *body = js_object();
    js_put_text(body, "title", title);
    js_put_text(body, "who", who);
    js_put_text(body, "inventory", inventory_digest);
    js_put_text(body, "upshift", UPSHIFT_VERSION);
    js_put(body, "request", asked);
    return body;
}

static struct err *append_first(struct journal *journal, struct stored_run *run, const char *id,
    struct json *created, const char *plan_digest)
{
    struct json *plan_body = js_object();
    js_put_text(plan_body, "digest", plan_digest);
    struct clock *clock = clock_system();
    struct journal_record records[] = {
        {.type = JOURNAL_RUN_CREATED, .body = created},
        {.type = JOURNAL_PLAN_BODY, .body = plan_body},
    };
    for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
        records[i].epoch = 1;
        records[i].def = 1;
        records[i].boot_id = clock_boot_id();
        records[i].boottime_ms = clock_now_ms(clock);
        records[i].wall_ms = clock_wall_ms(clock);
    }
    struct err *err = journal->ops->append(journal, id, records, ARRAY_COUNT(records),
        run_status_names[RUN_PLANNED], /* is_final= */ false);
    if (err == NULL) {
        run->origin = arena_strdup(&run->arena, records[0].hash);
        run_init(&run->state, &run->plan, id);
        engine_fold_all(&run->state, records, ARRAY_COUNT(records));
    }
    js_free(plan_body);
    js_free(created);
    return err;
}

static struct err *create(struct journal *journal, const struct json *plan,
    const char *inventory_text, const char *who, struct stored_run *run)
{
    struct err *err = plan_from_json(plan, "the plan", &run->plan);
    if (err == NULL) {
        err = load_inventory(inventory_text, strlen(inventory_text), run);
    }
    if (err != NULL) {
        return err;
    }
    AUTO_FREE char *plan_text = js_write(plan);
    char plan_digest[SHA256_HEX_SIZE], inventory_digest[SHA256_HEX_SIZE];
    err = journal->ops->put_blob(journal, plan_text, strlen(plan_text), plan_digest);
    if (err == NULL) {
        err = journal->ops->put_blob(
            journal, inventory_text, strlen(inventory_text), inventory_digest);
    }
    if (err != NULL) {
        return err;
    }
    const struct plan_request *request = &run->plan.request;
    AUTO_BUF title = {0};
    plan_title(request, &title);
    struct journal_run created = {0};
    err = journal->ops->create_run(journal, request->cluster, buf_text(&title),
        clock_wall_ms(clock_system()), &run->arena, &created);
    if (err != NULL) {
        return err;
    }
    return append_first(journal, run, created.id,
        created_body(run, inventory_digest, buf_text(&title), who), plan_digest);
}

struct err *stored_run_create(struct journal *journal, const struct json *plan,
    const char *inventory_text, const char *who, struct stored_run *ret_run)
{
    struct stored_run *run = ret_run;
    struct err *err = create(journal, plan, inventory_text, who, run);
    if (err != NULL) {
        stored_run_release(run);
        *run = (struct stored_run){0};
    }
    return err;
}

static struct err *find_id(struct journal *journal, struct stored_run *run, const char **ret_id)
{
    struct journal_run *runs = NULL;
    size_t count = 0;
    struct err *err = journal->ops->list_runs(journal, &run->arena, &runs, &count);
    if (err == NULL && count == 0) {
        err = err_new(ERR_INVALID, journal->where, "no run of that cluster is known here");
    }
    if (err == NULL) {
        *ret_id = runs[0].id;
    }
    return err;
}

/* The digest that a record of the given type names under `key`. */
static const char *find_digest(
    const struct journal_record *records, size_t count, enum journal_type type, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].type == type) {
            return js_get_text(records[i].body, key);
        }
    }
    return NULL;
}

static struct err *get_blob(struct journal *journal, const char *digest, char **ret_text)
{
    if (digest == NULL) {
        return err_code(err_new(ERR_INVALID, journal->where, "the run has no plan in the journal"),
            "journal_damaged");
    }
    size_t size = 0;
    return journal->ops->get_blob(journal, digest, ret_text, &size);
}

static struct err *load_copies(struct journal *journal, struct stored_run *run,
    const struct journal_record *records, size_t count)
{
    AUTO_FREE char *plan_text = NULL;
    AUTO_FREE char *inventory_text = NULL;
    struct err *err =
        get_blob(journal, find_digest(records, count, JOURNAL_PLAN_BODY, "digest"), &plan_text);
    if (err == NULL) {
        err = get_blob(journal, find_digest(records, count, JOURNAL_RUN_CREATED, "inventory"),
            &inventory_text);
    }
    AUTO_JSON plan = NULL;
    if (err == NULL) {
        err = js_parse(plan_text, strlen(plan_text), journal->where, &plan);
    }
    if (err == NULL) {
        err = plan_from_json(plan, journal->where, &run->plan);
    }
    if (err == NULL) {
        err = load_inventory(inventory_text, strlen(inventory_text), run);
    }
    return err;
}

static struct err *load(struct journal *journal, const char *id, struct stored_run *run)
{
    struct err *err = id != NULL ? NULL : find_id(journal, run, &id);
    if (err != NULL) {
        return err;
    }
    struct journal_record *records = NULL;
    size_t count = 0;
    err = journal->ops->read(journal, id, &run->arena, &records, &count);
    if (err == NULL) {
        err = load_copies(journal, run, records, count);
    }
    if (err == NULL) { /* so there are records */
        run->origin = arena_strdup(&run->arena, records[0].hash);
        run_init(&run->state, &run->plan, id);
        engine_fold_all(&run->state, records, count);
    }
    journal_records_release(records, count);
    return err;
}

struct err *stored_run_load(struct journal *journal, const char *id, struct stored_run *ret_run)
{
    struct stored_run *run = ret_run;
    struct err *err = load(journal, id, run);
    if (err != NULL) {
        stored_run_release(run);
        *run = (struct stored_run){0};
    }
    return err;
}

struct err *stored_run_refuse_unfinished(struct journal *journal)
{
    AUTO_ARENA arena = {0};
    struct journal_run *runs = NULL;
    size_t count = 0;
    struct err *err = journal->ops->list_runs(journal, &arena, &runs, &count);
    if (err == NULL && count > 0 && !runs[0].is_final) {
        err = err_new(
            ERR_REFUSED, runs[0].id, "an earlier run is not finished: it is %s", runs[0].state);
        err = err_hint(err_code(err, "run_unfinished"),
            "go on with `upshift resume` or `upshift finalize`, or end it with `upshift abort`");
    }
    return err;
}
