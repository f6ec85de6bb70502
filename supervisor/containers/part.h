/*
 * Parts of containers: a row of functions says what one subject does in a container's life. The
 * lifecycle runs through a table of rows, in order, and names none of them; the composition root
 * assembles the table. What starts by a restart policy or is recovered passes the same rows as what
 * a client asks for. docs/container-states.md draws when each is called.
 *
 * A new part is a file with its row, and a line in the table.
 */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_PART_H
#define DAVIT_SUPERVISOR_CONTAINERS_PART_H

#include "base/actor.h"
#include "container.h"

/* What somebody wants to do with a container. */
enum container_action {
    ACTION_CREATE,
    ACTION_START,
    ACTION_STOP,
    ACTION_SIGNAL,
    ACTION_PAUSE,
    ACTION_UNPAUSE,
    ACTION_ATTACH,
    ACTION_EXEC,
    ACTION_UPDATE, /* limits, probes, networks, what it may reach, its name */
    ACTION_REMOVE,
};

/* A start under way, as its parts see it. */
struct container_start {
    int netns_fd; /* of the network namespace that it will be in, if that is known; or -1 */
};

/* Every function may be NULL. Those that return 0 or a negative errno may refuse. A container that
 * then cannot be made is undone by `undefine` of all rows. */
struct container_part {
    const char *name;

    /* Memory of the part's own for each container, zeroed: container_part_state(). */
    size_t state_size;
    /* The memory is new; nothing else of the container is known yet. */
    void (*open)(struct managed_container *container);
    /* The memory and the container are about to be freed. */
    void (*release)(struct managed_container *container);

    /* Whether `actor` may do `action`. Changes nothing. */
    int (*admit)(struct managed_container *container, const struct actor *actor,
                 enum container_action action, struct error *err);

    /* A new container: completes its definition, checks it, and takes what the container needs for
     * as long as it exists. `draft` is the container's revision, which nobody else knows yet and
     * which may still be changed. */
    int (*define)(struct managed_container *container, struct revision *draft,
                  const struct image *image, struct error *err);
    /* The container could not be made: gives back what `define` has taken, if that was called. */
    void (*undefine)(struct managed_container *container);
    /* Writes the part's files to the directory of a new container. */
    int (*write)(struct managed_container *container, struct error *err);

    /* The container is in davitd's list: it is new, or was found at davitd's start. */
    void (*known)(struct managed_container *container);
    /* The container was removed and is off the list. */
    void (*removed)(struct managed_container *container, bool removes_volumes);

    /* The container starts and has a monitor: sends what that must know before MONITOR_START. */
    int (*prepare)(struct managed_container *container, struct container_start *start,
                   struct error *err);
    /* Its monitor is at work. */
    void (*starting)(struct managed_container *container, const struct container_start *start);
    /* Its first process is there and waits: one part gives it its network and tells its monitor
     * (MONITOR_NETWORK_READY). The descriptor stays the caller's. */
    void (*attach)(struct managed_container *container, int netns_fd, pid_t pid);
    /* Its program runs; its state is saved next. `is_new` is false if an earlier davitd has started
     * it. */
    void (*started)(struct managed_container *container, bool is_new);
    /* It did not start. */
    void (*failed)(struct managed_container *container);
    /* It has ended, or is found not to run; its state is not saved yet. */
    void (*ended)(struct managed_container *container);
    /* After `failed` or `ended`: what comes next, such as a restart. Those who wait for the end
     * are told after it. */
    void (*settled)(struct managed_container *container);

    /* The definition is another revision: drops pointers into the former one, which is freed
     * next. */
    void (*revised)(struct managed_container *container);
    /* A message of its monitor that is not about its life. False if it is not the part's. */
    bool (*message)(struct managed_container *container, const struct monitor_message *message);

    /* What is kept of its state: a table and the two directions. The record lies in `arena` and
     * points into the container or the arena. All parts' members stand in one object, so their
     * names are unique, and camelCase. A part whose state changes at another time than `started`,
     * `failed` and `ended` saves it by container_save_state(). */
    const struct json_struct *record_type;
    void (*record)(const struct managed_container *container, struct arena *arena, void *record);
    void (*restore)(struct managed_container *container, const void *record);
    /* At davitd's start, after `restore`: a monitor answers, so the container runs. */
    void (*found)(struct managed_container *container);
    /* At davitd's start, when all containers are known. */
    void (*recovered)(struct containers *containers);

    /* Writes members of `inspect`. */
    void (*describe)(struct json_writer *writer, const struct managed_container *container);
};

/* The part's memory. */
void *container_part_state(const struct managed_container *container,
                           const struct container_part *part);

/* For the lifecycle: each calls all rows. */

void parts_open(struct managed_container *container);
void parts_release(struct managed_container *container);
int parts_admit(struct managed_container *container, const struct actor *actor,
                enum container_action action, struct error *err);
int parts_define(struct managed_container *container, struct revision *draft,
                 const struct image *image, struct error *err);
void parts_undefine(struct managed_container *container);
int parts_write(struct managed_container *container, struct error *err);
void parts_known(struct managed_container *container);
void parts_removed(struct managed_container *container, bool removes_volumes);
int parts_prepare(struct managed_container *container, struct container_start *start,
                  struct error *err);
void parts_starting(struct managed_container *container, const struct container_start *start);
void parts_attach(struct managed_container *container, int netns_fd, pid_t pid);
void parts_started(struct managed_container *container, bool is_new);
void parts_failed(struct managed_container *container);
void parts_ended(struct managed_container *container);
void parts_settled(struct managed_container *container);
void parts_revised(struct managed_container *container);
void parts_message(struct managed_container *container, const struct monitor_message *message);
void parts_encode(struct json_writer *writer, const struct managed_container *container);
void parts_found(struct managed_container *container);
void parts_recovered(struct containers *containers);
void parts_describe(struct json_writer *writer, const struct managed_container *container);

/* Gives each part its record in `state`. One that cannot be read is empty; NULL: all are. */
void parts_restore(struct managed_container *container, const struct json *state);

#endif
