/*
 * tests/fuzz/fuzz_info.c - any bytes as INFO, a line of CLIENT LIST, an error reply and a key.
 *
 * Goal: no crash; a value found lies inside the text; a redirect that is accepted can be followed.
 */
#include "wire/redis_text.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct str part, struct str text)
{
    assert(part.data >= text.data);
    assert(part.data + part.size <= text.data + text.size);
}

static void check_redirect(struct str text)
{
    bool is_ask;
    int64_t slot;
    int64_t port;
    struct str host;
    if (redis_parse_redirect(text, &is_ask, &slot, &host, &port)) {
        assert(0 <= slot && slot < REDIS_SLOT_COUNT);
        assert(0 < port && port <= 65535);
        check_inside(host, text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "redis_version", "role", "master_repl_offset", "slave0", "", "id", "addr", "idle"};
    const struct str text = {(const char *)data, size};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct str value;
        if (redis_info_get(text, names[i], &value)) {
            check_inside(value, text);
            assert(memchr(value.data, '\n', value.size) == NULL);
        } else {
            assert(redis_info_number(text, names[i], -7) == -7);
        }
        if (redis_client_get(text, names[i], &value)) {
            check_inside(value, text);
        }
    }
    check_redirect(text);
    assert(redis_key_slot(text) < REDIS_SLOT_COUNT);
    return 0;
}
