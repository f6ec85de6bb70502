/* What containers may reach: see egress.h. */
#include "egress.h"

#include "connections.h"
#include "egress_learnt.h"
#include "egress_notes.h"
#include "names.h"

void egress_release(struct membership *member)
{
    const struct docker_egress *egress = member->definition->host_config.egress;

    member->has_egress_written = false;
    egress_forget_learnt(member);
    if (egress == NULL || member->definition->endpoints.count == 0)
        return;
    member->refused_names = 0;
    egress_note_ended(member->networks, member->definition->id, egress->allow.count);
    firewall_change(member->networks);
}

void egress_replace(struct membership *member, bool had_rules, const struct string_list *former)
{
    if (egress_learns(member))
        egress_notes_forget(member);
    if (!membership_is_attached(member)) {
        egress_forget_learnt(member);
        return;
    }
    member->refused_names = 0;
    member->has_egress_written = false;
    egress_keep_learnt(member, former);
    egress_notes_hand_over(member);
    if (had_rules)
        egress_note_ended(member->networks, member->definition->id, former->count);
    firewall_change(member->networks);
    connections_revise(member);
    names_update(member);
}

void egress_write_rules(struct json_writer *writer, const struct membership *member)
{
    const struct docker_egress *egress = member->definition->host_config.egress;
    char name[EGRESS_IDENTIFIER_SIZE];
    struct nft_counter counter = {0};
    struct nft_counter neighbours = {0};
    cleanup_arena struct arena arena = {0};
    struct string_list noted = {0};
    struct string_list suggested = {0};

    json_object_open(writer);
    if (egress != NULL) {
        egress_counter_name(member->definition->id, name);
        nft_counter_read(&member->networks->nft, NFT_INET, EGRESS_TABLE, name, &counter, NULL);
        nft_counter_read(&member->networks->nft, NFT_BRIDGE, EGRESS_TABLE, name, &neighbours, NULL);
        json_member_strings(writer, "Allow", &egress->allow);
        json_key(writer, "Refused");
        json_object_open(writer);
        json_member_unsigned(writer, "Packets", counter.packets + neighbours.packets);
        json_member_unsigned(writer, "Bytes", counter.bytes + neighbours.bytes);
        json_member_unsigned(writer, "Names", member->refused_names);
        json_object_close(writer);
        if (egress->learns)
            json_member_boolean(writer, "Learn", true);
    }
    egress_notes_list(&arena, member, &noted);
    for (size_t i = 0; i < noted.count; i++) {
        if (egress == NULL || !string_list_has(&egress->allow, noted.items[i]))
            string_list_append(&arena, &suggested, noted.items[i]);
    }
    json_member_strings(writer, "Suggested", &suggested);
    json_object_close(writer);
}
