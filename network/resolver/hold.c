/* Answers that wait until davitd has let their addresses through: see resolver.h. */
#include <stdlib.h>

#include "resolver.h"

#define HOLD_TIMEOUT_MS 2000
#define HOLDS_MAX 64         /* of one container */
#define GRANTS_PER_SECOND 50 /* of one container */

struct held {
    struct held *next;
    uint64_t serial;
    uint64_t deadline_ms;
    struct asker asker;
    struct buffer message;
};

static void free_held(struct held *held)
{
    buffer_release(&held->message);
    free(held);
}

/* Counts a request for a grant, and says whether it is within the limit: each request is work for
 * davitd, which has other containers to serve. */
static bool grant_request_count(struct served *served)
{
    uint64_t second = resolver_now_ms() / 1000;

    if (served->grants_second != second) {
        served->grants_second = second;
        served->grants_count = 0;
    }
    return served->grants_count++ < GRANTS_PER_SECOND;
}

bool hold_answer(const struct asker *asker, const struct grant_order *order, const uint8_t *message,
                 size_t length)
{
    struct resolver *resolver = asker->served->resolver;
    struct held *held;
    uint64_t serial = ++resolver->grant_serial;

    if (asker->served->held_count == HOLDS_MAX || !grant_request_count(asker->served) ||
        !report_ask_grant(resolver, serial, asker->served->container.id, order))
        return false;
    held = memory_new_one(struct held);
    held->serial = serial;
    held->deadline_ms = resolver_now_ms() + HOLD_TIMEOUT_MS;
    held->asker = *asker;
    buffer_append(&held->message, message, length);
    held->next = asker->served->held;
    asker->served->held = held;
    asker->served->held_count++;
    return true;
}

/* Takes the answer with this serial out of the list; NULL if there is none. */
static struct held *unlink_held(struct served *served, uint64_t serial)
{
    for (struct held **link = &served->held; *link != NULL; link = &(*link)->next) {
        struct held *held = *link;

        if (held->serial == serial) {
            *link = held->next;
            served->held_count--;
            return held;
        }
    }
    return NULL;
}

void hold_release(struct resolver *resolver, uint64_t serial)
{
    for (struct served *one = resolver->served; one != NULL; one = one->next) {
        struct held *held = unlink_held(one, serial);

        if (held == NULL)
            continue;
        asker_answer(&held->asker, (const uint8_t *)held->message.data, held->message.length);
        free_held(held);
        return;
    }
}

void holds_drop(struct served *served, const struct connection *connection)
{
    struct held **link = &served->held;

    while (*link != NULL) {
        struct held *held = *link;

        if (connection != NULL && held->asker.connection != connection) {
            link = &held->next;
            continue;
        }
        *link = held->next;
        served->held_count--;
        free_held(held);
    }
}

/* Drops answers that davitd did not let through in time: the client will ask again. */
uint64_t holds_expire(struct served *served, uint64_t now_ms, uint64_t next_ms)
{
    struct held **link = &served->held;

    while (*link != NULL) {
        struct held *held = *link;

        if (held->deadline_ms <= now_ms) {
            *link = held->next;
            served->held_count--;
            free_held(held);
            continue;
        }
        if (held->deadline_ms < next_ms)
            next_ms = held->deadline_ms;
        link = &held->next;
    }
    return next_ms;
}
