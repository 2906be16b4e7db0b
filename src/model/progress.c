#include "model/progress.h"

#include "base/str.h"

static const struct codec_field step_fields[] = {
    CODEC_TEXT(struct progress_step, id),
    CODEC_TEXT(struct progress_step, kind),
    CODEC_TEXT(struct progress_step, node),
    CODEC_TEXT(struct progress_step, state),
    CODEC_INT(struct progress_step, revision),
    CODEC_INT(struct progress_step, attempt),
    CODEC_JSON(struct progress_step, args),
    CODEC_JSON(struct progress_step, before),
    CODEC_END,
};
static const struct codec step_codec = {sizeof(struct progress_step), step_fields};

static const struct codec_field progress_fields[] = {
    CODEC_INT(struct progress, revision),
    CODEC_LIST(struct progress, steps, step_count, &step_codec),
    CODEC_END,
};
const struct codec progress_codec = {sizeof(struct progress), progress_fields};

void progress_release(struct progress *progress)
{
    codec_release(&progress_codec, progress);
    arena_release(&progress->arena);
    *progress = (struct progress){0};
}

struct json *progress_to_json(const struct progress *progress)
{
    return codec_write(&progress_codec, progress);
}

struct err *progress_from_json(
    const struct json *value, const char *where, struct progress *ret_progress)
{
    *ret_progress = (struct progress){0};
    struct err *err = codec_read(&progress_codec, value, &ret_progress->arena, where, ret_progress);
    if (err != NULL) {
        progress_release(ret_progress);
    }
    return err;
}

bool progress_has_touched(const struct progress *progress, const char *kind, const char *node)
{
    for (size_t i = 0; i < progress->step_count; i++) {
        const struct progress_step *step = &progress->steps[i];
        if (step->attempt > 0 && text_equal(step->kind, kind) && text_equal(step->node, node)) {
            return true;
        }
    }
    return false;
}
