/* What a running container has of networks, across davitd's life: see membership.h. */
#include <stdio.h>
#include <string.h>

#include "membership.h"
#include "plugins.h"

void membership_encode(struct json_writer *writer, const struct membership *member)
{
    json_key(writer, "leases");
    json_array_open(writer);
    for (size_t i = 0; i < member->definition->endpoints.count; i++) {
        const struct network_lease *lease = &member->leases[i];
        char address[ADDRESS_TEXT_SIZE];

        json_object_open(writer);
        address_format(&lease->address, address);
        json_member_string(writer, "address", address);
        address_format(&lease->address6, address);
        json_member_string(writer, "address6", address);
        json_member_unsigned(writer, "device", lease->device);
        json_member_string(writer, "hostDevice", lease->host_device);
        if (lease->by_plugin != NULL)
            plugins_encode(writer, lease->by_plugin);
        json_object_close(writer);
    }
    json_array_close(writer);
    json_member_string(writer, "resolver", member->resolver_instance);
    json_key(writer, "ports");
    json_array_open(writer);
    for (size_t i = 0; i < member->ports.count; i++)
        json_encode(writer, &published_port_type, &member->ports.items[i]);
    json_array_close(writer);
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
        lease->by_plugin = plugins_decode(record->by_plugin);
}

void membership_restore(struct membership *member, const struct lease_record *leases,
                        size_t lease_count, const char *resolver_instance,
                        const struct published_ports *ports)
{
    if (resolver_instance != NULL)
        snprintf(member->resolver_instance, sizeof(member->resolver_instance), "%s",
                 resolver_instance);
    for (size_t i = 0; i < lease_count && i < member->definition->endpoints.count; i++) {
        restore_lease(&leases[i], &member->leases[i]);
        if (member->leases[i].address.family != 0)
            member->leases[i].network = membership_network(member, i);
    }
    leases_note_fixed(member);
    member->ports.items = memory_new(ports->count, sizeof(*ports->items));
    member->ports.count = ports->count;
    for (size_t i = 0; i < ports->count; i++)
        member->ports.items[i] = ports->items[i];
}
