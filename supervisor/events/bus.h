/* Events: the last ones are kept for `since`, and subscribers inside davitd get them as they
 * happen. */
#ifndef DAVIT_SUPERVISOR_EVENTS_BUS_H
#define DAVIT_SUPERVISOR_EVENTS_BUS_H

#include <stdint.h>

#include "base/json_table.h"

#define EVENTS_KEPT 256
#define EVENTS_KEPT_BYTES (4 << 20)
#define EVENT_TEXT_MAX 4096 /* of an action or an attribute's value: what is longer is cut */

struct event {
    int64_t time_ns;
    const char *type; /* "container", "image", "network", "volume", "daemon" */
    const char *action;
    const char *id;
    struct string_map attributes;
    char *json; /* Docker's form, a line */
    struct arena arena;
    size_t bytes; /* that it holds */
};

/* Somebody who is told of events: a member of the subscriber's own struct. */
struct event_subscriber {
    struct event_subscriber *next;
    /* May unsubscribe itself, and nobody else. The event is the bus's. */
    void (*notify)(struct event_subscriber *subscriber, const struct event *event);
};

/* Zeroed has none. */
struct event_bus {
    struct event *kept[EVENTS_KEPT]; /* a ring */
    size_t next;
    size_t bytes; /* of those that are kept */
    struct event_subscriber *subscribers;
};

/* Publishes an event; everything is copied. As many of the last ones are kept as have room in
 * EVENTS_KEPT_BYTES, EVENTS_KEPT at most. */
void events_publish(struct event_bus *bus, const char *type, const char *action, const char *id,
                    const struct string_map *attributes);

void events_subscribe(struct event_bus *bus, struct event_subscriber *subscriber);
void events_unsubscribe(struct event_bus *bus, const struct event_subscriber *subscriber);

/* Tells the subscriber of those that are kept, from `since_ns` to `until_ns` (0: to now). */
void events_replay(const struct event_bus *bus, struct event_subscriber *subscriber,
                   int64_t since_ns, int64_t until_ns);

/* Docker's form of an event, a line; free() it. */
char *event_format(const struct event *event);

#endif
