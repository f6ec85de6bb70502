/* Files of the Container Device Interface: cdi.h. Internal to bundle/. */
#ifndef DAVIT_BUNDLE_CDI_FILE_H
#define DAVIT_BUNDLE_CDI_FILE_H

#include "base/json_table.h"
#include "config.h"

struct cdi_device_node {
    const char *path;
    const char *host_path; /* NULL: the same */
    const char *type;      /* "b", "c", "u" or "p"; NULL: what the host's is */
    struct optional_int64 major;
    struct optional_int64 minor;
    struct optional_uint64 file_mode;
    const char *permissions; /* of "rwm", or "none"; NULL: "rwm" */
    struct optional_uint64 uid;
    struct optional_uint64 gid;
};

struct cdi_mount {
    const char *host_path;
    const char *container_path;
    const char *type;
    struct string_list options;
};

struct cdi_hook {
    const char *name;
    struct oci_hook hook;
};

struct cdi_edits {
    struct string_list env;
    LIST_OF(struct cdi_device_node) device_nodes;
    LIST_OF(struct cdi_mount) mounts;
    LIST_OF(struct cdi_hook) hooks;
    const struct json *additional_gids;
    const struct json *additional_gids_as_printed; /* the specification writes both */
    struct oci_intel_rdt *intel_rdt;
    LIST_OF(struct oci_net_device) net_devices;
};

struct cdi_device {
    const char *name;
    struct string_map annotations;
    struct cdi_edits edits;
};

struct cdi_file {
    const char *path; /* for errors */
    const char *version;
    const char *kind; /* "vendor.com/class" */
    struct string_map annotations;
    LIST_OF(struct cdi_device) devices;
    struct cdi_edits edits; /* of each of its devices */
};

/* Decodes and checks a document, JSON or YAML. A kind, a device or an edit that the specification
 * does not allow is an error, and so is a member that it does not have, or not yet in the version
 * that the file says. */
int cdi_file_parse(struct arena *arena, const char *text, size_t length, bool is_yaml,
                   struct cdi_file *file, struct error *err);

/* Reads directory_fd/name, a regular file that belongs to root and that nobody else may change. */
int cdi_file_read(struct arena *arena, int directory_fd, const char *name, struct cdi_file *file,
                  struct error *err);

/* The list of a hook's name ("createContainer"); NULL for a name that there is none of. */
oci_hook_list *cdi_hook_list(struct oci_hooks *hooks, const char *name);

/* Whether the first `length` bytes are "vendor.com/class". Whether this is the name of a device. */
bool cdi_is_kind(const char *kind, size_t length);
bool cdi_is_name(const char *name, size_t length);

#endif
