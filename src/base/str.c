#include "base/str.h"

#include <limits.h>
#include <strings.h>

enum { DISTANCE_TEXT_MAX = 64 };

bool str_cut(struct str *rest, char separator, struct str *ret_part)
{
    if (rest->data == NULL) {
        return false;
    }
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    if (end == NULL) {
        *ret_part = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    const size_t size = (size_t)(end - rest->data);
    *ret_part = (struct str){rest->data, size};
    *rest = (struct str){end + 1, rest->size - size - 1};
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

bool str_starts_with(struct str text, const char *prefix)
{
    const size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

bool str_to_int64(struct str text, int64_t *ret_value)
{
    size_t i = 0;
    const bool is_negative = text.size > 0 && text.data[0] == '-';
    if (is_negative) {
        i = 1;
    }
    if (i == text.size) {
        return false;
    }
    int64_t value = 0;
    for (; i < text.size; i++) {
        const char c = text.data[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, c - '0', &value)) {
            return false;
        }
    }
    if (!is_negative) { /* built as a negative number, whose range is one larger */
        if (value == INT64_MIN) {
            return false;
        }
        value = -value;
    }
    *ret_value = value;
    return true;
}

bool str_to_size(const char *text, int64_t *ret_bytes)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"", 1}, {"b", 1}, {"k", 1000}, {"kb", 1024}, {"m", 1000000}, {"mb", 1 << 20},
        {"g", 1000000000}, {"gb", 1 << 30}};
    const struct str number = {text, strspn(text, "0123456789")};
    int64_t value;
    if (!str_to_int64(number, &value)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcasecmp(text + number.size, units[i].unit) == 0) {
            return !__builtin_mul_overflow(value, units[i].factor, ret_bytes);
        }
    }
    return false;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    const unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

unsigned str_distance(const char *a, const char *b)
{
    const size_t a_size = strlen(a);
    const size_t b_size = strlen(b);
    if (a_size > DISTANCE_TEXT_MAX || b_size > DISTANCE_TEXT_MAX) {
        return DISTANCE_TEXT_MAX;
    }
    unsigned rows[DISTANCE_TEXT_MAX + 1][DISTANCE_TEXT_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) {
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = (unsigned)(i + j);
                continue;
            }
            const unsigned cost = a[i - 1] == b[j - 1] ? 0 : 1;
            rows[i][j] = min3(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                rows[i - 2][j - 2] + 1 < rows[i][j]) {
                rows[i][j] = rows[i - 2][j - 2] + 1; /* two letters swapped */
            }
        }
    }
    return rows[a_size][b_size];
}

const char *str_nearest(const char *wrong, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    unsigned limit = ((unsigned)strlen(wrong) + 2) / 3 + 1; /* a third, rounded up, is allowed */
    for (size_t i = 0; i < count; i++) {
        const unsigned distance = str_distance(wrong, names[i]);
        if (distance < limit) {
            limit = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
