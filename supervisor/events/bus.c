/* The event bus: see bus.h. */
#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "supervisor/http/filters.h"

struct event {
    int64_t time_ns;
    const char *type;
    const char *action;
    const char *id;
    struct string_map attributes;
    char *json;
    struct arena arena;
};

struct subscriber {
    struct event_bus *bus;
    struct subscriber *next;
    struct request *request;
    struct filters filters;
    sd_event_source *until;
    uint64_t missed; /* events, since its backlog was full */
    struct arena arena;
};

static const char *const known_filters[] = {"container", "type",   "event", "image",  "label",
                                            "network",   "volume", "scope", "daemon", NULL};

static void event_free(struct event *event)
{
    if (event == NULL)
        return;
    free(event->json);
    arena_release(&event->arena);
    free(event);
}

/* Docker's form, with the fields of old clients beside the new ones for containers. */
static char *format(const struct event *event)
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

/* "exec_start: sh" is an "exec_start" to filters. */
static bool action_matches(const struct filters *filters, const char *action)
{
    cleanup_free char *verb = memory_strdup(action);

    verb[strcspn(verb, ":")] = '\0';
    return filters_match(filters, "event", action) || filters_match(filters, "event", verb);
}

static bool is_wanted(const struct filters *filters, const struct event *event)
{
    const char *name = string_map_get(&event->attributes, "name");
    const char *image = string_map_get(&event->attributes, "image");

    if (!filters_match(filters, "type", event->type) || !action_matches(filters, event->action) ||
        !filters_match(filters, "scope", "local") ||
        !filters_match_labels(filters, &event->attributes))
        return false;
    if (filters_get(filters, "container") != NULL &&
        (strcmp(event->type, "container") != 0 ||
         (!filters_match(filters, "container", event->id) &&
          !filters_match(filters, "container", name != NULL ? name : ""))))
        return false;
    if (filters_get(filters, "image") != NULL &&
        !filters_match(filters, "image", image != NULL ? image : event->id))
        return false;
    if (filters_get(filters, "volume") != NULL &&
        (strcmp(event->type, "volume") != 0 || !filters_match(filters, "volume", event->id)))
        return false;
    return filters_get(filters, "network") == NULL && filters_get(filters, "daemon") == NULL;
}

/* One who does not read in time is not waited for. It learns how many it has missed. */
static void deliver(struct subscriber *subscriber, const struct event *event)
{
    if (subscriber->missed > 0 || stream_backlog(subscriber->request) >= SERVER_OUTPUT_MAX)
        subscriber->missed++;
    else
        stream_write(subscriber->request, event->json, strlen(event->json));
}

static void on_drain(struct request *request)
{
    struct subscriber *subscriber = request->context;
    struct event event = {
        .time_ns = clock_now_ns(), .type = "daemon", .action = "missed", .id = ""};
    char count[24];
    struct string_pair pair = {"count", count};
    cleanup_free char *json = NULL;

    if (subscriber->missed == 0)
        return;
    snprintf(count, sizeof(count), "%llu", (unsigned long long)subscriber->missed);
    subscriber->missed = 0;
    event.attributes = (struct string_map){&pair, 1};
    json = format(&event);
    stream_write(request, json, strlen(json));
}

void events_publish(struct event_bus *bus, const char *type, const char *action, const char *id,
                    const struct string_map *attributes)
{
    struct event *event = memory_new_one(struct event);

    event->time_ns = clock_now_ns();
    event->type = arena_strdup(&event->arena, type);
    event->action = arena_strdup(&event->arena, action);
    event->id = arena_strdup(&event->arena, id);
    event->attributes.items =
        arena_new(&event->arena, attributes->count, sizeof(struct string_pair));
    for (size_t i = 0; i < attributes->count; i++)
        event->attributes.items[event->attributes.count++] =
            (struct string_pair){arena_strdup(&event->arena, attributes->items[i].name),
                                 arena_strdup(&event->arena, attributes->items[i].value)};
    event->json = format(event);
    event_free(bus->kept[bus->next]);
    bus->kept[bus->next] = event;
    bus->next = (bus->next + 1) % EVENTS_KEPT;
    for (struct subscriber *one = bus->subscribers; one != NULL;) {
        struct subscriber *following = one->next;

        if (is_wanted(&one->filters, event))
            deliver(one, event);
        one = following;
    }
}

static void unsubscribe(struct request *request)
{
    struct subscriber *subscriber = request->context;
    struct subscriber **link = &subscriber->bus->subscribers;

    while (*link != NULL && *link != subscriber)
        link = &(*link)->next;
    if (*link == subscriber)
        *link = subscriber->next;
    sd_event_source_disable_unref(subscriber->until);
    arena_release(&subscriber->arena);
    free(subscriber);
}

static int on_until(sd_event_source *source, uint64_t usec, void *context)
{
    struct subscriber *subscriber = context;

    (void)source;
    (void)usec;
    stream_end(subscriber->request);
    return 0;
}

static void replay(struct event_bus *bus, const struct subscriber *subscriber, int64_t since_ns,
                   int64_t until_ns)
{
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        const struct event *event = bus->kept[(bus->next + i) % EVENTS_KEPT];

        if (event != NULL && event->time_ns >= since_ns &&
            (until_ns == 0 || event->time_ns <= until_ns) && is_wanted(&subscriber->filters, event))
            stream_write(subscriber->request, event->json, strlen(event->json));
    }
}

void events_subscribe(struct event_bus *bus, sd_event *loop, struct request *request)
{
    struct subscriber *subscriber = memory_new_one(struct subscriber);
    struct error err = {0};
    int64_t since_ns = 0;
    int64_t until_ns = 0;
    int64_t now_ns = clock_now_ns();

    subscriber->bus = bus;
    subscriber->request = request;
    if (request_query_time(request, "since", &since_ns) < 0 ||
        request_query_time(request, "until", &until_ns) < 0)
        error_set(&err, ERROR_INVALID, EINVAL, "since, until: not a timestamp");
    else
        filters_parse(&subscriber->arena, request_query(request, "filters"), known_filters,
                      &subscriber->filters, &err);
    if (err.errnum != 0) {
        respond_error(request, &err);
        arena_release(&subscriber->arena);
        free(subscriber);
        return;
    }
    subscriber->next = bus->subscribers;
    bus->subscribers = subscriber;
    request->context = subscriber;
    request->on_close = unsubscribe;
    request->on_drain = on_drain;
    stream_begin(request, "application/json");
    if (since_ns != 0)
        replay(bus, subscriber, since_ns, until_ns);
    if (until_ns != 0 && until_ns <= now_ns)
        stream_end(request);
    else if (until_ns != 0)
        sd_event_add_time_relative(loop, &subscriber->until, CLOCK_MONOTONIC,
                                   (uint64_t)(until_ns - now_ns) / 1000, 0, on_until, subscriber);
}

void events_release(struct event_bus *bus)
{
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        event_free(bus->kept[i]);
        bus->kept[i] = NULL;
    }
}
