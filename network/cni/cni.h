/*
 * davit-cni: the plugins of a container's networks, run one after the other, once when it starts
 * and once when it has ended. Internal to network/cni/.
 *
 * Each container has a record, a file that says what was begun: a line for each network before its
 * first plugin runs, with the configuration that the removal will need, and a line with the result.
 * Whichever process dies, the next removal finds what may have been made, and empties the record.
 */
#ifndef DAVIT_NETWORK_CNI_CNI_H
#define DAVIT_NETWORK_CNI_CNI_H

#include "network/cni_config.h"
#include "network/cni_job.h"

/* plugin.c */

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

/* chain.c */

/* All plugins of a list, in their order; *result is the last one's. */
int chain_add(struct arena *arena, const struct cni_config *config,
              const struct cni_network *network, struct plugin_call *call,
              const struct json **result, struct error *err);

/* Runs all plugins in reverse order, with DEL. Goes on after a failure, and reports the first.
 * `result` may be NULL. */
int chain_remove(struct arena *arena, const struct cni_config *config,
                 const struct cni_network *network, struct plugin_call *call,
                 const struct json *result, struct error *err);

/* record.c */

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

/* Locks the record and waits for a davit-cni that has it locked. If davitd locked the file before
 * it passed it on, the lock is ours already. */
int record_lock(int fd, struct error *err);

/* Reads the complete lines of the record, in the arena. A last line that was cut off is left out:
 * the plugins of such a network were not run yet. */
int record_read(struct arena *arena, int fd, struct record *record, struct error *err);

/* Append a network whose plugins are about to run, and the result of the network before; empty the
 * record. */
int record_append_network(int fd, const struct cni_network *network,
                          const struct cni_config *config, struct error *err);
int record_append_result(int fd, const struct json *result, struct error *err);
int record_clear(int fd, struct error *err);

#endif
