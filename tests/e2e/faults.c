/*
 * tests/e2e/faults.c - upshift with a controller that dies where a test says.
 *
 * UPSHIFT_KILL="<place>:<step>" makes the controller end itself with SIGKILL: before or after the
 * commit of that step's intent (before_intent, after_intent), after its act and before anybody
 * knows (after_send), before the commit of its outcome (before_outcome). With the place
 * freeze_before_send it stops itself (SIGSTOP) right before the act instead, with freeze_after_look
 * when its connection stands and the claim was seen to be its own. A controller that is started
 * without the variable is upshift itself.
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/controller.h"
#include "app/services.h"
#include "base/attr.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "guard_faults.h"
#include "probe/probe.h"
#include "steps/steps.h"

enum { KIND_COUNT = 16 }; /* more than there are kinds of step */

static struct {
    const char *place; /* NULL: nowhere */
    const char *step;
    struct journal journal;
    struct journal *inner;
    struct err *(*check_claim)(const struct call *call, const char *node);
} faults;

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

static bool is_place(const char *place)
{
    return faults.place != NULL && strcmp(faults.place, place) == 0;
}

/* --- the journal --- */

static bool is_ours(const struct journal_record *record, enum journal_type type)
{
    return record->type == type && record->step != NULL && strcmp(record->step, faults.step) == 0;
}

static const struct journal_record *find(
    const struct journal_record *records, size_t count, enum journal_type type)
{
    for (size_t i = 0; faults.place != NULL && i < count; i++) {
        if (is_ours(&records[i], type)) {
            return &records[i];
        }
    }
    return NULL;
}

static struct err *append(struct journal *UNUSED(journal), const char *run,
    struct journal_record *records, size_t record_count, const char *state, bool is_final)
{
    const struct journal_record *intent = find(records, record_count, JOURNAL_INTENT);
    const struct journal_record *outcome = find(records, record_count, JOURNAL_OUTCOME);
    if ((intent != NULL && is_place("before_intent")) ||
        (outcome != NULL && is_place("before_outcome"))) {
        die();
    }
    struct err *err =
        faults.inner->ops->append(faults.inner, run, records, record_count, state, is_final);
    if (intent != NULL && is_place("after_intent")) {
        die();
    }
    return err;
}

static struct err *create_run(struct journal *UNUSED(journal), const char *cluster,
    const char *title, int64_t wall_ms, struct arena *arena, struct journal_run *ret_run)
{
    return faults.inner->ops->create_run(faults.inner, cluster, title, wall_ms, arena, ret_run);
}

static struct err *read_records(struct journal *UNUSED(journal), const char *run,
    struct arena *arena, struct journal_record **ret_records, size_t *ret_count)
{
    return faults.inner->ops->read(faults.inner, run, arena, ret_records, ret_count);
}

static struct err *list_runs(struct journal *UNUSED(journal), struct arena *arena,
    struct journal_run **ret_runs, size_t *ret_count)
{
    return faults.inner->ops->list_runs(faults.inner, arena, ret_runs, ret_count);
}

static struct err *put_blob(
    struct journal *UNUSED(journal), const char *text, size_t size, char ret_digest[65])
{
    return faults.inner->ops->put_blob(faults.inner, text, size, ret_digest);
}

static struct err *get_blob(
    struct journal *UNUSED(journal), const char *digest, char **ret_text, size_t *ret_size)
{
    return faults.inner->ops->get_blob(faults.inner, digest, ret_text, ret_size);
}

static void close_journal(struct journal *UNUSED(journal))
{
    faults.inner->ops->close(faults.inner);
}

static struct journal *decorate_journal(struct journal *journal)
{
    static const struct journal_ops ops = {
        .create_run = create_run,
        .append = append,
        .read = read_records,
        .list_runs = list_runs,
        .put_blob = put_blob,
        .get_blob = get_blob,
        .close = close_journal,
    };
    faults.inner = journal;
    faults.journal = (struct journal){.ops = &ops, .where = journal->where};
    return &faults.journal;
}

/* --- the steps --- */

static struct err *look_and_freeze(const struct call *call, const char *node)
{
    struct err *err = faults.check_claim(call, node);
    if (err == NULL) {
        (void)raise(SIGSTOP); /* until a test goes on, somebody else may take the claim */
    }
    return err;
}

static struct err *apply(const struct step_ops *ops, struct call *call, const struct bound *bound,
    const struct before *before)
{
    const bool is_our_act =
        faults.place != NULL && call->step != NULL && strcmp(call->step, faults.step) == 0;
    if (is_our_act && is_place("freeze_before_send")) {
        faults.place = NULL;  /* once: the steps of a way back have the names of the way there */
        (void)raise(SIGSTOP); /* every gate was yes; until a test goes on, the world may change */
    }
    if (is_our_act && is_place("freeze_after_look")) {
        faults.check_claim = call->check_claim;
        call->check_claim = look_and_freeze;
    }
    struct err *err = ops->apply(call, bound, before);
    if (is_our_act && is_place("after_send")) {
        die();
    }
    return err;
}

/* An apply is not told its kind, so each kind has one of its own. */
#define APPLY(number)                                                                              \
    static struct err *apply_##number(                                                             \
        struct call *call, const struct bound *bound, const struct before *before)                 \
    {                                                                                              \
        return apply(step_table[number], call, bound, before);                                     \
    }
APPLY(0)
APPLY(1)
APPLY(2)
APPLY(3)
APPLY(4)
APPLY(5)
APPLY(6)
APPLY(7)
APPLY(8)
APPLY(9)
APPLY(10)
APPLY(11)
APPLY(12)
APPLY(13)
APPLY(14)
APPLY(15)

static int run_controller(void)
{
    struct err *(*const applies[KIND_COUNT])(struct call *, const struct bound *,
        const struct before *) = {apply_0, apply_1, apply_2, apply_3, apply_4, apply_5, apply_6,
        apply_7, apply_8, apply_9, apply_10, apply_11, apply_12, apply_13, apply_14, apply_15};
    static struct step_ops kinds[KIND_COUNT];
    static const struct step_ops *steps[KIND_COUNT + 1];
    for (size_t i = 0; step_table[i] != NULL; i++) {
        assert(i < KIND_COUNT);
        kinds[i] = *step_table[i];
        kinds[i].apply = applies[i];
        steps[i] = &kinds[i];
    }
    const struct controller_tables tables = {.steps = steps, .decorate_journal = decorate_journal};
    return controller_main(&tables);
}

static void read_faults(void)
{
    const char *text = getenv("UPSHIFT_KILL");
    const char *colon = text == NULL ? NULL : strchr(text, ':');
    if (colon != NULL) {
        faults.place = mem_format("%.*s", (int)(colon - text), text);
        faults.step = colon + 1;
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "internal-controller") == 0) {
        read_faults();
        guard_faults_announce();
        return run_controller();
    }
    if (argc == 2 && strcmp(argv[1], "internal-probe") == 0) {
        return probe_main();
    }
    const int guard_status = guard_faults_main(argc, argv);
    if (guard_status >= 0) {
        return guard_status;
    }
    struct services services;
    services_init(&services);
    return cli_main(argc, argv, &services);
}
