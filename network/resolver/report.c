/* What davitd is told: see resolver.h. */
#include "base/socket.h"
#include "resolver.h"
#include <string.h>

bool report_is_open(const struct resolver *resolver)
{
    return resolver->control.fd >= 0 && resolver->has_begun;
}

bool report_send(const struct resolver *resolver, const struct resolver_report *said)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    ssize_t sent;

    json_encode(writer, &resolver_report_type, said);
    text = json_writer_text(writer);
    sent = socket_send(resolver->control.fd, text, strlen(text), NULL, 0);
    json_writer_free(writer);
    return sent > 0;
}

bool report_ask_grant(struct resolver *resolver, uint64_t serial, const char *id,
                      const struct grant_order *order)
{
    cleanup_arena struct arena arena = {0};
    struct resolver_report said = {.grant = {.serial = serial,
                                             .id = id,
                                             .name = order->name,
                                             .ttl_s = order->addresses->ttl_s,
                                             .is_member = order->is_member}};

    if (!report_is_open(resolver))
        return false;
    for (size_t i = 0; i < order->addresses->count; i++) {
        char text[ADDRESS_TEXT_SIZE];

        address_format(&order->addresses->items[i], text);
        string_list_append(&arena, &said.grant.addresses, arena_strdup(&arena, text));
    }
    return report_send(resolver, &said);
}

bool report_refusal(const struct resolver *resolver, const struct resolver_refusal *refusal)
{
    return report_is_open(resolver) &&
           report_send(resolver, &(struct resolver_report){.refusal = *refusal});
}
