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

bool report_ask_grant(struct resolver *resolver, uint64_t serial, const char *id, const char *name,
                      const struct dns_addresses *addresses)
{
    cleanup_arena struct arena arena = {0};
    struct resolver_report said = {.grant = {.serial = serial, .id = id, .name = name}};

    if (!report_is_open(resolver))
        return false;
    for (size_t i = 0; i < addresses->count; i++) {
        char text[ADDRESS_TEXT_SIZE];

        address_format(&addresses->items[i], text);
        string_list_append(&arena, &said.grant.addresses, arena_strdup(&arena, text));
    }
    said.grant.ttl_s = addresses->ttl_s;
    return report_send(resolver, &said);
}

bool report_refusal(const struct resolver *resolver, const struct resolver_refusal *refusal)
{
    return report_is_open(resolver) &&
           report_send(resolver, &(struct resolver_report){.refusal = *refusal});
}
