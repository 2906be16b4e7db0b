#include "app/claims.h"

#include "app/claim_file.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/fence.h"
#include "drivers/host.h"
#include "store/sqlite/store.h"

/* What a node's claim is to us. */
enum claim_kind {
    KIND_NONE,
    KIND_OURS,    /* of this process */
    KIND_EARLIER, /* of this run, by a controller that has ended */
    KIND_PAST, /* released, of a run that has ended, or of another cluster: only its epoch counts */
    KIND_UNSEEN,
    KIND_FOREIGN,
    KIND_AHEAD, /* of this run, further than our journal */
};

/* One act under way. */
struct claiming {
    const struct claims *claims;
    const struct call *call;
    const struct claim_request *request;
    struct arena *arena; /* of the answer */
    struct claim_answer *answer;
    struct claim_owner owner;
    struct journal *journal; /* ours, to look things up; NULL: there is none */
    char head[SHA256_HEX_SIZE];
    struct claim_survey survey;
    enum claim_kind *kinds;  /* as survey.nodes */
    const char **texts_were; /* before we wrote; NULL: there was none */
    bool *is_written;
};

/* --- whose it is --- */

static bool is_same_process(const struct claim_owner *a, const struct claim_owner *b)
{
    return a->pid == b->pid && text_equal(a->boot, b->boot) && text_equal(a->host, b->host) &&
           text_equal(a->journal, b->journal);
}

/* The lock of our state directory is ours: who held it before has ended. */
static bool has_surely_ended(const struct claim_owner *owner, const struct claim_owner *here)
{
    return text_equal(owner->host, here->host) && text_equal(owner->journal, here->journal);
}

/* Does our journal know this run, with this record? An older copy does not know the later ones, and
 * what it appends instead has other hashes. */
static bool is_in_journal(
    struct journal *journal, const char *run, int64_t seq, const char *wanted_hash)
{
    char hash[SHA256_HEX_SIZE] = "";
    AUTO_ERR err = journal == NULL ? NULL : store_read_hash(journal, run, seq, hash);
    return err == NULL && hash[0] != '\0' && text_equal(hash, wanted_hash);
}

/* Does our own journal say that this run has ended? Its last release did not reach the node. */
static bool has_ended_here(struct journal *journal, const struct claim_file *file)
{
    AUTO_ARENA arena = {0};
    struct journal_run *runs = NULL;
    size_t count = 0;
    bool has_ended = false;
    AUTO_ERR err = journal == NULL ? NULL : journal->ops->list_runs(journal, &arena, &runs, &count);
    for (size_t i = 0; err == NULL && i < count; i++) {
        has_ended |= runs[i].is_final && text_equal(runs[i].id, file->run) &&
                     is_in_journal(journal, file->run, 1, file->origin);
    }
    return has_ended;
}

/* What a controller of this state directory left behind that died between marking the nodes and
 * journaling it. Where it saw a tombstone that we could not see, its epoch is above ours; but the
 * record that it names is from before our time. */
static bool is_left_behind(const struct claiming *claiming, const struct claim_file *file)
{
    AUTO_ARENA arena = {0};
    struct journal_record *records = NULL;
    size_t count = 0;
    struct journal *journal = claiming->journal;
    if (!has_surely_ended(&file->owner, &claiming->owner) ||
        !is_in_journal(journal, file->run, file->seq, file->head)) {
        return false;
    }
    AUTO_ERR err = journal->ops->read(journal, file->run, &arena, &records, &count);
    const bool is_past = err == NULL && file->seq <= (int64_t)count &&
                         records[file->seq - 1].epoch < claiming->request->epoch;
    journal_records_release(records, count);
    return is_past;
}

/* Of a controller that holds its claim already, or gives it back. */
static enum claim_kind judge_held(const struct claiming *claiming, const struct claim_file *file)
{
    if (is_same_process(&file->owner, &claiming->owner)) {
        return KIND_PAST; /* released a moment ago; another node was not */
    }
    const bool is_older = file->epoch < claiming->request->epoch || is_left_behind(claiming, file);
    return is_older ? KIND_EARLIER : KIND_AHEAD;
}

static enum claim_kind judge_own_run(const struct claiming *claiming, const struct claim_file *file)
{
    if (file->state != CLAIM_RELEASED && is_same_process(&file->owner, &claiming->owner)) {
        return KIND_OURS;
    }
    if (claiming->request->act != CLAIM_TAKE) {
        return judge_held(claiming, file);
    }
    if (!is_in_journal(claiming->journal, claiming->claims->run, file->seq, file->head)) {
        return KIND_AHEAD;
    }
    const bool may_live =
        file->state == CLAIM_LIVE && !has_surely_ended(&file->owner, &claiming->owner);
    return may_live ? KIND_FOREIGN : KIND_EARLIER;
}

static enum claim_kind judge_claim(const struct claiming *claiming, const struct claim_seen *seen)
{
    const struct claim_file *file = &seen->file;
    if (seen->err != NULL) {
        return seen->err->kind == ERR_INVALID ? KIND_FOREIGN : KIND_UNSEEN;
    }
    if (seen->text == NULL) {
        return KIND_NONE;
    }
    if (!seen->is_parsed) {
        return KIND_FOREIGN;
    }
    if (!text_equal(file->cluster, claiming->claims->world->cluster->name)) {
        return KIND_PAST;
    }
    if (text_equal(file->origin, claiming->claims->origin)) {
        return judge_own_run(claiming, file);
    }
    if (file->state != CLAIM_RELEASED && !has_ended_here(claiming->journal, file)) {
        return KIND_FOREIGN;
    }
    /* Whoever cleared our claim, or had it after us, has taken the cluster out of our hands. */
    const bool is_after_us =
        claiming->request->act != CLAIM_TAKE && file->epoch >= claiming->request->epoch;
    return is_after_us ? KIND_FOREIGN : KIND_PAST;
}

/* --- saying so --- */

static void say_foreign(struct claiming *claiming, const struct claim_seen *seen)
{
    struct arena *arena = claiming->arena;
    const char *cluster = claiming->claims->world->cluster->name;
    if (seen->err != NULL) {
        AUTO_FREE char *text = err_text(seen->err);
        claiming->answer->reason = arena_strdup(arena, text);
    } else if (seen->is_parsed && seen->file.state == CLAIM_RELEASED) {
        claiming->answer->reason = arena_format(arena, "our claim on %s was ended by %s on %s",
            seen->node->name, seen->file.owner.user, seen->file.owner.host);
    } else {
        claiming->answer->reason = claim_seen_describe(seen, arena);
    }
    claiming->answer->is_foreign = true;
    claiming->answer->remedy = arena_format(arena,
        "wait until that run has ended, or steer it from there; only when that controller is gone "
        "for good: `upshift reconcile %s --clear-claim`, or with --adopt, which takes back its "
        "temporary changes first",
        cluster);
}

static void say_ahead(struct claiming *claiming, const struct claim_seen *seen)
{
    struct arena *arena = claiming->arena;
    const struct claim_file *file = &seen->file;
    claiming->answer->is_ahead = true;
    claiming->answer->reason = arena_format(arena,
        "the claim of run %s on %s is of epoch %lld and record %lld, which this journal (epoch "
        "%lld) does not have: the journal is an older copy, or the run was taken over",
        file->run, seen->node->name, (long long)file->epoch, (long long)file->seq,
        (long long)claiming->request->epoch);
    claiming->answer->remedy = arena_format(arena,
        "put the newest journal back; if it is lost: `upshift reconcile %s --adopt` takes back "
        "the temporary changes that the claim lists, and then the claim",
        claiming->claims->world->cluster->name);
}

static void say_ignored(struct claiming *claiming, const struct claim_seen *seen)
{
    const char *own = claiming->claims->world->cluster->name;
    if (claiming->answer->reason == NULL && !text_equal(seen->file.cluster, own)) {
        claiming->answer->reason = arena_format(claiming->arena,
            "ignored: the claim on %s is of another cluster, %s; it came with copied files",
            seen->node->name, seen->file.cluster);
    }
}

/* Judges a node and puts what it means into the answer; the worst is said. */
static void judge_node(struct claiming *claiming, size_t index)
{
    const struct claim_seen *seen = &claiming->survey.nodes[index];
    const enum claim_kind kind = judge_claim(claiming, seen);
    claiming->kinds[index] = kind;
    struct claim_answer *answer = claiming->answer;
    if (kind == KIND_AHEAD && !answer->is_ahead) {
        say_ahead(claiming, seen);
    } else if (kind == KIND_FOREIGN && !answer->is_foreign && !answer->is_ahead) {
        say_foreign(claiming, seen);
    } else if (kind == KIND_PAST) {
        say_ignored(claiming, seen);
    }
    const bool is_counted =
        seen->is_parsed && text_equal(seen->file.cluster, claiming->claims->world->cluster->name);
    if (is_counted && seen->file.epoch > answer->epoch_max) {
        answer->epoch_max = seen->file.epoch;
    }
}

static size_t majority_of(size_t count)
{
    return count / 2 + 1;
}

static struct err *too_few(const struct claiming *claiming)
{
    AUTO_BUF names = {0};
    const struct claim_survey *survey = &claiming->survey;
    for (size_t i = 0; i < survey->count; i++) {
        if (claiming->kinds[i] == KIND_UNSEEN) {
            AUTO_FREE char *why =
                survey->nodes[i].err == NULL ? NULL : err_text(survey->nodes[i].err);
            buf_printf(&names, "%s%s (%s)", names.size == 0 ? "" : ", ",
                survey->nodes[i].node->name, why == NULL ? "not written" : why);
        }
    }
    struct err *err = err_new(ERR_UNREACHABLE, claiming->claims->world->cluster->name,
        "the claim is on %lld of %zu nodes, and more than half are needed; not on: %s",
        (long long)claiming->answer->held_count, survey->count, buf_text(&names));
    return err_hint(err_code(err, "claim_minority"),
        "see that upshift can reach these nodes' hosts and write in the nodes' directories");
}

/* --- writing --- */

static struct claim_file make_claim(const struct claiming *claiming, int64_t epoch)
{
    const struct claim_request *request = claiming->request;
    struct claim_file file = {
        .format = CLAIM_FORMAT,
        .cluster = claiming->claims->world->cluster->name,
        .origin = claiming->claims->origin,
        .run = claiming->claims->run,
        .epoch = epoch,
        .owner = claiming->owner,
        .state = request->act == CLAIM_RELEASE ? CLAIM_RELEASED
                 : request->is_parked          ? CLAIM_PARKED
                                               : CLAIM_LIVE,
        .run_status = request->state,
        .ttl_ms = CLAIM_TTL_MS,
        .seq = request->seq,
        .head = claiming->head,
        .changed_wall_ms = clock_wall_ms(claiming->call->clock),
        .scopes = js_ref(request->scopes),
    };
    return file;
}

/* Writes one node's claim. A claim that changed under our hands is read and judged again. */
static void write_node(struct claiming *claiming, size_t index, const struct claim_file *file)
{
    struct claim_seen *seen = &claiming->survey.nodes[index];
    const struct world *world = claiming->claims->world;
    struct arena *scratch = &claiming->survey.arena;
    claiming->texts_were[index] = seen->text;
    struct err *err = claim_seen_swap(claiming->call, world, file, scratch, seen);
    if (err == NULL) {
        claiming->is_written[index] = true;
        claiming->answer->held_count++;
        return;
    }
    if (!text_equal(err->code, "claim_contested")) {
        claiming->kinds[index] = KIND_UNSEEN;
        err_free(seen->err);
        seen->err = err;
        return;
    }
    err_free(err);
    claim_seen_read(claiming->call, world, scratch, seen);
    judge_node(claiming, index);
    if (claiming->kinds[index] < KIND_UNSEEN) {
        /* Two of one run at once: the lock of the state directory was not asked. */
        claiming->kinds[index] = KIND_FOREIGN;
        say_foreign(claiming, seen);
    }
}

static bool is_refused(const struct claiming *claiming)
{
    return claiming->answer->is_foreign || claiming->answer->is_ahead;
}

/* Puts back what was there, or a tombstone where there was nothing. What cannot be given back now
 * is known as ended to this state directory, and says so to others. */
static void give_back(struct claiming *claiming)
{
    struct claim_file tombstone = make_claim(claiming, claiming->request->epoch);
    tombstone.state = CLAIM_RELEASED;
    AUTO_FREE char *released = claim_file_write(&tombstone);
    js_free(tombstone.scopes);
    for (size_t i = 0; i < claiming->survey.count; i++) {
        const struct claim_seen *seen = &claiming->survey.nodes[i];
        const char *was = claiming->texts_were[i];
        const struct host_claim_swap swap = {
            .expected = seen->text, .text = was == NULL ? released : was};
        bool is_done = false;
        AUTO_ERR ignored = claiming->is_written[i]
                               ? host_claim_swap(claiming->call, claiming->claims->world->host,
                                     seen->node, &swap, &is_done)
                               : NULL;
        (void)ignored;
    }
    claiming->answer->held_count = 0;
}

/* --- cutting what an earlier controller may still have open --- */

/* Was it not seen to end in order? Then it may wake up and act. */
static bool needs_cut(const struct claiming *claiming, size_t index)
{
    const struct claim_seen *seen = &claiming->survey.nodes[index];
    return claiming->kinds[index] == KIND_EARLIER ||
           (claiming->kinds[index] == KIND_PAST && seen->file.origin[0] == '\0');
}

/* The run of the `index`th claim, or NULL when an earlier one has the same. */
static const char *run_to_cut(const struct claiming *claiming, size_t index)
{
    const struct claim_seen *nodes = claiming->survey.nodes;
    if (!needs_cut(claiming, index)) {
        return NULL;
    }
    for (size_t i = 0; i < index; i++) {
        if (needs_cut(claiming, i) && text_equal(nodes[i].file.run, nodes[index].file.run)) {
            return NULL;
        }
    }
    return nodes[index].file.run;
}

static struct err *cut_run(
    const struct claiming *claiming, const char *run, int64_t epoch, bool has_ended)
{
    const struct world *world = claiming->claims->world;
    const struct fence_mark mark = {.run = run, .epoch = epoch};
    for (size_t i = 0; i < claiming->survey.count; i++) {
        int64_t cut_count = 0;
        struct err *err = fence_cut(
            claiming->call, world->fence, claiming->survey.nodes[i].node, &mark, &cut_count);
        if (err != NULL && err->kind != ERR_UNREACHABLE && !has_ended) {
            return err;
        }
        err_free(err); /* who does not answer does not act; who has ended neither */
    }
    return NULL;
}

static struct err *cut_earlier(const struct claiming *claiming, int64_t epoch)
{
    const struct claim_survey *survey = &claiming->survey;
    struct err *err = NULL;
    for (size_t i = 0; err == NULL && i < survey->count; i++) {
        const char *run = run_to_cut(claiming, i);
        if (run != NULL && claiming->claims->world->fence != NULL) {
            const bool has_ended = has_surely_ended(&survey->nodes[i].file.owner, &claiming->owner);
            err = cut_run(claiming, run, epoch, has_ended);
        }
    }
    return err;
}

/* --- the acts --- */

/* Above whatever anybody had; the same again for ourselves. */
static int64_t choose_epoch(const struct claiming *claiming)
{
    int64_t epoch = claiming->request->epoch;
    for (size_t i = 0; i < claiming->survey.count; i++) {
        const struct claim_seen *seen = &claiming->survey.nodes[i];
        const bool is_ours = claiming->kinds[i] == KIND_OURS;
        const bool is_counted = seen->is_parsed && text_equal(seen->file.cluster,
                                                       claiming->claims->world->cluster->name);
        if (is_counted && seen->file.epoch >= epoch) {
            epoch = seen->file.epoch + (is_ours ? 0 : 1);
        }
    }
    return epoch;
}

static struct err *finish_take(struct claiming *claiming, int64_t epoch)
{
    struct err *err = NULL;
    if (is_refused(claiming)) {
        give_back(claiming);
        return NULL;
    }
    if ((size_t)claiming->answer->held_count < majority_of(claiming->survey.count)) {
        err = too_few(claiming);
    } else {
        err = cut_earlier(claiming, epoch);
    }
    if (err != NULL) {
        give_back(claiming);
        return err;
    }
    claiming->answer->epoch_max = epoch;
    return NULL;
}

static struct err *take_claim(struct claiming *claiming)
{
    size_t unseen_count = 0;
    const size_t count = claiming->survey.count;
    for (size_t i = 0; i < count; i++) {
        unseen_count += claiming->kinds[i] == KIND_UNSEEN;
    }
    if (is_refused(claiming)) {
        return NULL;
    }
    if (count - unseen_count < majority_of(count)) {
        return too_few(claiming);
    }
    const int64_t epoch = choose_epoch(claiming);
    struct claim_file file = make_claim(claiming, epoch);
    for (size_t i = 0; i < count && !is_refused(claiming); i++) {
        if (claiming->kinds[i] != KIND_UNSEEN) {
            write_node(claiming, i, &file);
        }
    }
    js_free(file.scopes);
    return finish_take(claiming, epoch);
}

static struct err *renew_claim(struct claiming *claiming)
{
    struct claim_file file = make_claim(claiming, claiming->request->epoch);
    for (size_t i = 0; i < claiming->survey.count; i++) {
        /* Also where there is none: a node that came later, or whose directory was emptied. But who
         * has lost one of them leaves the others as they are. */
        if (claiming->kinds[i] < KIND_UNSEEN && !is_refused(claiming)) {
            write_node(claiming, i, &file);
        }
    }
    js_free(file.scopes);
    const bool is_enough =
        (size_t)claiming->answer->held_count >= majority_of(claiming->survey.count);
    return is_enough || is_refused(claiming) ? NULL : too_few(claiming);
}

/* Only what is ours; `held_count` is what could not be released. */
static struct err *release_claim(struct claiming *claiming)
{
    struct claim_file file = make_claim(claiming, claiming->request->epoch);
    int64_t left_count = 0;
    for (size_t i = 0; i < claiming->survey.count; i++) {
        if (claiming->kinds[i] == KIND_OURS) {
            write_node(claiming, i, &file);
        }
        left_count += claiming->kinds[i] == KIND_UNSEEN;
    }
    js_free(file.scopes);
    claiming->answer->held_count = left_count;
    return NULL;
}

/* A reader of its own: the engine's handle is for its thread. */
static struct err *open_journal_beside(struct claiming *claiming)
{
    const struct claims *claims = claiming->claims;
    AUTO_FREE char *path = mem_format("%s/journal.db", claims->directory);
    struct err *err = fs_exists(path)
                          ? store_open(claims->directory, /* read_only= */ true, &claiming->journal)
                          : NULL;
    if (err == NULL && claiming->journal != NULL) {
        err =
            store_read_hash(claiming->journal, claims->run, claiming->request->seq, claiming->head);
    }
    return err;
}

static void end_claiming(struct claiming *claiming)
{
    if (claiming->journal != NULL) {
        claiming->journal->ops->close(claiming->journal);
    }
    claim_survey_release(&claiming->survey);
}

static struct err *begin_claiming(struct claiming *claiming)
{
    const struct claims *claims = claiming->claims;
    struct err *err = open_journal_beside(claiming);
    if (err != NULL) {
        return err;
    }
    claim_survey_read(claiming->call, claims->world, &claiming->survey);
    struct arena *scratch = &claiming->survey.arena;
    const size_t count = claiming->survey.count;
    claiming->owner = claim_owner_here(scratch, claims->directory);
    claiming->kinds = arena_alloc_array(scratch, count, sizeof(*claiming->kinds));
    claiming->texts_were = arena_alloc_array(scratch, count, sizeof(*claiming->texts_were));
    claiming->is_written = arena_alloc_array(scratch, count, sizeof(*claiming->is_written));
    for (size_t i = 0; i < count; i++) {
        judge_node(claiming, i);
    }
    return NULL;
}

static struct err *claims_act(const struct call *call, void *context,
    const struct claim_request *request, struct arena *arena, struct claim_answer *ret_answer)
{
    static struct err *(*const acts[])(struct claiming *) = {
        [CLAIM_TAKE] = take_claim,
        [CLAIM_RENEW] = renew_claim,
        [CLAIM_RELEASE] = release_claim,
    };
    const struct claims *claims = context;
    const struct inv_cluster *cluster = claims->world->cluster;
    struct claim_answer answer = {
        .node_count = (int64_t)(cluster->node_count + cluster->sentinel_count)};
    struct claiming claiming = {
        .claims = claims,
        .call = call,
        .request = request,
        .arena = arena,
        .answer = &answer,
    };
    struct err *err = begin_claiming(&claiming);
    if (err == NULL && claiming.journal != NULL && claiming.head[0] == '\0') {
        err = err_new(ERR_INTERNAL, claims->directory, "the journal of %s has no record %lld yet",
            claims->run, (long long)request->seq);
    }
    if (err == NULL) {
        err = acts[request->act](&claiming);
    }
    if (err == NULL) {
        *ret_answer = answer;
    }
    end_claiming(&claiming);
    return err;
}

/* Only a claim of this very process counts; its epoch does not change while the process lives. */
static struct err *claims_look(const struct call *call, void *context, const char *node,
    struct arena *arena, const char **ret_reason)
{
    const struct claims *claims = context;
    *ret_reason = NULL;
    const struct inv_node *inv =
        node == NULL ? NULL : inv_cluster_find_node(claims->world->cluster, node);
    if (inv == NULL) {
        return NULL;
    }
    struct claim_survey one = {.count = 1};
    one.nodes = arena_alloc(&one.arena, sizeof(*one.nodes));
    one.nodes->node = inv;
    claim_seen_read(call, claims->world, &one.arena, one.nodes);
    const struct claim_owner here = claim_owner_here(&one.arena, claims->directory);
    const struct claim_file *file = &one.nodes->file;
    struct err *err = one.nodes->err;
    one.nodes->err = NULL;
    const bool is_ours = one.nodes->is_parsed && file->state != CLAIM_RELEASED &&
                         text_equal(file->origin, claims->origin) &&
                         is_same_process(&file->owner, &here);
    if (err == NULL && one.nodes->text == NULL) {
        *ret_reason = arena_format(arena, "there is no claim on %s any more", node);
    } else if (err == NULL && !is_ours) {
        *ret_reason =
            arena_format(arena, "not ours any more: %s", claim_seen_describe(one.nodes, arena));
    }
    claim_survey_release(&one);
    return err;
}

struct err *claims_refuse_foreign(
    const struct call *call, const struct world *world, const char *directory)
{
    AUTO_ARENA arena = {0};
    struct claim_answer answer = {0};
    const struct claims nobody = {world, directory, /* origin= */ "none", /* run= */ "none"};
    const struct claim_request request = {.act = CLAIM_TAKE};
    struct claiming claiming = {
        .claims = &nobody, .call = call, .request = &request, .arena = &arena, .answer = &answer};
    struct err *err = begin_claiming(&claiming);
    end_claiming(&claiming);
    if (err != NULL || !answer.is_foreign) {
        return err;
    }
    err = err_new(ERR_REFUSED, world->cluster->name, "%s", answer.reason);
    return err_hint(err_code(err, "claimed"), "%s", answer.remedy);
}

const struct claim_ops claims_ops = {
    .act = claims_act,
    .look = claims_look,
};
