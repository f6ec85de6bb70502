/* Which connections end: see conntrack_job.h. */
#include "conntrack_job.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "egress.h"
#include "host_addresses.h"

static const struct json_field change_fields[] = {
    JSON_FIELD(struct conntrack_change, addresses, "addresses", JSON_KIND_STRINGS),
    JSON_FIELD(struct conntrack_change, allowed, "allowed", JSON_KIND_STRINGS),
};
static const struct json_struct change_type = JSON_STRUCT(struct conntrack_change, change_fields);

static const struct json_field port_fields[] = {
    JSON_FIELD(struct conntrack_port, protocol, "protocol", JSON_KIND_UINT32),
    JSON_FIELD(struct conntrack_port, port, "port", JSON_KIND_UINT32),
};
static const struct json_struct port_type = JSON_STRUCT(struct conntrack_port, port_fields);

static const struct json_field job_fields[] = {
    JSON_FIELD(struct conntrack_job, ended, "ended", JSON_KIND_STRINGS),
    JSON_FIELD(struct conntrack_job, networks, "networks", JSON_KIND_STRINGS),
    JSON_FIELD(struct conntrack_job, held, "held", JSON_KIND_STRINGS),
    JSON_FIELD(struct conntrack_job, changes, "changes", JSON_KIND_STRUCTS, .type = &change_type),
    JSON_FIELD(struct conntrack_job, ports, "ports", JSON_KIND_STRUCTS, .type = &port_type),
};
const struct json_struct conntrack_job_type = JSON_STRUCT(struct conntrack_job, job_fields);

/* Sorted. */
struct address_list {
    struct address *items;
    size_t count;
};

struct change {
    struct address_list addresses;
    struct egress_rule *allowed;
    size_t allowed_count;
};

struct conntrack_order {
    struct address_list ended;
    struct address_list held;
    struct subnet *networks;
    size_t network_count;
    struct change *changes;
    size_t change_count;
    const struct conntrack_port *ports;
    size_t port_count;
    int report_fd; /* -1: it is not asked whether anybody listens */
};

static int compare(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(struct address));
}

static bool is_in(const struct address_list *list, const struct address *address)
{
    return list->count > 0 &&
           bsearch(address, list->items, list->count, sizeof(*list->items), compare) != NULL;
}

static int read_addresses(struct arena *arena, const struct string_list *texts,
                          struct address_list *list, struct error *err)
{
    list->items = arena_new(arena, texts->count, sizeof(*list->items));
    for (size_t i = 0; i < texts->count; i++) {
        if (address_parse(texts->items[i], &list->items[list->count++]) < 0)
            return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\" is no address",
                             texts->items[i]);
    }
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), compare);
    return 0;
}

static int read_networks(struct arena *arena, const struct string_list *texts,
                         struct conntrack_order *order, struct error *err)
{
    order->networks = arena_new(arena, texts->count, sizeof(*order->networks));
    for (size_t i = 0; i < texts->count; i++) {
        if (subnet_parse(texts->items[i], &order->networks[order->network_count++]) < 0)
            return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\" is no subnet", texts->items[i]);
    }
    return 0;
}

static int read_change(struct arena *arena, const struct conntrack_change *from, struct change *to,
                       struct error *err)
{
    to->allowed = arena_new(arena, from->allowed.count, sizeof(*to->allowed));
    for (size_t i = 0; i < from->allowed.count; i++) {
        if (egress_rule_parse(from->allowed.items[i], &to->allowed[to->allowed_count++], err) < 0)
            return -err->errnum;
    }
    return read_addresses(arena, &from->addresses, &to->addresses, err);
}

int conntrack_job_read(struct arena *arena, const char *text, size_t length,
                       struct conntrack_order **read, struct error *err)
{
    struct conntrack_order *order = arena_new(arena, 1, sizeof(*order));
    struct conntrack_job job = {0};
    int result = json_decode_text(arena, text, length, &conntrack_job_type, &job, err);

    order->report_fd = -1;
    order->ports = job.ports.items;
    order->port_count = job.ports.count;
    if (result == 0)
        result = read_addresses(arena, &job.ended, &order->ended, err);
    if (result == 0)
        result = read_addresses(arena, &job.held, &order->held, err);
    if (result == 0)
        result = read_networks(arena, &job.networks, order, err);
    order->changes = arena_new(arena, job.changes.count, sizeof(*order->changes));
    for (size_t i = 0; result == 0 && i < job.changes.count; i++)
        result =
            read_change(arena, &job.changes.items[i], &order->changes[order->change_count++], err);
    *read = order;
    return result;
}

static bool is_nobodys(const struct conntrack_order *order, const struct address *address)
{
    if (is_in(&order->ended, address))
        return true;
    for (size_t i = 0; i < order->network_count; i++) {
        if (subnet_contains(&order->networks[i], address))
            return !is_in(&order->held, address);
    }
    return false;
}

static bool is_allowed(const struct change *change, const struct conntrack_flow *flow)
{
    for (size_t i = 0; i < change->allowed_count; i++) {
        if (egress_rule_allows(&change->allowed[i], &flow->destination, flow->protocol, flow->port))
            return true;
    }
    return false;
}

static bool is_past_port(const struct conntrack_order *order, const struct conntrack_flow *flow)
{
    for (size_t i = 0; i < order->port_count; i++) {
        if (order->ports[i].port == flow->port && order->ports[i].protocol == flow->protocol)
            return flow->is_direct && host_has_address(&flow->destination);
    }
    return false;
}

bool conntrack_order_ends(const struct conntrack_order *order, const struct conntrack_flow *flow)
{
    if (is_nobodys(order, &flow->source) || is_nobodys(order, &flow->destination))
        return true;
    if (is_past_port(order, flow))
        return true;
    for (size_t i = 0; i < order->change_count; i++) {
        if (is_in(&order->changes[i].addresses, &flow->source))
            return !is_allowed(&order->changes[i], flow);
    }
    return false;
}

static bool is_listened_to(int report_fd)
{
    struct pollfd report = {.fd = report_fd};

    return poll(&report, 1, 0) == 0;
}

static bool is_over(const void *context, const struct conntrack_flow *flow)
{
    const struct conntrack_order *order = context;

    return conntrack_order_ends(order, flow) && is_listened_to(order->report_fd);
}

static int run(int job_fd, int report_fd, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer text = {0};
    struct conntrack_order *order;
    int result = file_read_fd(job_fd, CONNTRACK_JOB_MAX, &text);

    if (result < 0)
        return error_errno(err, -result, "read the job");
    result = conntrack_job_read(&arena, buffer_text(&text), text.length, &order, err);
    if (result < 0)
        return result;
    order->report_fd = report_fd;
    return conntrack_end(is_over, order, err);
}

_Noreturn void conntrack_job_run(int job_fd, int report_fd)
{
    struct error err = {0};
    int result = run(job_fd, report_fd, &err);

    dprintf(report_fd, "%s", result == 0 ? CONNTRACK_DONE : err.message);
    _exit(result == 0 ? 0 : 1);
}
