/* See mount_mappings.h. */
#include "mount_mappings.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define MAPPINGS_MAX 340 /* user_namespaces(7), "/proc/pid/uid_map" */

struct mapping_list {
    struct oci_id_mapping *items;
    size_t count;
};

/* The host's id of a range of ids of the container; false if it is not mapped as a whole. */
static bool translate(const struct mapping_list *container, struct oci_id_mapping *mapping)
{
    if (container->count == 0)
        return true;
    for (size_t i = 0; i < container->count; i++) {
        const struct oci_id_mapping *outer = &container->items[i];
        uint32_t offset = mapping->host_id - outer->container_id;

        if (mapping->host_id >= outer->container_id && offset < outer->size &&
            mapping->size <= outer->size - offset) {
            mapping->host_id = outer->host_id + offset;
            return true;
        }
    }
    return false;
}

/* One "FIRST-SECOND-COUNT" at *text. */
static bool take_mapping(const char **text, struct oci_id_mapping *mapping)
{
    uint64_t numbers[3];

    for (size_t i = 0; i < 3; i++) {
        if (!number_take(text, 10, UINT32_MAX - 1, &numbers[i]) || (i < 2 && *(*text)++ != '-'))
            return false;
    }
    *mapping =
        (struct oci_id_mapping){(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2]};
    return numbers[2] > 0;
}

/* One list at *text, up to ";" or the end. */
static bool take_list(struct arena *arena, const char **text, const struct mapping_list *container,
                      struct mapping_list *list)
{
    bool is_relative = **text == '@';

    *text += is_relative;
    list->items = arena_new(arena, MAPPINGS_MAX, sizeof(*list->items));
    for (;;) {
        struct oci_id_mapping *mapping = &list->items[list->count];

        if (list->count == MAPPINGS_MAX || !take_mapping(text, mapping) ||
            (is_relative && !translate(container, mapping)))
            return false;
        list->count++;
        if (**text == ';' || **text == '\0')
            return true;
        if (*(*text)++ != '#')
            return false;
    }
}

int mount_mappings_parse(struct arena *arena, const char *text, const struct oci_linux *linux_part,
                         struct oci_mount *mount, struct error *err)
{
    const struct mapping_list uid_outer = {linux_part->uid_mappings.items,
                                           linux_part->uid_mappings.count};
    const struct mapping_list gid_outer = {linux_part->gid_mappings.items,
                                           linux_part->gid_mappings.count};
    struct mapping_list uids = {0};
    struct mapping_list gids = {0};
    const char *rest = text;
    bool is_good = true;

    while (is_good && *rest != '\0') {
        if (strncmp(rest, "uids=", 5) == 0 && uids.count == 0) {
            rest += 5;
            is_good = take_list(arena, &rest, &uid_outer, &uids);
        } else if (strncmp(rest, "gids=", 5) == 0 && gids.count == 0) {
            rest += 5;
            is_good = take_list(arena, &rest, &gid_outer, &gids);
        } else {
            is_good = false;
        }
        rest += is_good && *rest == ';';
    }
    if (!is_good || uids.count == 0 || gids.count == 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "option idmap=%.128s: not like uids=0-1000-10#10-2000-5;gids=0-1000-15, "
                         "or not mapped in the container",
                         text);
    mount->uid_mappings.items = uids.items;
    mount->uid_mappings.count = uids.count;
    mount->gid_mappings.items = gids.items;
    mount->gid_mappings.count = gids.count;
    return 0;
}
