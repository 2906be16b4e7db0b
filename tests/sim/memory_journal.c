#include "memory_journal.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

static void keep(struct memory_journal *journal, const struct journal_record *from)
{
    struct journal_record *record =
        arena_push(&journal->arena, &journal->records, &journal->record_count, sizeof(*record));
    *record = *from;
    record->step = from->step == NULL ? NULL : arena_strdup(&journal->arena, from->step);
    record->boot_id = NULL;
    record->body = js_copy(from->body); /* as a disk would: nobody changes it later */
}

static struct err *append(struct journal *base, const char *UNUSED(run),
    struct journal_record *records, size_t record_count, const char *UNUSED(state),
    bool UNUSED(is_final))
{
    struct memory_journal *journal = (struct memory_journal *)base;
    const enum append_fate fate = journal->draw_fate(journal->context);
    if (fate == APPEND_FAILS || fate == APPEND_DIES_BEFORE) {
        return err_code(err_new(ERR_REFUSED, "memory", "no space left"), "journal_full");
    }
    for (size_t i = 0; i < record_count; i++) {
        records[i].seq = (int64_t)journal->record_count + 1;
        keep(journal, &records[i]);
    }
    return fate == APPEND_WELL ? NULL : err_new(ERR_INTERNAL, "memory", "nobody hears this");
}

static const struct journal_ops ops = {.append = append};

void memory_journal_init(struct memory_journal *journal)
{
    *journal = (struct memory_journal){.base = {.ops = &ops, .where = "memory"}};
}

void memory_journal_release(struct memory_journal *journal)
{
    journal_records_release(journal->records, journal->record_count);
    arena_release(&journal->arena);
}

bool memory_journal_has(const struct memory_journal *journal, enum journal_type type,
    const char *step, int64_t attempt, int64_t epoch)
{
    for (size_t i = 0; i < journal->record_count; i++) {
        const struct journal_record *record = &journal->records[i];
        if (record->type == type && text_equal(record->step, step) && record->attempt == attempt &&
            record->epoch == epoch) {
            return true;
        }
    }
    return false;
}

void memory_journal_digest(
    const struct memory_journal *journal, bool has_wall, char ret_hex[SHA256_HEX_SIZE])
{
    struct sha256 *sha = sha256_new();
    for (size_t i = 0; i < journal->record_count; i++) {
        const struct journal_record *record = &journal->records[i];
        AUTO_FREE char *body = js_write(record->body);
        AUTO_FREE char *line = mem_format("%lld %lld %s %s %lld %lld %lld %s\n",
            (long long)record->seq, (long long)record->epoch, journal_type_names[record->type],
            record->step == NULL ? "-" : record->step, (long long)record->attempt,
            (long long)record->boottime_ms, has_wall ? (long long)record->wall_ms : 0, body);
        sha256_add(sha, line, strlen(line));
    }
    sha256_finish(sha, ret_hex);
}
