/*
 * Named and anonymous volumes: directories that outlive containers.
 *
 *   <root>/volumes/NAME/_data         what containers see
 *   <root>/volumes/NAME/volume.json   labels, options; there before the volume has its name
 *
 * The directory of a volume that a tenant has is called TENANT@NAME.
 *
 * What is on disk is the truth: a volume is made under a temporary name and renamed, and leaves by
 * a rename. Whoever has a volume says so (volumes_hold()): while anybody has it it stays.
 */
#ifndef DAVIT_SUPERVISOR_VOLUMES_VOLUMES_H
#define DAVIT_SUPERVISOR_VOLUMES_VOLUMES_H

#include "base/findings.h"
#include "base/json_table.h"
#include "supervisor/definition/definition.h"
#include "supervisor/events/bus.h"
#include "supervisor/store/places.h"
#include "supervisor/store/projects.h"
#include "supervisor/store/trash.h"

struct volume {
    struct volume *next;
    char *tenant; /* whose it is; "": the host's own */
    char *name;   /* unique within the tenant */
    int64_t created_ns;
    bool is_anonymous;
    uint32_t project; /* of its disk quota; 0: none */
    struct string_map labels;
    struct string_map options; /* "size"; or "type", "device" and "o" */
    struct arena arena;
    char **users; /* ids of the containers that have it */
    size_t user_count;
};

/* All there are. The rooms that it needs are to be set before anything else. */
struct volumes {
    const struct places *places;
    struct trash *trash;
    struct projects *projects;
    struct event_bus *events;
    struct volume *list; /* newest first */
};

/* What a volume is made of. */
struct volume_order {
    const char *name;   /* NULL or "": a random one, and the volume is anonymous */
    const char *driver; /* NULL, "" or "local" */
    struct string_map labels;
    struct string_map options;
};

/* Reads those on disk and removes what is half made. One that cannot be read is reported and left
 * alone. */
int volumes_read(struct volumes *volumes, struct error *err);

/* Finds directories that no volume can be read from, reads them again, and with REPAIR_PRUNE
 * removes them. */
void volumes_repair(struct volumes *volumes, enum repair how, struct findings *findings);

/* ERROR_NOT_FOUND "get NAME: no such volume". */
int volume_find(const struct volumes *volumes, const char *tenant, const char *name,
                struct volume **volume, struct error *err);

/* Finds or makes it; durable when it returns. *is_new says which. */
int volume_make(struct volumes *volumes, const char *tenant, const struct volume_order *order,
                struct volume **volume, bool *is_new, struct error *err);

/* Removes it with its content, and frees it. ERROR_CONFLICT while a container has it. */
int volume_remove(struct volumes *volumes, struct volume *volume, struct error *err);

/* Writes what the API says of it; `bytes` < 0: not known. */
void volume_write(struct json_writer *writer, const struct volumes *volumes,
                  const struct volume *volume, int64_t bytes);

/* "/var/lib/davit/volumes/NAME/_data"; free() it. */
char *volume_path(const struct volumes *volumes, const char *tenant, const char *name);

/* Volumes that are not directories here, but what is mounted from elsewhere: source.c */

/* Checks the options of a new volume; *size becomes its limit, 0 being none. */
int volume_check_options(const struct string_map *options, int64_t *size, struct error *err);

/* What is mounted for the volume, in the arena; zeroes if it is a directory. */
void volume_get_source(struct arena *arena, const struct volume *volume,
                       struct volume_source *source);

/* Makes sure that a volume in memory (type tmpfs) is there: it is mounted over the volume's
 * directory, where all its containers find it, until the volume is removed or the machine ends. */
int volume_mount_memory(const struct volumes *volumes, const struct volume *volume,
                        struct error *err);
/* Unmounts what is mounted in a volume's directory of that name, whatever its options say. */
void volume_unmount_memory(const struct volumes *volumes, const char *directory);

/* A container's: of_container.c */

/* The sources of its mount points; in the arena. */
const struct volume_source *container_volume_sources(const struct volumes *volumes,
                                                     struct arena *arena,
                                                     const struct definition *definition);

/* Mounts those in memory. */
int container_volumes_mount_memory(const struct volumes *volumes,
                                   const struct definition *definition, struct error *err);

/* Completes the mount points of a definition with anonymous volumes, and makes the volumes that are
 * missing. After a failure those are gone again. */
int container_volumes_make(struct volumes *volumes, struct arena *arena,
                           struct definition *definition, const struct json *image_volumes,
                           struct error *err);

/* Removes those that were made for a container which then could not be. */
void container_volumes_take_back(struct volumes *volumes, const struct definition *definition);

/* Notes the container as a user of its volumes; takes it off again. */
void volumes_hold(struct volumes *volumes, const struct definition *definition);
void volumes_release(struct volumes *volumes, const struct definition *definition);

/* Removes the anonymous volumes of a container that is gone, unless another container has them. */
void container_volumes_remove(struct volumes *volumes, const struct definition *definition);

#endif
