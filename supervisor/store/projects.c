/* Picking project numbers: see projects.h. */
#include "projects.h"

#include "supervisor/containers/container.h"
#include "supervisor/volumes/volumes.h"

#define PROJECT_FIRST 0x64610000

static bool is_taken(const struct daemon *daemon, uint32_t project)
{
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        if (one->definition.project == project)
            return true;
    }
    for (const struct volume *one = daemon->volumes; one != NULL; one = one->next) {
        if (one->project == project)
            return true;
    }
    return false;
}

uint32_t project_pick(const struct daemon *daemon)
{
    uint32_t project = PROJECT_FIRST;

    while (is_taken(daemon, project))
        project++;
    return project;
}
