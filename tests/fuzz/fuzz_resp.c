/*
 * tests/fuzz/fuzz_resp.c - any bytes as a reply.
 *
 * Goal: no crash; a parsed value points only into its input and its pool, and every part of its
 * bytes asks for more instead of passing for whole or for bad.
 */
#include "wire/resp.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { POOL_COUNT = 1024 };

static void check_inside(const struct resp *value, struct str input, const struct resp *pool)
{
    if (value->text.size > 0) {
        assert(value->text.data >= input.data);
        assert(value->text.data + value->text.size <= input.data + input.size);
    }
    if (value->type != RESP_ARRAY && value->type != RESP_MAP) {
        assert(value->count == 0);
        return;
    }
    const size_t item_count = value->type == RESP_MAP ? value->count * 2 : value->count;
    assert(item_count == 0 || value->items >= pool);
    assert(item_count == 0 || value->items + item_count <= pool + POOL_COUNT);
    for (size_t i = 0; i < item_count; i++) {
        check_inside(&value->items[i], input, pool);
    }
}

/* A copy of exact size, so that a read past the end is seen. */
static enum resp_result parse_part(struct str input, size_t size)
{
    struct resp pool[POOL_COUNT];
    struct resp value;
    size_t used;
    AUTO_FREE char *part = mem_alloc(size);
    memcpy(part, input.data, size);
    return resp_parse((struct str){part, size}, pool, POOL_COUNT, &value, &used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resp pool[POOL_COUNT];
    struct resp value;
    size_t used = 0;
    const struct str input = {(const char *)data, size};
    if (resp_parse(input, pool, POOL_COUNT, &value, &used) != RESP_DONE) {
        return 0;
    }
    assert(used > 0);
    assert(used <= size);
    check_inside(&value, (struct str){input.data, used}, pool);
    (void)resp_find(&value, "key");
    assert(parse_part(input, used) == RESP_DONE);
    assert(parse_part(input, used - 1) == RESP_MORE);
    assert(parse_part(input, used / 2) == RESP_MORE);
    return 0;
}
