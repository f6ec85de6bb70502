/* GET /events: the request is a subscriber until the client leaves or `until` has come. One whose
 * backlog is full misses events; when it has read, an event of type "daemon", "missed", tells how
 * many. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/clock.h"

struct listener {
    struct event_subscriber subscriber;
    struct event_bus *bus;
    struct request *request;
    struct filters filters;
    sd_event_source *until;
    uint64_t missed; /* events, since its backlog was full */
    struct arena arena;
};

static const char *const known_filters[] = {"container", "type",   "event", "image",  "label",
                                            "network",   "volume", "scope", "daemon", NULL};

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

/* A listener whose backlog is full misses events; on_drain() tells it how many. */
static void notify(struct event_subscriber *subscriber, const struct event *event)
{
    struct listener *listener = (struct listener *)(void *)subscriber;

    if (!is_wanted(&listener->filters, event))
        return;
    if (listener->missed > 0 || stream_backlog(listener->request) >= SERVER_OUTPUT_MAX)
        listener->missed++;
    else
        stream_write(listener->request, event->json, strlen(event->json));
}

static void on_drain(struct request *request)
{
    struct listener *listener = request->context;
    struct event event = {
        .time_ns = clock_now_ns(), .type = "daemon", .action = "missed", .id = ""};
    char count[24];
    struct string_pair pair = {"count", count};
    cleanup_free char *json = NULL;

    if (listener->missed == 0)
        return;
    snprintf(count, sizeof(count), "%llu", (unsigned long long)listener->missed);
    listener->missed = 0;
    event.attributes = (struct string_map){&pair, 1};
    json = event_format(&event);
    stream_write(request, json, strlen(json));
}

static void listener_free(struct listener *listener)
{
    events_unsubscribe(listener->bus, &listener->subscriber);
    sd_event_source_disable_unref(listener->until);
    arena_release(&listener->arena);
    free(listener);
}

static void on_close(struct request *request)
{
    listener_free(request->context);
}

static int on_until(sd_event_source *source, uint64_t usec, void *context)
{
    struct listener *listener = context;

    (void)source;
    (void)usec;
    stream_end(listener->request);
    return 0;
}

static int read_query(struct listener *listener, int64_t *since_ns, int64_t *until_ns,
                      struct error *err)
{
    const struct request *request = listener->request;

    if (request_query_time(request, "since", since_ns) < 0 ||
        request_query_time(request, "until", until_ns) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "since, until: not a timestamp");
    return filters_parse(&listener->arena, request_query(request, "filters"), known_filters,
                         &listener->filters, err);
}

static void serve_events(struct api *api, struct request *request, const struct route_match *match)
{
    struct listener *listener = memory_new_one(struct listener);
    struct error err = {0};
    int64_t since_ns = 0;
    int64_t until_ns = 0;
    int64_t now_ns = clock_now_ns();

    (void)match;
    listener->subscriber.notify = notify;
    listener->bus = api->events;
    listener->request = request;
    if (read_query(listener, &since_ns, &until_ns, &err) < 0) {
        respond_error(request, &err);
        listener_free(listener);
        return;
    }
    events_subscribe(listener->bus, &listener->subscriber);
    request->context = listener;
    request->on_close = on_close;
    request->on_drain = on_drain;
    stream_begin(request, "application/json");
    if (since_ns != 0)
        events_replay(listener->bus, &listener->subscriber, since_ns, until_ns);
    if (until_ns != 0 && until_ns <= now_ns)
        stream_end(request);
    else if (until_ns != 0)
        sd_event_add_time_relative(api->loop, &listener->until, CLOCK_MONOTONIC,
                                   (uint64_t)(until_ns - now_ns) / 1000, 0, on_until, listener);
}

const struct route event_routes[] = {
    {"GET", "/events", serve_events, PERMISSION_READ, NULL},
    {.method = NULL},
};
