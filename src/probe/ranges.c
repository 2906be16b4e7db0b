#include "probe/ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void ranges_release(struct ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct ranges){0};
}

/* Index of the first range that ends at or after `number`. */
static size_t find_ending_from(const struct ranges *ranges, int64_t number)
{
    size_t low = 0;
    size_t high = ranges->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].to < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Replaces `old_count` ranges from `index` on by `fresh`. */
static void splice(struct ranges *ranges, size_t index, size_t old_count,
    const struct probe_range *fresh, size_t fresh_count)
{
    const size_t count = ranges->count - old_count + fresh_count;
    if (count > ranges->capacity) {
        ranges->capacity = count < 8 ? 16 : count * 2;
        ranges->items = mem_resize(ranges->items, ranges->capacity * sizeof(*ranges->items));
    }
    const size_t tail = ranges->count - index - old_count;
    if (tail > 0) {
        memmove(ranges->items + index + fresh_count, ranges->items + index + old_count,
            tail * sizeof(*ranges->items));
    }
    for (size_t i = 0; i < fresh_count; i++) {
        ranges->items[index + i] = fresh[i];
    }
    ranges->count = count;
}

void ranges_add(struct ranges *ranges, int64_t from, int64_t to)
{
    assert(from <= to);
    const size_t first = find_ending_from(ranges, from - 1);
    struct probe_range merged = {from, to};
    size_t end = first;
    while (end < ranges->count && ranges->items[end].from <= to + 1) {
        const struct probe_range *old = &ranges->items[end];
        merged.from = old->from < merged.from ? old->from : merged.from;
        merged.to = old->to > merged.to ? old->to : merged.to;
        ranges->total -= old->to - old->from + 1;
        end++;
    }
    ranges->total += merged.to - merged.from + 1;
    splice(ranges, first, end - first, &merged, 1);
}

void ranges_remove(struct ranges *ranges, int64_t from, int64_t to)
{
    assert(from <= to);
    const size_t first = find_ending_from(ranges, from);
    struct probe_range left[2];
    size_t left_count = 0;
    size_t end = first;
    while (end < ranges->count && ranges->items[end].from <= to) {
        const struct probe_range old = ranges->items[end];
        ranges->total -= old.to - old.from + 1;
        if (old.from < from) {
            left[left_count++] = (struct probe_range){old.from, from - 1};
        }
        if (old.to > to) {
            left[left_count++] = (struct probe_range){to + 1, old.to};
        }
        end++;
    }
    for (size_t i = 0; i < left_count; i++) {
        ranges->total += left[i].to - left[i].from + 1;
    }
    splice(ranges, first, end - first, left, left_count);
}

void ranges_add_all(struct ranges *ranges, const struct ranges *added)
{
    for (size_t i = 0; i < added->count; i++) {
        ranges_add(ranges, added->items[i].from, added->items[i].to);
    }
}

void ranges_remove_all(struct ranges *ranges, const struct ranges *removed)
{
    for (size_t i = 0; i < removed->count; i++) {
        ranges_remove(ranges, removed->items[i].from, removed->items[i].to);
    }
}

bool ranges_has(const struct ranges *ranges, int64_t number)
{
    const size_t index = find_ending_from(ranges, number);
    return index < ranges->count && ranges->items[index].from <= number;
}

int64_t ranges_at(const struct ranges *ranges, int64_t rank)
{
    assert(rank >= 0 && rank < ranges->total);
    size_t index = 0;
    int64_t left = rank;
    for (;; index++) {
        const int64_t size = ranges->items[index].to - ranges->items[index].from + 1;
        if (left < size) {
            return ranges->items[index].from + left;
        }
        left -= size;
    }
}

bool ranges_pop(struct ranges *ranges, int64_t *ret_number)
{
    if (ranges->count == 0) {
        return false;
    }
    *ret_number = ranges->items[0].from;
    ranges_remove(ranges, *ret_number, *ret_number);
    return true;
}

void ranges_move_below(struct ranges *ranges, int64_t limit, struct ranges *target)
{
    while (ranges->count > 0 && ranges->items[0].from < limit) {
        const struct probe_range first = ranges->items[0];
        const int64_t to = first.to < limit ? first.to : limit - 1;
        ranges_add(target, first.from, to);
        ranges_remove(ranges, first.from, to);
    }
}
