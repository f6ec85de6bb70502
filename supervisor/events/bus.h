/* Events: the last ones are kept for `since`, and subscribers get them as they happen. */
#ifndef DAVIT_SUPERVISOR_EVENTS_BUS_H
#define DAVIT_SUPERVISOR_EVENTS_BUS_H

#include <stdint.h>

#include "base/json_table.h"
#include "supervisor/http/server.h"

#define EVENTS_KEPT 256

struct event;
struct subscriber;

struct event_bus {
    struct event *kept[EVENTS_KEPT]; /* a ring */
    size_t next;
    struct subscriber *subscribers;
};

/* Publishes an event. `type` is "container" or "image"; `attributes` are copied. */
void events_publish(struct event_bus *bus, const char *type, const char *action, const char *id,
                    const struct string_map *attributes);

/* GET /events: answers and keeps the request until the client leaves or `until` has come. A
 * subscriber whose backlog is full misses events; when it has read, an event of type "daemon",
 * "missed", tells how many. */
void events_subscribe(struct event_bus *bus, sd_event *loop, struct request *request);

void events_release(struct event_bus *bus);

#endif
