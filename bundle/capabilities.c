/* Capability names and default sets: see capabilities.h. */
#include "capabilities.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* By number, as in linux/capability.h. */
static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

/* What Docker and Podman users expect to work without asking. */
static const char *const default_names[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",           "CAP_FSETID",  "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID",       "CAP_SETPCAP",          "CAP_NET_RAW", "CAP_SYS_CHROOT",
    "CAP_MKNOD",  "CAP_AUDIT_WRITE",  "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
};

int capability_number(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

const char *capability_name(int number)
{
    return number >= 0 && number < (int)ARRAY_SIZE(names) ? names[number] : NULL;
}

static int to_mask(const struct string_list *list, uint64_t *mask, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *wanted = list->items[i];
        char full[64];
        int number = -1;

        if (strcasecmp(wanted, "ALL") == 0) {
            *mask |= (UINT64_C(1) << ARRAY_SIZE(names)) - 1;
            continue;
        }
        snprintf(full, sizeof(full), "%s%.50s", strncasecmp(wanted, "CAP_", 4) == 0 ? "" : "CAP_",
                 wanted);
        for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
            if (strcasecmp(names[j], full) == 0)
                number = (int)j;
        }
        if (number < 0)
            return error_set(err, ERROR_INVALID, EINVAL, "unknown capability \"%.64s\"", wanted);
        *mask |= UINT64_C(1) << number;
    }
    return 0;
}

int capabilities_resolve(struct arena *arena, const struct string_list *add,
                         const struct string_list *drop, struct string_list *set, struct error *err)
{
    uint64_t mask = 0;
    uint64_t added = 0;
    uint64_t dropped = 0;

    for (size_t i = 0; i < ARRAY_SIZE(default_names); i++)
        mask |= UINT64_C(1) << capability_number(default_names[i]);
    if (to_mask(add, &added, err) < 0)
        return error_prefix(err, "CapAdd");
    if (to_mask(drop, &dropped, err) < 0)
        return error_prefix(err, "CapDrop");
    mask = (mask & ~dropped) | added;
    set->items = arena_new(arena, ARRAY_SIZE(names), sizeof(*set->items));
    set->count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if ((mask & UINT64_C(1) << i) != 0)
            set->items[set->count++] = names[i];
    }
    return 0;
}
