/*
 * davit-cni: the plugins of a container's networks, run one after the other, once when it starts
 * and once when it has ended. Internal to network/cni/.
 *
 * What it has begun stands in a record, a file of the container's: a line for each network before
 * its first plugin runs, with the configuration that the removal will need, and a line with the
 * result. Whoever dies, the next removal finds what may have been made; it empties the record.
 */
#ifndef DAVIT_NETWORK_CNI_CNI_H
#define DAVIT_NETWORK_CNI_CNI_H

#include "network/cni_config.h"
#include "network/cni_job.h"

/* Plugin.c */

/* What a plugin is run for; the environment of the specification's section 2. */
struct plugin_call {
    const char *command; /* "ADD", "DEL" */
    const char *container;
    const char *netns; /* "" if it is gone */
    const char *interface;
    const char *arguments; /* CNI_ARGS; "" */
    const struct string_list *directories;
};

/* Runs the plugin of that type with the configuration as its input. What it prints is parsed into
 * *output, NULL if that was nothing. A minute at most. */
int plugin_run(struct arena *arena, const char *type, const char *configuration,
               const struct plugin_call *call, const struct json **output, struct error *err);

/* Chain.c */

/* All plugins of a list, in their order; *result is the last one's. */
int chain_add(struct arena *arena, const struct cni_config *config,
              const struct cni_network *network, struct plugin_call *call,
              const struct json **result, struct error *err);

/* The other way round; goes on after a failure, and reports the first. `result` may be NULL. */
int chain_remove(struct arena *arena, const struct cni_config *config,
                 const struct cni_network *network, struct plugin_call *call,
                 const struct json *result, struct error *err);

/* Record.c */

#define RECORD_NETWORKS_MAX 64

struct record_entry {
    struct cni_network network;
    struct cni_config config;
    const struct json *result; /* NULL: it did not come so far */
};

struct record {
    struct record_entry entries[RECORD_NETWORKS_MAX];
    size_t count;
};

/* Waits for whoever has it; davitd may have locked it for us. */
int record_lock(int fd, struct error *err);

/* Of complete lines alone; the rest was never begun. In the arena. */
int record_read(struct arena *arena, int fd, struct record *record, struct error *err);

/* A network whose plugins are about to run, and what came of it. */
int record_begin(int fd, const struct cni_network *network, const struct cni_config *config,
                 struct error *err);
int record_result(int fd, const struct json *result, struct error *err);
int record_clear(int fd, struct error *err);

#endif
