/* The disk quota of a container's own files. */
#include "all_parts.h"
#include "internal.h"
#include "runtime/runtime.h"

static int set_quota(struct managed_container *container, struct revision *draft,
                     const struct image *image, struct error *err)
{
    struct containers *containers = container->containers;
    struct definition *definition = &draft->definition;
    uint64_t bytes = definition_disk_bytes(definition);

    (void)image;
    if (bytes == 0)
        return 0;
    definition->project = projects_pick(containers->projects);
    return quota_limit(containers->places->containers_fd, definition->project, bytes, err);
}

static void lift_quota(struct managed_container *container)
{
    struct containers *containers = container->containers;
    uint32_t project = container->definition->project;

    if (project == 0)
        return;
    quota_limit(containers->places->containers_fd, project, 0, NULL);
    projects_release(containers->projects, project);
}

static void note_quota(struct managed_container *container)
{
    projects_note(container->containers->projects, container->definition->project);
}

static void quota_removed(struct managed_container *container, bool removes_volumes)
{
    (void)removes_volumes;
    lift_quota(container);
}

const struct container_part quota_part = {
    .name = "quota",
    .define = set_quota,
    .undefine = lift_quota,
    .known = note_quota,
    .removed = quota_removed,
};
