/* --publish [[ADDRESS:]PORT:]PORT[/PROTOCOL], with ranges on both sides, as Docker's API takes it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "create_request.h"

#define PORT_MAX 65535

struct range {
    unsigned long first;
    unsigned long last;
};

struct binding {
    char *container; /* "80/tcp" */
    char *host;
    char *port; /* "": any */
};

struct bindings {
    struct binding *items;
    size_t count;
};

static bool parse_range(const char *text, struct range *range)
{
    char *end;

    range->first = range->last = strtoul(text, &end, 10);
    if (*end == '-' && end != text)
        range->last = strtoul(end + 1, &end, 10);
    return end != text && *end == '\0' && range->first > 0 && range->last <= PORT_MAX &&
           range->first <= range->last;
}

static void add(struct bindings *bindings, const char *protocol, unsigned long container,
                const char *host, const char *port)
{
    bindings->items = memory_resize(bindings->items, bindings->count + 1, sizeof(*bindings->items));
    bindings->items[bindings->count++] =
        (struct binding){.container = memory_printf("%lu/%s", container, protocol),
                         .host = memory_strdup(host),
                         .port = memory_strdup(port)};
}

/* Cuts the text behind the last `separator` off; NULL if there is none. */
static char *cut_last(char *text, char separator)
{
    char *position = strrchr(text, separator);

    if (position != NULL)
        *position++ = '\0';
    return position;
}

/* "[::1]" is how addresses of IPv6 are told from ports. */
static const char *without_brackets(char *address)
{
    size_t length = strlen(address);

    if (length < 2 || address[0] != '[' || address[length - 1] != ']')
        return address;
    address[length - 1] = '\0';
    return address + 1;
}

static int parse_publish(struct cli *cli, const char *text, struct bindings *bindings)
{
    cleanup_free char *copy = memory_strdup(text);
    const char *protocol = cut_last(copy, '/');
    const char *container = cut_last(copy, ':');
    const char *ports = container != NULL ? cut_last(copy, ':') : NULL;
    const char *host = "";
    struct range inside;
    struct range outside = {0, 0};

    if (container == NULL)
        container = copy;
    else if (ports == NULL)
        ports = copy;
    else
        host = without_brackets(copy);
    if (!parse_range(container, &inside) ||
        (ports != NULL && ports[0] != '\0' && !parse_range(ports, &outside)) ||
        (outside.first > 0 && outside.last - outside.first != inside.last - inside.first &&
         inside.first != inside.last))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "--publish: \"%.64s\" is not [[ADDRESS:]PORT:]PORT[/PROTOCOL]", text);
    for (unsigned long i = 0; i <= inside.last - inside.first; i++) {
        char port[32] = "";

        /* One port inside and several outside: any of those. */
        if (outside.first > 0 && inside.first == inside.last && outside.first != outside.last)
            snprintf(port, sizeof(port), "%lu-%lu", outside.first, outside.last);
        else if (outside.first > 0)
            snprintf(port, sizeof(port), "%lu", outside.first + i);
        add(bindings, protocol != NULL ? protocol : "tcp", inside.first + i, host, port);
    }
    return 0;
}

/* Bindings of one port stand together, under its first mention. */
static bool is_first(const struct bindings *bindings, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(bindings->items[i].container, bindings->items[index].container) == 0)
            return false;
    }
    return true;
}

static void write_bindings(struct json_writer *writer, const struct bindings *bindings)
{
    json_key(writer, "PortBindings");
    json_object_open(writer);
    for (size_t i = 0; i < bindings->count; i++) {
        if (!is_first(bindings, i))
            continue;
        json_key(writer, bindings->items[i].container);
        json_array_open(writer);
        for (size_t j = i; j < bindings->count; j++) {
            if (strcmp(bindings->items[j].container, bindings->items[i].container) != 0)
                continue;
            json_object_open(writer);
            json_member_string(writer, "HostIp", bindings->items[j].host);
            json_member_string(writer, "HostPort", bindings->items[j].port);
            json_object_close(writer);
        }
        json_array_close(writer);
    }
    json_object_close(writer);
}

int create_write_ports(struct cli *cli, struct json_writer *writer,
                       const struct create_values *values)
{
    struct bindings bindings = {0};
    int result = 0;

    for (size_t i = 0; result == 0 && i < values->publish.count; i++)
        result = parse_publish(cli, values->publish.items[i], &bindings);
    if (result == 0)
        write_bindings(writer, &bindings);
    for (size_t i = 0; i < bindings.count; i++) {
        free(bindings.items[i].container);
        free(bindings.items[i].host);
        free(bindings.items[i].port);
    }
    free(bindings.items);
    json_member_boolean(writer, "PublishAllPorts", values->publishes_all);
    return result;
}

void create_write_endpoint(struct json_writer *writer, const struct create_values *values)
{
    if (values->network == NULL ||
        (values->address == NULL && values->address6 == NULL && values->network_aliases.count == 0))
        return;
    json_key(writer, "NetworkingConfig");
    json_object_open(writer);
    json_key(writer, "EndpointsConfig");
    json_object_open(writer);
    json_key(writer, values->network);
    json_object_open(writer);
    json_member_strings(writer, "Aliases", &values->network_aliases);
    json_key(writer, "IPAMConfig");
    json_object_open(writer);
    json_member_string(writer, "IPv4Address", values->address);
    json_member_string(writer, "IPv6Address", values->address6);
    json_object_close(writer);
    json_object_close(writer);
    json_object_close(writer);
    json_object_close(writer);
}
