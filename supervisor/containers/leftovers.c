/* Cgroups that are to go: see leftovers.h. */
#include "leftovers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

#define AGAIN_US 100000
#define ATTEMPTS_MAX 3000 /* five minutes: what sleeps in the kernel for that long stays */

struct leftover {
    struct leftover *next;
    char *path;
    unsigned int attempts;
};

/* True if nothing is left to be done. */
static bool kill_and_remove(const struct daemon *daemon, const char *path)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);

    cgroup->fd = -1;
    if (cgroup_open(&daemon->hierarchy, path, cgroup, NULL) < 0)
        return true;
    cgroup_kill(cgroup, NULL);
    return cgroup_remove(&daemon->hierarchy, cgroup, 0, NULL) == 0;
}

static void free_leftover(struct leftover *leftover)
{
    free(leftover->path);
    free(leftover);
}

static bool is_done(const struct daemon *daemon, struct leftover *leftover)
{
    if (kill_and_remove(daemon, leftover->path))
        return true;
    if (++leftover->attempts < ATTEMPTS_MAX)
        return false;
    log_error("cgroup %s cannot be removed: processes in it do not die", leftover->path);
    return true;
}

static void arm(struct daemon *daemon);

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct daemon *daemon = context;
    struct leftover **link = &daemon->leftovers;

    (void)source;
    (void)usec;
    daemon->leftovers_timer = sd_event_source_disable_unref(daemon->leftovers_timer);
    while (*link != NULL) {
        struct leftover *leftover = *link;

        if (is_done(daemon, leftover)) {
            *link = leftover->next;
            free_leftover(leftover);
        } else {
            link = &leftover->next;
        }
    }
    arm(daemon);
    return 0;
}

static void arm(struct daemon *daemon)
{
    if (daemon->leftovers != NULL && daemon->leftovers_timer == NULL)
        sd_event_add_time_relative(daemon->loop, &daemon->leftovers_timer, CLOCK_MONOTONIC,
                                   AGAIN_US, 0, on_timer, daemon);
}

void leftovers_kill(struct daemon *daemon, const char *path)
{
    struct leftover *leftover;

    if (kill_and_remove(daemon, path))
        return;
    leftovers_keep(daemon, path);
    leftover = memory_new_one(struct leftover);
    leftover->path = memory_strdup(path);
    leftover->next = daemon->leftovers;
    daemon->leftovers = leftover;
    arm(daemon);
}

void leftovers_keep(struct daemon *daemon, const char *path)
{
    struct leftover **link = &daemon->leftovers;

    while (*link != NULL && strcmp((*link)->path, path) != 0)
        link = &(*link)->next;
    if (*link != NULL) {
        struct leftover *leftover = *link;

        *link = leftover->next;
        free_leftover(leftover);
    }
}
