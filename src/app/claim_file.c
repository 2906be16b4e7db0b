#include "app/claim_file.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "drivers/host.h"

static const char *const state_words[] = {"live", "parked", "released", NULL};

static const struct codec_field owner_fields[] = {
    CODEC_TEXT(struct claim_owner, host),
    CODEC_TEXT(struct claim_owner, boot),
    CODEC_INT(struct claim_owner, pid),
    CODEC_TEXT(struct claim_owner, user),
    CODEC_TEXT(struct claim_owner, journal),
    CODEC_END,
};
static const struct codec owner_codec = {sizeof(struct claim_owner), owner_fields};

static const struct codec_field claim_fields[] = {
    CODEC_INT(struct claim_file, format),
    CODEC_TEXT(struct claim_file, cluster),
    CODEC_TEXT(struct claim_file, origin),
    CODEC_TEXT(struct claim_file, run),
    CODEC_INT(struct claim_file, epoch),
    CODEC_OBJECT(struct claim_file, owner, &owner_codec),
    CODEC_ENUM(struct claim_file, state, state_words),
    CODEC_TEXT(struct claim_file, run_status),
    CODEC_INT(struct claim_file, ttl_ms),
    CODEC_INT(struct claim_file, seq),
    CODEC_TEXT(struct claim_file, head),
    CODEC_INT(struct claim_file, changed_wall_ms),
    CODEC_JSON(struct claim_file, scopes),
    CODEC_END,
};
static const struct codec claim_codec = {sizeof(struct claim_file), claim_fields};

char *claim_file_write(const struct claim_file *file)
{
    AUTO_JSON value = codec_write(&claim_codec, file);
    AUTO_FREE char *text = js_write_pretty(value);
    return mem_format("%s\n", text);
}

/* A text with everything in it that decides; a newer upshift may write more, which is refused. */
static struct err *parse_claim(const char *text, struct arena *arena, struct claim_file *ret_file)
{
    AUTO_JSON value = NULL;
    struct err *err = js_parse(text, strlen(text), NULL, &value);
    const int64_t format = js_get_number(value, "format", 0);
    if (err == NULL && format > CLAIM_FORMAT) {
        return err_new(ERR_INVALID, NULL, "it was written by a newer upshift (format %lld)",
            (long long)format);
    }
    if (err == NULL) {
        err = codec_read(&claim_codec, value, arena, "it", ret_file);
    }
    const bool is_whole = err == NULL && format == CLAIM_FORMAT && ret_file->cluster != NULL &&
                          ret_file->origin != NULL && ret_file->run != NULL &&
                          js_get(value, "state") != NULL;
    if (err == NULL && !is_whole) {
        err = err_new(ERR_INVALID, NULL, "it says not whose it is");
    }
    if (err != NULL) {
        codec_release(&claim_codec, ret_file);
        *ret_file = (struct claim_file){0};
    }
    return err;
}

static void forget_claim(struct claim_seen *seen)
{
    err_free(seen->err);
    codec_release(&claim_codec, &seen->file);
    *seen = (struct claim_seen){.node = seen->node};
}

void claim_seen_read(const struct call *call, const struct world *world, struct arena *arena,
    struct claim_seen *seen)
{
    forget_claim(seen);
    AUTO_BUF text = {0};
    bool exists = false;
    seen->err = host_claim_read(call, world->host, seen->node, &exists, &text);
    if (seen->err != NULL || !exists) {
        return;
    }
    seen->text = arena_strdup(arena, buf_text(&text));
    AUTO_ERR err = parse_claim(seen->text, arena, &seen->file);
    if (err == NULL) {
        seen->is_parsed = true;
        return;
    }
    AUTO_FREE char *why = err_text(err);
    seen->complaint = arena_strdup(arena, why);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct claim_seen *left = a;
    const struct claim_seen *right = b;
    return strcmp(left->node->name, right->node->name);
}

void claim_survey_read(
    const struct call *call, const struct world *world, struct claim_survey *ret_survey)
{
    const struct inv_cluster *cluster = world->cluster;
    const size_t count = cluster->node_count + cluster->sentinel_count;
    *ret_survey = (struct claim_survey){.count = count};
    ret_survey->nodes = arena_alloc_array(&ret_survey->arena, count, sizeof(*ret_survey->nodes));
    for (size_t i = 0; i < count; i++) {
        ret_survey->nodes[i].node = i < cluster->node_count
                                        ? &cluster->nodes[i]
                                        : &cluster->sentinels[i - cluster->node_count];
    }
    /* Everybody goes in the same order, so that of two who start at once one sees the other. */
    qsort(ret_survey->nodes, ret_survey->count, sizeof(*ret_survey->nodes), compare_nodes);
    for (size_t i = 0; i < ret_survey->count; i++) {
        claim_seen_read(call, world, &ret_survey->arena, &ret_survey->nodes[i]);
    }
}

void claim_survey_release(struct claim_survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        forget_claim(&survey->nodes[i]);
    }
    arena_release(&survey->arena);
    *survey = (struct claim_survey){0};
}

struct claim_owner claim_owner_here(struct arena *arena, const char *journal)
{
    char host[256] = "unknown";
    (void)gethostname(host, sizeof(host) - 1);
    char names[1024];
    struct passwd entry;
    struct passwd *found = NULL;
    (void)getpwuid_r(geteuid(), &entry, names, sizeof(names), &found);
    return (struct claim_owner){
        .host = arena_strdup(arena, host),
        .boot = clock_boot_id(),
        .pid = getpid(),
        .user = found == NULL ? arena_format(arena, "uid %u", geteuid())
                              : arena_strdup(arena, found->pw_name),
        .journal = journal,
    };
}

struct err *claim_seen_swap(const struct call *call, const struct world *world,
    const struct claim_file *file, struct arena *arena, struct claim_seen *seen)
{
    AUTO_FREE char *text = claim_file_write(file);
    const struct host_claim_swap swap = {.expected = seen->text, .text = text};
    bool is_done = false;
    struct err *err = host_claim_swap(call, world->host, seen->node, &swap, &is_done);
    if (err == NULL && !is_done) {
        err = err_new(ERR_REFUSED, seen->node->name, "somebody else has changed its claim");
        err = err_code(err, "claim_contested");
    }
    if (err == NULL) {
        seen->text = arena_strdup(arena, text);
    }
    return err;
}

static const char *or_unknown(const char *text)
{
    return text == NULL ? "unknown" : text;
}

const char *claim_seen_describe(const struct claim_seen *seen, struct arena *arena)
{
    if (!seen->is_parsed) {
        return arena_format(arena, "the claim on %s is none that upshift %s can read: %s",
            seen->node->name, UPSHIFT_VERSION, or_unknown(seen->complaint));
    }
    const struct claim_file *file = &seen->file;
    char since[CLOCK_TEXT_SIZE];
    clock_format_wall(file->changed_wall_ms, since);
    return arena_format(arena,
        "%s is claimed by %s on %s (pid %lld) for run %s of cluster %s, %s; last sign of life %s; "
        "its journal is %s there",
        seen->node->name, or_unknown(file->owner.user), or_unknown(file->owner.host),
        (long long)file->owner.pid, file->run, file->cluster,
        file->run_status != NULL ? file->run_status : state_words[file->state], since,
        or_unknown(file->owner.journal));
}
