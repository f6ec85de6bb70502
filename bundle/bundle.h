/*
 * A runtime configuration from an image's configuration and the options a user gave. See config.h
 * for the configuration itself.
 */
#ifndef DAVIT_BUNDLE_BUNDLE_H
#define DAVIT_BUNDLE_BUNDLE_H

#include "capabilities.h"
#include "config.h"
#include "image_config.h"
#include "seccomp_profile.h"
#include "user.h"

/* Annotations of ours in a bundle's config.json. */
#define BUNDLE_ANNOTATION_INIT "io.davit.init"     /* "true": a reaper runs as process 1 */
#define BUNDLE_ANNOTATION_USER "io.davit.user"     /* user[:group], resolved in the root at start */
#define BUNDLE_ANNOTATION_GROUPS "io.davit.groups" /* supplementary groups, by comma; likewise */

/* Source of a bind mount that stands for the /dev/shm of another container. The runtime takes the
 * mount from shm_fd of struct container_options. */
#define BUNDLE_SHARED_SHM "davit:shm"

#define ID_RANGE_SIZE 65536

struct bundle_options {
    struct string_list args;
    struct string_list image_env;
    struct string_list env; /* replaces what the image set under the same names */
    const char *working_dir;
    const char *user;          /* user[:group], resolved in the root at start */
    struct string_list groups; /* supplementary, resolved in the root at start */
    const char *hostname;
    const char *domainname;
    bool has_terminal;
    bool is_root_readonly;
    bool no_new_privileges;
    bool is_privileged; /* nothing is masked or read-only; see also cap_add, device_rules */
    unsigned int host_namespaces; /* 1 << OCI_NAMESPACE_...: shared with the host */
    bool has_no_shm;              /* without /dev/shm */
    bool shares_shm;              /* /dev/shm is another container's */
    int64_t shm_bytes;            /* of /dev/shm; 0: 64 MiB */
    bool has_init;
    uint32_t id_range_first; /* of the ID_RANGE_SIZE host ids in its user namespace; 0: none */
    struct string_list cap_add;
    struct string_list cap_drop;
    LIST_OF(struct oci_mount) mounts; /* after the standard ones, by destination depth */
    LIST_OF(struct oci_rlimit) rlimits;
    LIST_OF(struct oci_device) devices;
    LIST_OF(struct oci_device_rule) device_rules; /* after the one that denies everything */
    struct string_map sysctl;
    struct string_map annotations;
    const struct string_list *masked_paths; /* NULL: the usual ones */
    const struct string_list *readonly_paths;
    struct optional_int64 oom_score_adj;
    struct oci_resources *resources;
    const char *cgroups_path;
    const char *apparmor_profile; /* NULL: none */
    const char *process_label;    /* SELinux; NULL: none */
    const char *mount_label;
};

/* Fills `config`, sharing the options' memory and allocating the rest in the arena. */
int bundle_make_config(struct arena *arena, const struct bundle_options *options,
                       struct oci_config *config, struct error *err);

/* Puts parents before children, so that a mount is never hidden by one of its parents. Those of one
 * depth keep their order. */
void oci_mounts_sort(struct oci_mount *mounts, size_t count);

/* The value of NAME in a list of "NAME=value", or NULL. */
const char *env_get(const struct string_list *env, const char *name);

/* base, with every entry of `changes` set; an entry without "=" removes the name. */
void env_merge(struct arena *arena, const struct string_list *base,
               const struct string_list *changes, struct string_list *merged);

#endif
