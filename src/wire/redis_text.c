#include "wire/redis_text.h"

/* Cuts one line; servers end lines with CR LF in INFO and with LF in CLUSTER NODES. */
static bool cut_line(struct str *rest, struct str *ret_line)
{
    if (!str_cut(rest, '\n', ret_line)) {
        return false;
    }
    if (ret_line->size > 0 && ret_line->data[ret_line->size - 1] == '\r') {
        ret_line->size--;
    }
    return true;
}

/* "name<separator>value" */
static bool match_pair(struct str pair, const char *name, char separator, struct str *ret_value)
{
    const size_t size = strlen(name);
    if (!str_starts_with(pair, name) || pair.size == size || pair.data[size] != separator) {
        return false;
    }
    *ret_value = (struct str){pair.data + size + 1, pair.size - size - 1};
    return true;
}

bool redis_info_get(struct str info, const char *name, struct str *ret_value)
{
    struct str line;
    while (cut_line(&info, &line)) {
        if (match_pair(line, name, ':', ret_value)) {
            return true;
        }
    }
    return false;
}

int64_t redis_info_number(struct str info, const char *name, int64_t fallback)
{
    struct str value;
    int64_t number;
    if (!redis_info_get(info, name, &value) || !str_to_int64(value, &number)) {
        return fallback;
    }
    return number;
}

static bool parse_bounded(struct str text, int64_t max, int64_t *ret_number)
{
    int64_t number;
    if (!str_to_int64(text, &number) || number < 0 || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* "127.0.0.1:7001" or "::1:7001": the port follows the last colon. */
static bool parse_host_port(struct str text, struct str *ret_host, int64_t *ret_port)
{
    const char *colon = text.size == 0 ? NULL : memrchr(text.data, ':', text.size);
    if (colon == NULL) {
        return false;
    }
    const size_t host_size = (size_t)(colon - text.data);
    const struct str port = {colon + 1, text.size - host_size - 1};
    if (!parse_bounded(port, UINT16_MAX, ret_port)) {
        return false;
    }
    *ret_host = (struct str){text.data, host_size};
    return true;
}

/* "host:port[@bus][,hostname][,name=value...]". 4.0 added the bus port, 7.0 the hostname, 7.2 the
 * named fields, which stand in nodes.conf. */
static bool parse_address(struct str text, struct redis_cluster_node *node)
{
    struct str first;
    struct str address;
    if (!str_cut(&text, ',', &first) || !str_cut(&first, '@', &address) ||
        !parse_host_port(address, &node->host, &node->port)) {
        return false;
    }
    if (first.data != NULL && !parse_bounded(first, UINT16_MAX, &node->bus_port)) {
        return false;
    }
    struct str hostname;
    if (str_cut(&text, ',', &hostname) &&
        (hostname.size == 0 || memchr(hostname.data, '=', hostname.size) == NULL)) {
        node->hostname = hostname;
    }
    return true;
}

static void parse_flags(struct str flags, struct redis_cluster_node *node)
{
    const struct {
        const char *word;
        bool *member;
    } known[] = {
        {"myself", &node->is_myself},
        {"master", &node->is_primary},
        {"slave", &node->is_replica},
        {"fail", &node->is_failing},
        {"fail?", &node->is_suspect},
        {"handshake", &node->is_handshaking},
        {"noaddr", &node->has_no_address},
    };
    struct str flag;
    while (str_cut(&flags, ',', &flag)) {
        for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
            *known[i].member = *known[i].member || str_is(flag, known[i].word);
        }
    }
}

enum {
    FIELD_ID,
    FIELD_ADDRESS,
    FIELD_FLAGS,
    FIELD_PRIMARY,
    FIELD_PING,
    FIELD_PONG,
    FIELD_EPOCH,
    FIELD_LINK,
    FIELD_COUNT
};

static bool parse_node(struct str line, struct redis_cluster_node *ret_node)
{
    struct str fields[FIELD_COUNT];
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!str_cut(&line, ' ', &fields[i]) || fields[i].size == 0) {
            return false;
        }
    }
    struct redis_cluster_node node = {.id = fields[FIELD_ID], .slots = line};
    if (!parse_address(fields[FIELD_ADDRESS], &node) ||
        !parse_bounded(fields[FIELD_PING], INT64_MAX, &node.ping_sent_ms) ||
        !parse_bounded(fields[FIELD_PONG], INT64_MAX, &node.pong_received_ms) ||
        !parse_bounded(fields[FIELD_EPOCH], INT64_MAX, &node.epoch)) {
        return false;
    }
    node.is_linked = str_is(fields[FIELD_LINK], "connected");
    if (!node.is_linked && !str_is(fields[FIELD_LINK], "disconnected")) {
        return false;
    }
    if (!str_is(fields[FIELD_PRIMARY], "-")) {
        node.primary_id = fields[FIELD_PRIMARY];
    }
    parse_flags(fields[FIELD_FLAGS], &node);
    *ret_node = node;
    return true;
}

int redis_cluster_nodes_next(struct str *rest, struct redis_cluster_node *ret_node)
{
    struct str line;
    while (cut_line(rest, &line)) {
        if (line.size > 0) {
            return parse_node(line, ret_node) ? 1 : -1;
        }
    }
    return 0;
}

/* "5460", "0-5460", "[93->-id]" (migrating to) or "[77-<-id]" (importing from). */
static int parse_slots(struct str text, int64_t *ret_first, int64_t *ret_last)
{
    const bool is_marker = text.data[0] == '[';
    if (is_marker) {
        text = (struct str){text.data + 1, text.size - 1};
        if (text.size == 0 || text.data[text.size - 1] != ']') {
            return -1;
        }
    }
    struct str part;
    int64_t first;
    if (!str_cut(&text, '-', &part) || !parse_bounded(part, REDIS_SLOT_COUNT - 1, &first)) {
        return -1;
    }
    int64_t last = first;
    if (is_marker) {
        if (!str_starts_with(text, ">-") && !str_starts_with(text, "<-")) {
            return -1;
        }
    } else if (text.data != NULL &&
               (!parse_bounded(text, REDIS_SLOT_COUNT - 1, &last) || last < first)) {
        return -1;
    }
    *ret_first = first;
    *ret_last = last;
    return is_marker ? 2 : 1;
}

int redis_slots_next(struct str *rest, int64_t *ret_first, int64_t *ret_last)
{
    struct str part;
    while (str_cut(rest, ' ', &part)) {
        if (part.size > 0) {
            return parse_slots(part, ret_first, ret_last);
        }
    }
    return 0;
}

bool redis_client_get(struct str line, const char *name, struct str *ret_value)
{
    struct str pair;
    line = str_trim(line);
    while (str_cut(&line, ' ', &pair)) {
        if (match_pair(pair, name, '=', ret_value)) {
            return true;
        }
    }
    return false;
}

/* CRC16, XMODEM: polynomial 0x1021, most significant bit first, starting with 0. */
static uint16_t crc16(struct str text)
{
    unsigned crc = 0;
    for (size_t i = 0; i < text.size; i++) {
        crc ^= (unsigned)(unsigned char)text.data[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
        }
        crc &= 0xffff;
    }
    return (uint16_t)crc;
}

/* Only the part in the first braces counts, if there is one and it is not empty ("Hash tags"). */
static struct str hashed_part(struct str key)
{
    struct str rest = key;
    struct str before;
    struct str tag;
    if (!str_cut(&rest, '{', &before) || !str_cut(&rest, '}', &tag) || rest.data == NULL ||
        tag.size == 0) {
        return key;
    }
    return tag;
}

uint16_t redis_key_slot(struct str key)
{
    return crc16(hashed_part(key)) % REDIS_SLOT_COUNT;
}

bool redis_parse_redirect(
    struct str error, bool *ret_is_ask, int64_t *ret_slot, struct str *ret_host, int64_t *ret_port)
{
    struct str word;
    struct str slot_text;
    int64_t slot;
    int64_t port;
    struct str host;
    if (!str_cut(&error, ' ', &word) || (!str_is(word, "MOVED") && !str_is(word, "ASK")) ||
        !str_cut(&error, ' ', &slot_text) ||
        !parse_bounded(slot_text, REDIS_SLOT_COUNT - 1, &slot) ||
        !parse_host_port(error, &host, &port) || port == 0) {
        return false;
    }
    *ret_is_ask = str_is(word, "ASK");
    *ret_slot = slot;
    *ret_host = host;
    *ret_port = port;
    return true;
}
