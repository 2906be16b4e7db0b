#include "probe/keys.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"

enum { KEY_AGE_STEP_US = 1000000, KEY_VALUE_WORDS = KEY_VALUE_SIZE / 16 };

/* FNV-1a: spreads the incarnations' names over the seeds of their values. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037U;
    for (const char *c = text; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 1099511628211U;
    }
    return hash;
}

void key_write_name(struct buf *ret_key, const char *incarnation, int64_t number)
{
    buf_clear(ret_key);
    buf_printf(ret_key, "upshift:p:%s:%" PRId64, incarnation, number);
}

void key_write_value(struct buf *ret_value, const char *incarnation, int64_t number)
{
    static const char digits[] = "0123456789abcdef";
    struct random random = {hash_text(incarnation) + (uint64_t)number};
    buf_clear(ret_value);
    char *end = buf_reserve(ret_value, KEY_VALUE_SIZE);
    for (size_t word = 0; word < KEY_VALUE_WORDS; word++) {
        const uint64_t bits = random_next(&random);
        for (unsigned digit = 0; digit < 16; digit++) {
            end[word * 16 + digit] = digits[bits >> (digit * 4) & 15];
        }
    }
    buf_grow_used(ret_value, KEY_VALUE_SIZE);
}

void keyspace_init(struct keyspace *keys, const char *incarnation, int64_t ttl_us)
{
    *keys = (struct keyspace){.incarnation = mem_strdup(incarnation), .ttl_us = ttl_us};
}

void keyspace_release(struct keyspace *keys)
{
    free(keys->incarnation);
    free(keys->ages);
    ranges_release(&keys->acked);
    ranges_release(&keys->unsure);
    *keys = (struct keyspace){0};
}

void keyspace_note_time(struct keyspace *keys, int64_t us)
{
    if (keys->age_count > 0 && us - keys->ages[keys->age_count - 1].us < KEY_AGE_STEP_US) {
        return;
    }
    if (keys->age_count == keys->age_capacity) {
        keys->age_capacity = keys->age_capacity == 0 ? 64 : keys->age_capacity * 2;
        keys->ages = mem_resize(keys->ages, keys->age_capacity * sizeof(*keys->ages));
    }
    keys->ages[keys->age_count++] = (struct key_age){keys->next, us};
}

int64_t keyspace_written_before(const struct keyspace *keys, int64_t us)
{
    size_t low = 0;
    size_t high = keys->age_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (keys->ages[middle].us <= us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? 0 : keys->ages[low - 1].from;
}

int64_t keyspace_expires_us(const struct keyspace *keys, int64_t number)
{
    size_t low = 0;
    size_t high = keys->age_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (keys->ages[middle].from <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? INT64_MAX : keys->ages[low - 1].us + keys->ttl_us;
}
