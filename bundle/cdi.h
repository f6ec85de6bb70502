/*
 * Devices of vendors by the Container Device Interface, version 1.1 (SPEC.md of
 * cncf-tags/container-device-interface): files below /etc/cdi and /var/run/cdi say what has to be
 * changed in a configuration so that a container can use a device called "vendor.com/class=name".
 *
 * What such a file says is done as root, hooks among it: so it is read only if it is root's.
 */
#ifndef DAVIT_BUNDLE_CDI_H
#define DAVIT_BUNDLE_CDI_H

#include "base/error.h"
#include "base/json_table.h"
#include "base/memory.h"
#include "config.h"

/* The newest version of the specification that files may have. */
#define CDI_VERSION "1.1.0"

/* The user or group of a device whose file does not say whose it is: the process's, which need not
 * be known yet. cdi_own_devices() puts it in. */
#define CDI_OWNER_OF_PROCESS UINT32_MAX

/* What a container asks for. */
struct cdi_class_request {
    const char *class_name;    /* "vendor.com/class" */
    struct string_list wanted; /* names of devices; none: so many as `count` */
    int64_t count;             /* negative: all */
};

struct cdi_request {
    struct string_list directories; /* a device of a later one hides that of an earlier one */
    struct string_list devices;     /* "vendor.com/class=name" */
    LIST_OF(struct cdi_class_request) classes;
};

extern const struct json_struct cdi_request_type;

/* True for "vendor.com/class=name". Everything else is a path of the host. */
bool cdi_is_device(const char *name);

/* True for "vendor.com/class". */
bool cdi_is_class(const char *name);

/*
 * Changes `config` for what is asked for: what each device says, and once for each file what that
 * says for all of its devices. With a class and no names its device "all" is taken for all of it,
 * if there is one. Files that have mistakes are passed over, and named in the error if a device is
 * then not found. All that is added lies in the arena; groups are added to the annotation
 * BUNDLE_ANNOTATION_GROUPS. Reads files, also those that the edits name: not for a process that
 * others wait for. Errors: -ENODEV for a device that no file has, or that two files of one
 * directory have.
 */
int cdi_apply(struct arena *arena, const struct cdi_request *request, struct oci_config *config,
              struct error *err);

/* Gives the devices whose owner was left open to the user of the process, who is known by now. */
void cdi_own_devices(struct oci_config *config);

#endif
