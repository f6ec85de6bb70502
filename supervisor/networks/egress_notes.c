/* What a container reaches while it learns: see egress_notes.h. */
#include "egress_notes.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "egress.h"

#define ANSWERS_MAX 1024 /* addresses whose names are known; the oldest is forgotten */

struct answered {
    struct address address;
    char *name;
    bool is_member; /* of a network that the container is on */
    uint64_t ends_us;
};

struct egress_notes {
    char *rules[EGRESS_NOTES_MAX];
    size_t count;
    struct answered answers[ANSWERS_MAX];
    size_t next; /* where the next answer goes */
};

static struct egress_notes *notes_of(struct membership *member)
{
    if (member->notes == NULL)
        member->notes = memory_new_one(struct egress_notes);
    return member->notes;
}

static struct answered *find_answer(struct egress_notes *notes, const struct address *address,
                                    const char *name)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        struct answered *one = &notes->answers[i];

        if (one->name != NULL && address_equals(&one->address, address) &&
            strcmp(one->name, name) == 0)
            return one;
    }
    return NULL;
}

void egress_note_answer(struct networks *networks, const struct resolver_grant *grant)
{
    struct membership *member = grant->id != NULL ? membership_find(networks, grant->id) : NULL;
    struct egress_notes *notes;
    struct egress_rule rule;

    if (member == NULL || grant->name == NULL || !egress_learns(member))
        return;
    notes = notes_of(member);
    /* A name that no rule can be for, with other bytes than those of hosts. */
    if (egress_rule_parse(grant->name, &rule, NULL) < 0 || rule.name[0] == '\0')
        return;
    for (size_t i = 0; i < grant->addresses.count; i++) {
        struct address address;
        struct answered *answer;

        if (address_parse(grant->addresses.items[i], &address) < 0)
            continue;
        answer = find_answer(notes, &address, grant->name);
        if (answer == NULL)
            answer = &notes->answers[notes->next++ % ANSWERS_MAX];
        free(answer->name);
        *answer = (struct answered){address, memory_strdup(grant->name), grant->is_member,
                                    egress_end_of_answer(grant)};
    }
}

/* "NAME", "NAME@ADDRESS" where the name alone would not do, or the address, if there is no name. */
static void write_target(const struct address *address, bool is_outside,
                         const struct answered *answer, char *text, size_t size)
{
    char plain[ADDRESS_TEXT_SIZE];
    const char *open = address->family == AF_INET6 ? "[" : "";
    const char *close = address->family == AF_INET6 ? "]" : "";

    address_format(address, plain);
    if (answer == NULL)
        snprintf(text, size, "%s%s%s", open, plain, close);
    else if (answer->is_member || is_outside)
        snprintf(text, size, "%s", answer->name);
    else
        snprintf(text, size, "%s@%s%s%s", answer->name, open, plain, close);
}

static bool is_multicast(const struct address *address)
{
    return address->bytes[0] == 0xff ||
           (address->family == AF_INET && (address->bytes[0] & 0xf0) == 0xe0);
}

static const char *suffix_of(uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? "/udp" : protocol == IPPROTO_SCTP ? "/sctp" : "";
}

static bool has_note(const struct egress_notes *notes, const char *rule)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (strcmp(notes->rules[i], rule) == 0)
            return true;
    }
    return false;
}

static int compare(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static void add_note(struct membership *member, const struct logged_packet *packet, bool is_outside,
                     const struct answered *answer)
{
    struct egress_notes *notes = member->notes;
    char target[EGRESS_NAME_SIZE + ADDRESS_TEXT_SIZE + 8];
    char rule[sizeof(target) + 16];

    write_target(&packet->destination, is_outside, answer, target, sizeof(target));
    snprintf(rule, sizeof(rule), "%s:%u%s", target, packet->port, suffix_of(packet->protocol));
    if (notes->count == EGRESS_NOTES_MAX || has_note(notes, rule))
        return;
    notes->rules[notes->count++] = memory_strdup(rule);
    qsort(notes->rules, notes->count, sizeof(*notes->rules), compare);
    member->owner->save(member);
}

/* Several names may have led there: which it meant is not in the packet. */
void egress_note_packet(struct membership *member, const struct logged_packet *packet)
{
    struct egress_notes *notes = notes_of(member);
    uint64_t now_us = clock_monotonic_us();
    bool has_name = false;
    bool is_outside;

    /* A rule for what has no port would let everything through. */
    if (packet->destination.family == 0 || is_multicast(&packet->destination) ||
        packet->port == 0 || notes->count == EGRESS_NOTES_MAX)
        return;
    /* The kernel lists the host's addresses for that: once, however many names led there. */
    is_outside = egress_is_outside(member->networks, &packet->destination);
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        const struct answered *one = &notes->answers[i];

        if (one->name == NULL || one->ends_us < now_us ||
            !address_equals(&one->address, &packet->destination))
            continue;
        has_name = true;
        add_note(member, packet, is_outside, one);
    }
    if (!has_name)
        add_note(member, packet, is_outside, NULL);
}

void egress_notes_hand_over(struct membership *member)
{
    uint64_t now_us = clock_monotonic_us();

    for (size_t i = 0; member->notes != NULL && i < ANSWERS_MAX; i++) {
        const struct answered *one = &member->notes->answers[i];

        if (one->name != NULL && one->ends_us > now_us)
            egress_learn_answer(member, one->name, &one->address, one->is_member, one->ends_us);
    }
}

void egress_notes_list(struct arena *arena, const struct membership *member,
                       struct string_list *rules)
{
    for (size_t i = 0; member->notes != NULL && i < member->notes->count; i++)
        string_list_append(arena, rules, arena_strdup(arena, member->notes->rules[i]));
}

void egress_notes_restore(struct membership *member, const struct string_list *rules)
{
    for (size_t i = 0; i < rules->count && i < EGRESS_NOTES_MAX; i++) {
        struct egress_notes *notes = notes_of(member);

        notes->rules[notes->count++] = memory_strdup(rules->items[i]);
    }
}

void egress_notes_forget(struct membership *member)
{
    struct egress_notes *notes = member->notes;

    if (notes == NULL)
        return;
    for (size_t i = 0; i < notes->count; i++)
        free(notes->rules[i]);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        free(notes->answers[i].name);
    free(take_pointer(&member->notes));
}
