/* The event bus: see bus.h. */
#include "bus.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void forget(struct event_bus *bus, size_t place)
{
    struct event *event = bus->kept[place];

    if (event == NULL)
        return;
    bus->kept[place] = NULL;
    bus->bytes -= event->bytes;
    free(event->json);
    arena_release(&event->arena);
    free(event);
}

/* The latest stays, however large it is. */
static void keep(struct event_bus *bus, struct event *event)
{
    forget(bus, bus->next);
    bus->kept[bus->next] = event;
    bus->next = (bus->next + 1) % EVENTS_KEPT;
    bus->bytes += event->bytes;
    for (size_t i = 0; bus->bytes > EVENTS_KEPT_BYTES && i < EVENTS_KEPT - 1; i++)
        forget(bus, (bus->next + i) % EVENTS_KEPT);
}

/* Cut between two characters of UTF-8. */
static const char *copy_text(struct arena *arena, const char *text)
{
    size_t length = strnlen(text, EVENT_TEXT_MAX + 1);

    if (length <= EVENT_TEXT_MAX)
        return arena_strdup(arena, text);
    length = EVENT_TEXT_MAX;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return arena_printf(arena, "%.*s...", (int)length, text);
}

static void copy_attributes(struct arena *arena, const struct string_map *from,
                            struct string_map *to)
{
    to->items = arena_new(arena, from->count, sizeof(*to->items));
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->items[i] = (struct string_pair){copy_text(arena, from->items[i].name),
                                            copy_text(arena, from->items[i].value)};
}

/* Docker's form, with the fields of old clients beside the new ones for containers. */
char *event_format(const struct event *event)
{
    struct json_writer *writer = json_writer_new(false);
    bool is_container = strcmp(event->type, "container") == 0;
    char *line;

    json_object_open(writer);
    if (is_container) {
        json_member_string(writer, "status", event->action);
        json_member_string(writer, "id", event->id);
        json_member_string(writer, "from", string_map_get(&event->attributes, "image"));
    }
    json_member_string(writer, "Type", event->type);
    json_member_string(writer, "Action", event->action);
    json_key(writer, "Actor");
    json_object_open(writer);
    json_member_string(writer, "ID", event->id);
    json_member_map(writer, "Attributes", &event->attributes);
    json_object_close(writer);
    json_member_string(writer, "scope", "local");
    json_member_integer(writer, "time", event->time_ns / 1000000000);
    json_member_integer(writer, "timeNano", event->time_ns);
    json_object_close(writer);
    line = memory_printf("%s\n", json_writer_text(writer));
    json_writer_free(writer);
    return line;
}

void events_publish(struct event_bus *bus, const char *type, const char *action, const char *id,
                    const struct string_map *attributes)
{
    struct event *event = memory_new_one(struct event);
    struct event_subscriber *following;

    event->time_ns = clock_now_ns();
    event->type = arena_strdup(&event->arena, type);
    event->action = copy_text(&event->arena, action);
    event->id = arena_strdup(&event->arena, id);
    copy_attributes(&event->arena, attributes, &event->attributes);
    event->json = event_format(event);
    event->bytes = arena_bytes(&event->arena) + strlen(event->json);
    keep(bus, event);
    for (struct event_subscriber *one = bus->subscribers; one != NULL; one = following) {
        following = one->next;
        one->notify(one, event);
    }
}

void events_subscribe(struct event_bus *bus, struct event_subscriber *subscriber)
{
    subscriber->next = bus->subscribers;
    bus->subscribers = subscriber;
}

void events_unsubscribe(struct event_bus *bus, const struct event_subscriber *subscriber)
{
    struct event_subscriber **link = &bus->subscribers;

    while (*link != NULL && *link != subscriber)
        link = &(*link)->next;
    if (*link != NULL)
        *link = subscriber->next;
}

void events_replay(const struct event_bus *bus, struct event_subscriber *subscriber,
                   int64_t since_ns, int64_t until_ns)
{
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        const struct event *event = bus->kept[(bus->next + i) % EVENTS_KEPT];

        if (event != NULL && event->time_ns >= since_ns &&
            (until_ns == 0 || event->time_ns <= until_ns))
            subscriber->notify(subscriber, event);
    }
}
