/* What tells a container's files and processes from another's where the host has SELinux: a level
 * with two categories that no other container has. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "internal.h"
#include "runtime/runtime.h"

#define TRIES 1000

static bool is_taken(const struct containers *containers, const char *level)
{
    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        if (one->definition->selinux_level != NULL &&
            strcmp(one->definition->selinux_level, level) == 0)
            return true;
    }
    return false;
}

/* Two different ones, the lower first, as the kernel writes them. */
static void pick_categories(unsigned int categories[2])
{
    uint32_t random[2];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        abort();
    categories[0] = random[0] % SELINUX_CATEGORIES;
    categories[1] = random[1] % (SELINUX_CATEGORIES - 1);
    if (categories[1] >= categories[0]) {
        categories[1]++;
    } else {
        unsigned int lower = categories[1];

        categories[1] = categories[0];
        categories[0] = lower;
    }
}

static const char *pick_level(const struct containers *containers, struct arena *arena)
{
    unsigned int categories[2];
    char level[32];

    for (int i = 0; i < TRIES; i++) {
        pick_categories(categories);
        snprintf(level, sizeof(level), "s0:c%u,c%u", categories[0], categories[1]);
        if (!is_taken(containers, level))
            return arena_strdup(arena, level);
    }
    return NULL;
}

/* Whose processes or memory the container joins, if it does; resolved to its id before. */
static const struct managed_container *find_joined(const struct containers *containers,
                                                   const struct docker_host_config *host)
{
    const char *ids[] = {mode_container(host->ipc_mode), mode_container(host->pid_mode)};

    for (const struct managed_container *one = containers->list; one != NULL; one = one->next) {
        for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
            if (ids[i] != NULL && strcmp(one->definition->id, ids[i]) == 0)
                return one;
        }
    }
    return NULL;
}

static int choose_level(struct managed_container *container, struct revision *draft,
                        const struct image *image, struct error *err)
{
    const struct containers *containers = container->containers;
    const struct managed_container *joined =
        find_joined(containers, &draft->definition.host_config);
    cleanup_arena struct arena arena = {0};
    struct definition_security security;
    int result =
        definition_security(&arena, &draft->definition, &containers->selinux, &security, err);

    (void)image;
    if (result == 0 && security.apparmor_profile != NULL && !apparmor_is_enabled())
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.SecurityOpt: apparmor: not supported: this host has no "
                         "AppArmor");
    if (result < 0 || !security.wants_level)
        return result;
    if (joined != NULL && joined->definition->selinux_level != NULL)
        draft->definition.selinux_level =
            arena_strdup(&draft->arena, joined->definition->selinux_level);
    else
        draft->definition.selinux_level = pick_level(containers, &draft->arena);
    if (draft->definition.selinux_level == NULL)
        return error_set(err, ERROR_BUSY, EAGAIN, "no SELinux level is free");
    return 0;
}

static void describe_labels(struct json_writer *writer, const struct managed_container *container)
{
    const struct containers *containers = container->containers;
    cleanup_arena struct arena arena = {0};
    struct definition_security security = {0};
    const char *profile = "";

    if (definition_security(&arena, container->definition, &containers->selinux, &security, NULL) ==
        0) {
        if (security.apparmor_profile != NULL)
            profile = security.apparmor_profile;
        else if (security.takes_default_apparmor && apparmor_has_profile(DEFAULT_APPARMOR_PROFILE))
            profile = DEFAULT_APPARMOR_PROFILE;
        else if (apparmor_is_enabled())
            profile = "unconfined";
    }
    json_member_string(writer, "AppArmorProfile", profile);
    json_member_string(writer, "MountLabel",
                       security.labels.file != NULL ? security.labels.file : "");
    json_member_string(writer, "ProcessLabel",
                       security.labels.process != NULL ? security.labels.process : "");
}

const struct container_part label_part = {
    .name = "labels",
    .define = choose_level,
    .describe = describe_labels,
};
