/*
 * Network configuration lists of the Container Network Interface, versions 0.3.0 to 1.1 (CNI
 * specification, section 1): which plugins a container's network is made by. Written by the
 * administrator, for us and for others.
 */
#ifndef DAVIT_NETWORK_CNI_CONFIG_H
#define DAVIT_NETWORK_CNI_CONFIG_H

#include "base/json.h"

#define CNI_CONFIG_DIRECTORY "/etc/cni/net.d"
#define CNI_PLUGINS_MAX 16

struct cni_config {
    const struct json *root; /* as it was written */
    const char *name;
    const char *version;
    const struct json *plugins[CNI_PLUGINS_MAX]; /* objects with a type */
    size_t plugin_count;
};

/* Decodes the document, whose memory `config` shares. The configuration of a single plugin counts
 * as a list of one. Refuses other documents, and versions whose results have another form. */
int cni_config_decode(const struct json *root, struct cni_config *config, struct error *err);

/* Reads a file that nobody but its owner, root or the caller, can write to. */
int cni_config_read(struct arena *arena, const char *path, struct cni_config *config,
                    struct error *err);

/* Finds the file in CNI_CONFIG_DIRECTORY that defines the network of that name; of several, the one
 * whose file name sorts first. ERROR_NOT_FOUND if there is none. */
int cni_config_find(struct arena *arena, const char *name, const char **path, struct error *err);

/* Whether the plugin says that it has the capability. */
bool cni_plugin_has(const struct json *plugin, const char *capability);

#endif
