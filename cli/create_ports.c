/* --publish [[ADDRESS:]PORT:]PORT[/PROTOCOL], with ranges on both sides, as Docker's API takes it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "create_values.h"

#define PORT_MAX 65535

struct range {
    uint64_t first;
    uint64_t last;
};

static bool parse_range(const char *text, struct range *range)
{
    return number_take_range(&text, PORT_MAX, &range->first, &range->last) && *text == '\0' &&
           range->first > 0;
}

/* Adds the port of the host to those that lead to the container's. */
static void add_binding(const struct option_reader *reader, const char *protocol,
                        unsigned long container, const char *host, const char *port)
{
    struct request *request = reader->request;
    cleanup_free char *name = memory_printf("%lu/%s", container, protocol);
    struct request_value *bindings = request_at(request, reader->object, reader->row->member);
    struct request_value *binding =
        request_append(request, request_member(request, bindings, name));

    request_set_text(request, request_at(request, binding, "HostIp"), host);
    request_set_text(request, request_at(request, binding, "HostPort"), port);
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

int read_publish(const struct option_reader *reader, const char *text)
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
        return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                         "--publish: \"%.64s\" is not [[ADDRESS:]PORT:]PORT[/PROTOCOL]", text);
    for (unsigned long i = 0; i <= inside.last - inside.first; i++) {
        char port[32] = "";

        /* One port inside and several outside: any of those. */
        if (outside.first > 0 && inside.first == inside.last && outside.first != outside.last)
            snprintf(port, sizeof(port), "%lu-%lu", outside.first, outside.last);
        else if (outside.first > 0)
            snprintf(port, sizeof(port), "%lu", outside.first + i);
        add_binding(reader, protocol != NULL ? protocol : "tcp", inside.first + i, host, port);
    }
    return 0;
}
