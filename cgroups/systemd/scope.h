/*
 * Scopes: cgroups that systemd makes and delegates to us, by its D-Bus interface
 * (org.freedesktop.systemd1(5), systemd.scope(5)). Needs libsystemd, which is not for static
 * programs: davit-oci gets here by the program davit-scope.
 *
 * All functions block until systemd has done what was asked.
 */
#ifndef DAVIT_CGROUPS_SYSTEMD_SCOPE_H
#define DAVIT_CGROUPS_SYSTEMD_SCOPE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/json_table.h"
#include "cgroups/cgroups.h"

/* A unit property; `kind` says which of the values it has. */
enum systemd_property_kind {
    SYSTEMD_PROPERTY_UNSET,
    SYSTEMD_PROPERTY_BOOL,    /* number */
    SYSTEMD_PROPERTY_INT32,   /* number */
    SYSTEMD_PROPERTY_INT64,   /* number */
    SYSTEMD_PROPERTY_UINT32,  /* number */
    SYSTEMD_PROPERTY_UINT64,  /* number, with its bits as they are */
    SYSTEMD_PROPERTY_STRING,  /* text */
    SYSTEMD_PROPERTY_STRINGS, /* texts */
    SYSTEMD_PROPERTY_CPUS,    /* text: "0-3,7", sent as a bit mask */
};

struct systemd_property {
    const char *name;
    int kind;
    int64_t number;
    const char *text;
    struct string_list texts;
};

struct systemd_scope {
    const char *unit; /* "libpod-ID.scope" */
    const char *slice;
    const char *description;
    int32_t pid; /* the scope's first process: a scope without any is no scope */
    LIST_OF(struct systemd_property) properties;
};

/* How a struct systemd_scope is written as a JSON document. */
extern const struct json_struct systemd_scope_type;

/* True if this process was started as a unit of the systemd that manages this host. */
bool systemd_manages_us(void);

/* True while systemd ends all units because the machine goes down or reboots. Asks systemd by its
 * private socket, because the system bus may be gone. For root. */
bool systemd_is_stopping(void);

/* Starts the scope, delegated to us; *path is its cgroup. -EEXIST if there is one of that name. */
int systemd_scope_start(const struct systemd_scope *scope, char path[CGROUP_PATH_SIZE],
                        struct error *err);

/* Starts a scope, or finds the one that an earlier process left. */
int systemd_scope_get(const struct systemd_scope *scope, char path[CGROUP_PATH_SIZE],
                      struct error *err);

/* Changes properties of a running scope (not persistently). */
int systemd_scope_set(const struct systemd_scope *scope, struct error *err);

/* Stops a scope, which kills what is left in it. One that is gone is fine. */
int systemd_scope_stop(const char *unit, struct error *err);

#endif
