/* What a running container has of networks, across davitd's life: see membership.h. */
#include <stdio.h>

#include "egress_notes.h"
#include "membership.h"
#include "plugins.h"

static const struct json_field lease_fields[] = {
    JSON_FIELD(struct lease_record, network_id, "network", JSON_KIND_STRING),
    JSON_FIELD(struct lease_record, address, "address", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct lease_record, address6, "address6", JSON_KIND_STRING),
    JSON_FIELD(struct lease_record, device, "device", JSON_KIND_UINT32),
    JSON_FIELD(struct lease_record, host_device, "hostDevice", JSON_KIND_STRING),
    JSON_FIELD(struct lease_record, by_plugin, "plugin", JSON_KIND_STRUCT,
               .type = &plugin_record_type),
};
static const struct json_struct lease_type = JSON_STRUCT(struct lease_record, lease_fields);

static const struct json_field record_fields[] = {
    JSON_FIELD(struct membership_record, leases, "leases", JSON_KIND_STRUCTS, .type = &lease_type),
    JSON_FIELD(struct membership_record, resolver, "resolver", JSON_KIND_STRING),
    JSON_FIELD(struct membership_record, ports, "ports", JSON_KIND_STRUCTS,
               .type = &published_port_type),
    JSON_FIELD(struct membership_record, noted, "egressNoted", JSON_KIND_STRINGS),
};
const struct json_struct membership_record_type =
    JSON_STRUCT(struct membership_record, record_fields);

static const char *copy_address(struct arena *arena, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    address_format(address, text);
    return arena_strdup(arena, text);
}

static void record_lease(struct arena *arena, const struct network_lease *lease,
                         struct lease_record *record)
{
    record->address = copy_address(arena, &lease->address);
    record->address6 = copy_address(arena, &lease->address6);
    record->device = lease->device;
    record->host_device = lease->host_device;
    if (lease->by_plugin != NULL)
        record->by_plugin = plugins_record(arena, lease->by_plugin);
}

void membership_record(const struct membership *member, struct arena *arena,
                       struct membership_record *record)
{
    size_t count = member->definition->endpoints.count;

    record->leases.items = arena_new(arena, count, sizeof(*record->leases.items));
    record->leases.count = count;
    for (size_t i = 0; i < count; i++) {
        record->leases.items[i].network_id = member->definition->endpoints.items[i].network_id;
        record_lease(arena, &member->leases[i], &record->leases.items[i]);
    }
    record->resolver = member->resolver_instance;
    record->ports = member->ports;
    egress_notes_list(arena, member, &record->noted);
}

static void restore_lease(const struct lease_record *record, struct network_lease *lease)
{
    if (address_parse(record->address, &lease->address) < 0)
        lease->address = (struct address){0};
    if (record->address6 == NULL || address_parse(record->address6, &lease->address6) < 0)
        lease->address6 = (struct address){0};
    lease->device = record->device;
    if (record->host_device != NULL)
        snprintf(lease->host_device, sizeof(lease->host_device), "%s", record->host_device);
    if (record->by_plugin != NULL)
        lease->by_plugin = plugins_restore(record->by_plugin);
}

static void restore_ports(struct membership *member, const struct published_ports *ports)
{
    member->ports.items = memory_new(ports->count, sizeof(*ports->items));
    member->ports.count = ports->count;
    for (size_t i = 0; i < ports->count; i++)
        port_copy(&ports->items[i], &member->ports.items[i]);
}

void membership_restore(struct membership *member, const struct membership_record *record)
{
    if (record->resolver != NULL)
        snprintf(member->resolver_instance, sizeof(member->resolver_instance), "%s",
                 record->resolver);
    for (size_t i = 0; i < record->leases.count; i++) {
        const struct lease_record *kept = &record->leases.items[i];
        size_t index = kept->network_id != NULL
                           ? definition_find_endpoint(member->definition, kept->network_id)
                           : i;

        /* An earlier davitd may have died before it saved that the container left the network. */
        if (index >= member->definition->endpoints.count)
            continue;
        restore_lease(kept, &member->leases[index]);
        member->leases[index].is_restored = true;
        if (member->leases[index].address.family != 0)
            member->leases[index].network = membership_network(member, index);
        lease_set_mac(member, index);
    }
    leases_note_fixed(member);
    restore_ports(member, &record->ports);
    egress_notes_restore(member, &record->noted);
    plugins_recover(member);
}
