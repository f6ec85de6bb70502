/* Cgroups that are to go: see leftovers.h. */
#include "leftovers.h"

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
static bool kill_and_remove(const struct containers *containers, const char *path)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);

    cgroup->fd = -1;
    if (cgroup_open(containers->hierarchy, path, cgroup, NULL) < 0)
        return true;
    cgroup_kill(cgroup, NULL);
    return cgroup_remove(containers->hierarchy, cgroup, 0, NULL) == 0;
}

static void free_leftover(struct leftover *leftover)
{
    free(leftover->path);
    free(leftover);
}

static bool leftover_kill_again(const struct containers *containers, struct leftover *leftover)
{
    if (kill_and_remove(containers, leftover->path))
        return true;
    if (++leftover->attempts < ATTEMPTS_MAX)
        return false;
    log_error("cgroup %s cannot be removed: processes in it do not die", leftover->path);
    return true;
}

static void arm(struct containers *containers);

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct containers *containers = context;
    struct leftover **link = &containers->leftovers;

    (void)source;
    (void)usec;
    containers->leftovers_timer = sd_event_source_disable_unref(containers->leftovers_timer);
    while (*link != NULL) {
        struct leftover *leftover = *link;

        if (leftover_kill_again(containers, leftover)) {
            *link = leftover->next;
            free_leftover(leftover);
        } else {
            link = &leftover->next;
        }
    }
    arm(containers);
    return 0;
}

static void arm(struct containers *containers)
{
    if (containers->leftovers != NULL && containers->leftovers_timer == NULL)
        sd_event_add_time_relative(containers->loop, &containers->leftovers_timer, CLOCK_MONOTONIC,
                                   AGAIN_US, 0, on_timer, containers);
}

void leftovers_kill(struct containers *containers, const char *path)
{
    struct leftover *leftover;

    if (kill_and_remove(containers, path))
        return;
    leftovers_keep(containers, path);
    leftover = memory_new_one(struct leftover);
    leftover->path = memory_strdup(path);
    leftover->next = containers->leftovers;
    containers->leftovers = leftover;
    arm(containers);
}

void leftovers_keep(struct containers *containers, const char *path)
{
    struct leftover **link = &containers->leftovers;

    while (*link != NULL && strcmp((*link)->path, path) != 0)
        link = &(*link)->next;
    if (*link != NULL) {
        struct leftover *leftover = *link;

        *link = leftover->next;
        free_leftover(leftover);
    }
}
