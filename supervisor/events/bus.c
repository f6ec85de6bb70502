/* The event bus: see bus.h. */
#include "bus.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void event_free(struct event *event)
{
    if (event == NULL)
        return;
    free(event->json);
    arena_release(&event->arena);
    free(event);
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
    event->action = arena_strdup(&event->arena, action);
    event->id = arena_strdup(&event->arena, id);
    string_map_copy(&event->arena, attributes, &event->attributes);
    event->json = event_format(event);
    event_free(bus->kept[bus->next]);
    bus->kept[bus->next] = event;
    bus->next = (bus->next + 1) % EVENTS_KEPT;
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
