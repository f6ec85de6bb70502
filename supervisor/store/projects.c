/* Project numbers: see projects.h. */
#include "projects.h"

#include <string.h>

#include "base/memory.h"

#define PROJECT_FIRST 0x64610000
#define GROWTH 64
/* A number beyond these is not davit's: it is not noted. */
#define PROJECTS_MAX (1 << 20)

static void mark(struct projects *projects, uint32_t project, bool is_taken)
{
    size_t index = project - (size_t)PROJECT_FIRST;
    size_t count = index + GROWTH;

    if (project < PROJECT_FIRST || index >= PROJECTS_MAX)
        return;
    if (index >= projects->count) {
        projects->is_taken = memory_resize(projects->is_taken, count, sizeof(bool));
        memset(projects->is_taken + projects->count, 0, count - projects->count);
        projects->count = count;
    }
    projects->is_taken[index] = is_taken;
}

uint32_t projects_pick(struct projects *projects)
{
    size_t index = 0;

    while (index < projects->count && projects->is_taken[index])
        index++;
    mark(projects, (uint32_t)(PROJECT_FIRST + index), true);
    return (uint32_t)(PROJECT_FIRST + index);
}

void projects_note(struct projects *projects, uint32_t project)
{
    mark(projects, project, true);
}

void projects_release(struct projects *projects, uint32_t project)
{
    mark(projects, project, false);
}
