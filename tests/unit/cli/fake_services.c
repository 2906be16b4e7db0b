#include "fake_services.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/exit.h"

static const char plan_text[] =
    "{\"format\":1,\"strategy\":\"rolling\",\"request\":{\"cluster\":\"orders-cache\",\"action\":"
    "\"upgrade\",\"from\":\"redis 6.0.16\",\"to\":\"redis 7.0.15\",\"to_series\":\"redis/7.0\","
    "\"to_version\":\"7.0.15\",\"to_product\":\"redis\"},\"phases\":[{\"name\":\"replicas\","
    "\"title\":\"upgrade the replicas\",\"steps\":[{\"id\":\"shard-1/n4/stop\",\"kind\":"
    "\"service.stop\",\"def\":1,\"summary\":\"stop n4 (replica of shard-1)\",\"node\":\"n4\","
    "\"shard\":\"shard-1\",\"args\":{\"node\":\"n4\"},\"takes_out\":true,\"deadline_ms\":120000,"
    "\"settle_ms\":500}]}],\"way_back\":[\"redis-cli -p 7001 CLUSTER FAILOVER\"]}";

static struct fake *fake_of(struct services *services)
{
    return (struct fake *)services;
}

static struct err *take_error(struct fake *fake)
{
    struct err *err = fake->error;
    fake->error = NULL;
    return err;
}

static struct err *read_facts(
    struct services *services, const struct cli_request *request, struct facts *ret_facts)
{
    struct err *err = take_error(fake_of(services));
    if (err != NULL) {
        return err;
    }
    ret_facts->cluster = request->cluster->name;
    ret_facts->node_count = 2;
    ret_facts->nodes = arena_alloc_array(&ret_facts->arena, 2, sizeof(*ret_facts->nodes));
    ret_facts->nodes[0] = (struct fact_node){.name = "n1",
        .address = "127.0.0.1:7001",
        .is_reachable = true,
        .role = FACT_ROLE_PRIMARY,
        .shard = "shard-1",
        .product = "redis",
        .version = "6.0.16",
        .is_cluster_ok = true,
        .key_count = 42};
    ret_facts->nodes[1] = (struct fact_node){
        .name = "n2", .address = "127.0.0.1:7002", .trouble = "connection \x1b[31mrefused"};
    return NULL;
}

static void be_quiet(void *UNUSED(context), const char *UNUSED(text))
{
}

static struct err *make_plan(struct services *services, const struct cli_request *request,
    struct arena *arena, struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    struct fake *fake = fake_of(services);
    request->progress(request->progress_context, "fetching");
    struct err *err = take_error(fake);
    if (err != NULL) {
        return err;
    }
    if (fake->is_refused) {
        ret_refusal->answers = arena_alloc_array(arena, fake->answer_count, sizeof(*fake->answers));
        memcpy(ret_refusal->answers, fake->answers, fake->answer_count * sizeof(*fake->answers));
        ret_refusal->answer_count = fake->answer_count;
        return NULL;
    }
    AUTO_JSON value = NULL;
    err = js_parse(plan_text, sizeof(plan_text) - 1, "the plan", &value);
    if (err == NULL && request->action != NULL) {
        js_put_text(js_get(value, "request"), "action", request->action);
    }
    (void)snprintf(
        fake->shard, sizeof(fake->shard), "%s", request->shard == NULL ? "" : request->shard);
    (void)snprintf(
        fake->node, sizeof(fake->node), "%s", request->node == NULL ? "" : request->node);
    if (err == NULL && fake->is_there_already) {
        js_put(value, "phases", js_array());
    }
    return err != NULL ? err : plan_from_json(value, "the plan", ret_plan);
}

static struct err *check(struct services *services, const struct cli_request *request,
    struct arena *arena, struct gate_answer **ret_answers, size_t *ret_count)
{
    (void)request;
    struct fake *fake = fake_of(services);
    *ret_answers = arena_alloc_array(arena, fake->answer_count, sizeof(**ret_answers));
    memcpy(*ret_answers, fake->answers, fake->answer_count * sizeof(**ret_answers));
    *ret_count = fake->answer_count;
    return take_error(fake);
}

static struct err *compare_plan(struct services *services, const struct cli_request *request,
    const struct plan *plan, struct arena *arena, const char ***ret_differences, size_t *ret_count)
{
    (void)request;
    (void)plan;
    (void)arena;
    struct fake *fake = fake_of(services);
    *ret_differences = fake->differences;
    *ret_count = fake->difference_count;
    return take_error(fake);
}

static struct err *start_run(struct services *services, const struct cli_request *request,
    const struct plan *plan, struct arena *arena, const char **ret_run)
{
    (void)request;
    (void)arena;
    struct fake *fake = fake_of(services);
    fake->start_count++;
    plan_digest(plan, fake->plan_digest);
    *ret_run = "orders-cache-1";
    return take_error(fake);
}

static struct err *continue_run(
    struct services *services, const char *cluster, const char *command, struct json **ret_answer)
{
    (void)cluster;
    struct fake *fake = fake_of(services);
    fake->continue_count++;
    fake->command = command;
    struct err *err = take_error(fake);
    return err != NULL || fake->ended == NULL
               ? err
               : js_parse(fake->ended, strlen(fake->ended), "the answer", ret_answer);
}

static struct err *reconcile_claims(struct services *services,
    const struct cli_request *UNUSED(request), enum cli_claims_act act, struct arena *UNUSED(arena),
    struct cli_claims *ret_claims)
{
    struct fake *fake = fake_of(services);
    fake->act_counts[act]++;
    *ret_claims = fake->claims;
    ret_claims->is_cleared = act != CLI_CLAIMS_LOOK && fake->claims.unseen_count == 0;
    return take_error(fake);
}

static struct err *plan_back(struct services *services, const char *cluster, struct arena *arena,
    struct plan *ret_plan, struct plan_refusal *ret_refusal)
{
    (void)cluster;
    const struct cli_request request = {.progress = be_quiet};
    return make_plan(services, &request, arena, ret_plan, ret_refusal);
}

/* --- a journal with one run --- */

static struct err *list_runs(
    struct journal *journal, struct arena *arena, struct journal_run **ret_runs, size_t *ret_count)
{
    (void)journal;
    *ret_runs = arena_alloc(arena, sizeof(**ret_runs));
    (*ret_runs)[0] = (struct journal_run){.id = "orders-cache-1",
        .number = 1,
        .created_wall_ms = 1700000000000,
        .state = "PAUSED",
        .title = "redis 6.0.16 -> redis 7.0.15"};
    *ret_count = 1;
    return NULL;
}

static struct err *read_records(struct journal *journal, const char *run, struct arena *arena,
    struct journal_record **ret_records, size_t *ret_count)
{
    if (strcmp(run, "orders-cache-1") != 0) {
        return err_code(err_new(ERR_INVALID, journal->where, "no run %s", run), "run_unknown");
    }
    struct json *body = js_object();
    struct json *request = js_object();
    js_put_text(request, "cluster", "orders-cache");
    js_put_text(request, "from", "redis 6.0.16");
    js_put_text(request, "to", "redis 7.0.15");
    js_put_text(body, "title", "redis 6.0.16 -> redis 7.0.15");
    js_put(body, "request", request);
    struct json *revised = js_object();
    struct json *plan = js_object();
    js_put_text(plan, "strategy", "rolling");
    js_put_text(revised, "cause", "rollback, asked for by ada");
    js_put_text(revised, "digest", "3f9a");
    js_put(revised, "plan", plan);
    *ret_records = arena_alloc_array(arena, 2, sizeof(**ret_records));
    (*ret_records)[1] = (struct journal_record){.seq = 2,
        .epoch = 1,
        .def = 1,
        .type = JOURNAL_PLAN_REVISED,
        .wall_ms = 1700000001000,
        .body = revised,
        .hash = "01"};
    (*ret_records)[0] = (struct journal_record){.seq = 1,
        .epoch = 1,
        .def = 1,
        .type = JOURNAL_RUN_CREATED,
        .wall_ms = 1700000000000,
        .body = body,
        .hash = "00"};
    *ret_count = 2;
    return NULL;
}

static void close_journal(struct journal *UNUSED(journal))
{
}

static const struct journal_ops journal_ops = {
    .list_runs = list_runs,
    .read = read_records,
    .close = close_journal,
};
static struct journal journal_of_fake = {&journal_ops, "journal.db"};

static struct err *open_journal(
    struct services *services, const char *cluster, struct journal **ret_journal)
{
    (void)cluster;
    *ret_journal = &journal_of_fake;
    return take_error(fake_of(services));
}

static struct err *read_run(
    struct services *services, const char *cluster, const char *run, struct json **ret_snapshot)
{
    (void)run;
    struct err *err = take_error(fake_of(services));
    if (err == NULL) {
        *ret_snapshot = js_object();
        js_put_text(*ret_snapshot, "run", "orders-cache-1");
        js_put_text(*ret_snapshot, "cluster", cluster);
        const struct fake *fake = fake_of(services);
        js_put_text(*ret_snapshot, "state", fake->state == NULL ? "RUNNING" : fake->state);
        js_put_text(
            *ret_snapshot, "direction", fake->direction == NULL ? "forward" : fake->direction);
        js_put_text(*ret_snapshot, "way_back", "open");
        if (text_equal(fake->state, "SOAKING")) {
            js_put_number(*ret_snapshot, "exit", EXIT_SOAKING);
        }
        struct json *lines = js_array();
        js_push(lines, js_text("redis-cli -p 7001 CLUSTER FAILOVER"));
        js_put(*ret_snapshot, "way_back_by_hand", lines);
    }
    return err;
}

static struct err *list_journals(
    struct services *services, struct arena *arena, const char ***ret_clusters, size_t *ret_count)
{
    *ret_clusters = arena_alloc(arena, sizeof(**ret_clusters));
    (*ret_clusters)[0] = "orders-cache";
    *ret_count = 1;
    return take_error(fake_of(services));
}

static struct err *probe(struct services *services, const struct cli_request *request,
    const struct cli_probe_options *options, struct json **ret_final)
{
    (void)request;
    (void)options;
    struct fake *fake = fake_of(services);
    struct err *err = take_error(fake);
    return err != NULL ? err : js_parse(fake->final, strlen(fake->final), "final", ret_final);
}

void fake_open(struct fake *fake)
{
    *fake = (struct fake){
        .services = {.read_facts = read_facts,
            .make_plan = make_plan,
            .check = check,
            .compare_plan = compare_plan,
            .start_run = start_run,
            .continue_run = continue_run,
            .plan_back = plan_back,
            .reconcile_claims = reconcile_claims,
            .open_journal = open_journal,
            .read_run = read_run,
            .list_journals = list_journals,
            .probe = probe},
        .directory = "/tmp/upshift-cli.XXXXXX",
    };
    if (mkdtemp(fake->directory) == NULL) {
        abort();
    }
}

void fake_close(struct fake *fake)
{
    AUTO_ERR err = fs_remove_tree(fake->directory);
    err_free(fake->error);
}

char *fake_path(const struct fake *fake, const char *name)
{
    return mem_format("%s/%s", fake->directory, name);
}

/* --- calls --- */

struct redirection {
    int fd, saved, file;
};

static struct redirection redirect(int fd, int file)
{
    const struct redirection redirection = {fd, dup(fd), file};
    (void)dup2(file, fd);
    return redirection;
}

static void restore(const struct redirection *redirection, struct buf *ret_text)
{
    (void)dup2(redirection->saved, redirection->fd);
    (void)close(redirection->saved);
    ssize_t count = 0;
    (void)lseek(redirection->file, 0, SEEK_SET);
    while ((count = read(redirection->file, buf_reserve(ret_text, 65536), 65536)) > 0) {
        buf_grow_used(ret_text, (size_t)count);
    }
    (void)close(redirection->file);
}

static struct outcome call(struct fake *fake, int argc, char **argv)
{
    struct outcome outcome = {0};
    struct buf ignored = {0};
    (void)fflush(NULL);
    const struct redirection in = redirect(STDIN_FILENO, open("/dev/null", O_RDONLY | O_CLOEXEC));
    const struct redirection out = redirect(STDOUT_FILENO, memfd_create("out", MFD_CLOEXEC));
    const struct redirection err = redirect(STDERR_FILENO, memfd_create("err", MFD_CLOEXEC));
    outcome.exit = cli_main(argc, argv, &fake->services);
    (void)fflush(NULL);
    restore(&in, &ignored);
    restore(&out, &outcome.out);
    restore(&err, &outcome.err);
    buf_release(&ignored);
    return outcome;
}

struct outcome fake_call(struct fake *fake, const char *words)
{
    (void)setenv("UPSHIFT_INVENTORY", EXAMPLE_INVENTORY, 1);
    (void)setenv("UPSHIFT_STATE_DIR", fake->directory, 1);
    AUTO_ARENA arena = {0};
    char *argv[32] = {arena_strdup(&arena, "upshift")};
    int argc = 1;
    struct str rest = str_of(words), word;
    while (rest.size > 0 && argc < 31 && str_cut(&rest, ' ', &word)) {
        argv[argc++] = arena_strndup(&arena, word.data, word.size);
    }
    return call(fake, argc, argv);
}

void outcome_release(struct outcome *outcome)
{
    buf_release(&outcome->out);
    buf_release(&outcome->err);
}
