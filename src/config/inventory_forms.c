#include "config/inventory_forms.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "model/version.h"

enum { NAME_SIZE_MAX = 64, USER_SIZE_MAX = 32, HOST_SIZE_MAX = 253, PORT_MAX = 65535 };

/* Only ASCII letters and digits and the characters of `more`. */
static bool has_only(struct str text, const char *more, size_t size_max)
{
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80 || (!isalnum(c) && strchr(more, c) == NULL)) {
            return false;
        }
    }
    return text.size > 0 && text.size <= size_max;
}

static bool is_cluster_name(const char *text)
{
    return has_only(str_of(text), "-_.", NAME_SIZE_MAX) && text[0] != '.';
}

/* "cluster" is what plans call the whole. */
static bool is_node_name(const char *text)
{
    return has_only(str_of(text), "-_.:", NAME_SIZE_MAX) && !text_equal(text, "cluster");
}

/* As Sentinel takes it. */
static bool is_master_name(const char *text)
{
    return has_only(str_of(text), "-_.", NAME_SIZE_MAX);
}

static bool is_user(const char *text)
{
    return strlen(text) <= NAME_SIZE_MAX && strpbrk(text, " \t\"'\\") == NULL;
}

static bool is_system_user(const char *text)
{
    return has_only(str_of(text), "-_", USER_SIZE_MAX) && text[0] != '-' && !isdigit(text[0]);
}

static bool is_suite(const char *text)
{
    return has_only(str_of(text), "-.", NAME_SIZE_MAX) && isalnum((unsigned char)text[0]);
}

static bool is_version(const char *text)
{
    AUTO_ARENA arena = {0};
    struct version version;
    AUTO_ERR err = version_parse(&arena, "any", text, &version);
    return err == NULL && text_equal(version.text, text);
}

static bool is_host_name(const char *text)
{
    return has_only(str_of(text), "-.:", HOST_SIZE_MAX) && text[0] != '-';
}

static bool is_variable(const char *text)
{
    return has_only(str_of(text), "_", NAME_SIZE_MAX * 2) && !isdigit((unsigned char)text[0]);
}

static bool is_ipv6(struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (text.size >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return inet_pton(AF_INET6, copy, &parsed) == 1;
}

static bool is_host(struct str host)
{
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        return is_ipv6((struct str){host.data + 1, host.size - 2});
    }
    return has_only(host, "-.", HOST_SIZE_MAX) && host.data[0] != '-' && host.data[0] != '.';
}

static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    return colon != NULL && isdigit((unsigned char)colon[1]) &&
           str_to_int64(str_of(colon + 1), &port) && port >= 1 && port <= PORT_MAX &&
           is_host((struct str){text, (size_t)(colon - text)});
}

void address_split(const char *address, struct str *ret_host, int64_t *ret_port)
{
    const char *colon = strrchr(address, ':');
    *ret_host = (struct str){address, (size_t)(colon - address)};
    (void)str_to_int64(str_of(colon + 1), ret_port);
}

const struct schema_form form_cluster_name = {is_cluster_name, "a cluster name",
    "use letters, digits, '-', '_' and '.', at most 64, not beginning with '.'"};
const struct schema_form form_node_name = {is_node_name, "a node name",
    "use letters, digits, '-', '_', '.' and ':', at most 64; \"cluster\" itself is reserved"};
const struct schema_form form_master_name = {
    is_master_name, "a master name", "use letters, digits, '-', '_' and '.', at most 64"};
const struct schema_form form_user = {
    is_user, "a user name", "use at most 64 characters without blanks and quotes"};
const struct schema_form form_system_user = {is_system_user, "a user name of the system",
    "use letters, digits, '-' and '_', at most 32, not beginning with a digit or '-'"};
const struct schema_form form_suite = {
    is_suite, "the name of a suite", "write it as Debian does, e.g. bookworm"};
const struct schema_form form_version = {
    is_version, "a version", "write the number alone, exact like 7.0.15 or a series like 7.0"};
const struct schema_form form_host_name = {
    is_host_name, "a host name", "write a host name or an IP address, without a port"};
const struct schema_form form_variable = {is_variable, "the name of an environment variable",
    "use letters, digits and '_', not beginning with a digit"};
const struct schema_form form_address = {is_address, "an address",
    "write host:port with a port from 1 to 65535; an IPv6 address in brackets, [::1]:7001"};
