/* Docker-style seccomp profiles: see seccomp_profile.h. */
#include "seccomp_profile.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/number.h"

/* The file is part of the program, so that a daemon never starts without a profile. */
__asm__(".pushsection .rodata\n"
        ".globl seccomp_default_profile\n"
        "seccomp_default_profile:\n"
        ".incbin \"dist/seccomp.json\"\n"
        "seccomp_default_profile_end:\n"
        ".byte 0\n"
        ".balign 8\n"
        ".globl seccomp_default_profile_length\n"
        "seccomp_default_profile_length:\n"
        ".quad seccomp_default_profile_end - seccomp_default_profile\n"
        ".popsection\n");

struct condition {
    struct string_list caps;
    struct string_list arches;
    const char *min_kernel;
};

struct profile_rule {
    struct condition includes;
    struct condition excludes;
};

struct architecture {
    const char *architecture;
    struct string_list sub_architectures;
};

struct profile {
    LIST_OF(struct architecture) arch_map;
    const struct json *rules;
};

#define FIELD JSON_FIELD

static const struct json_field condition_fields[] = {
    FIELD(struct condition, caps, "caps", JSON_KIND_STRINGS),
    FIELD(struct condition, arches, "arches", JSON_KIND_STRINGS),
    FIELD(struct condition, min_kernel, "minKernel", JSON_KIND_STRING),
};
static const struct json_struct condition_type = JSON_STRUCT(struct condition, condition_fields);

static const struct json_field rule_fields[] = {
    FIELD(struct profile_rule, includes, "includes", JSON_KIND_INLINE, .type = &condition_type),
    FIELD(struct profile_rule, excludes, "excludes", JSON_KIND_INLINE, .type = &condition_type),
};
static const struct json_struct rule_type = JSON_STRUCT(struct profile_rule, rule_fields);

static const struct json_field architecture_fields[] = {
    FIELD(struct architecture, architecture, "architecture", JSON_KIND_STRING,
          .flags = JSON_REQUIRED),
    FIELD(struct architecture, sub_architectures, "subArchitectures", JSON_KIND_STRINGS),
};
static const struct json_struct architecture_type =
    JSON_STRUCT(struct architecture, architecture_fields);

static const struct json_field profile_fields[] = {
    FIELD(struct profile, arch_map, "archMap", JSON_KIND_STRUCTS, .type = &architecture_type),
    FIELD(struct profile, rules, "syscalls", JSON_KIND_JSON),
};
static const struct json_struct profile_type = JSON_STRUCT(struct profile, profile_fields);

/* Names of this machine in the two vocabularies a profile uses. */
static const struct {
    const char *machine; /* uname(2) */
    const char *go_name;
    const char *seccomp_name;
} machines[] = {
    {"x86_64", "amd64", "SCMP_ARCH_X86_64"},     {"aarch64", "arm64", "SCMP_ARCH_AARCH64"},
    {"riscv64", "riscv64", "SCMP_ARCH_RISCV64"}, {"ppc64le", "ppc64le", "SCMP_ARCH_PPC64LE"},
    {"s390x", "s390x", "SCMP_ARCH_S390X"},
};

struct host {
    const char *go_name;
    const char *seccomp_name;
    uint64_t kernel_major;
    uint64_t kernel_minor;
};

/* "6.1.0-13-amd64" is 6.1, and "6" is 6.0. */
static bool read_version(const char *text, uint64_t *major, uint64_t *minor)
{
    *minor = 0;
    if (!number_take(&text, 10, INT32_MAX, major))
        return false;
    if (*text != '.')
        return true;
    text++;
    return number_take(&text, 10, INT32_MAX, minor);
}

static void host_describe(struct host *host, struct utsname *names)
{
    *host = (struct host){.go_name = "unknown", .seccomp_name = ""};
    uname(names);
    if (!read_version(names->release, &host->kernel_major, &host->kernel_minor))
        host->kernel_major = 0;
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (strcmp(machines[i].machine, names->machine) == 0) {
            host->go_name = machines[i].go_name;
            host->seccomp_name = machines[i].seccomp_name;
        }
    }
}

static bool kernel_is_at_least(const struct host *host, const char *version)
{
    uint64_t major = 0;
    uint64_t minor = 0;

    if (!read_version(version, &major, &minor))
        return false;
    return host->kernel_major > major ||
           (host->kernel_major == major && host->kernel_minor >= minor);
}

/* A rule applies if every includes condition holds and no excludes condition does. */
static bool rule_applies(const struct profile_rule *rule, const struct string_list *capabilities,
                         const struct host *host)
{
    const struct condition *needs = &rule->includes;
    const struct condition *not_with = &rule->excludes;

    if (needs->arches.count > 0 && !string_list_has(&needs->arches, host->go_name))
        return false;
    for (size_t i = 0; i < needs->caps.count; i++) {
        if (!string_list_has(capabilities, needs->caps.items[i]))
            return false;
    }
    if (needs->min_kernel != NULL && !kernel_is_at_least(host, needs->min_kernel))
        return false;
    if (not_with->arches.count > 0 && string_list_has(&not_with->arches, host->go_name))
        return false;
    for (size_t i = 0; i < not_with->caps.count; i++) {
        if (string_list_has(capabilities, not_with->caps.items[i]))
            return false;
    }
    return not_with->min_kernel == NULL || !kernel_is_at_least(host, not_with->min_kernel);
}

/* archMap, if given, replaces the list of architectures. */
static void resolve_architectures(struct arena *arena, const struct profile *profile,
                                  const struct host *host, struct oci_seccomp *seccomp)
{
    for (size_t i = 0; i < profile->arch_map.count; i++) {
        const struct architecture *entry = &profile->arch_map.items[i];
        struct string_list *list = &seccomp->architectures;

        if (strcmp(entry->architecture, host->seccomp_name) != 0)
            continue;
        list->count = 0;
        list->items = arena_new(arena, 1 + entry->sub_architectures.count, sizeof(*list->items));
        list->items[list->count++] = entry->architecture;
        for (size_t j = 0; j < entry->sub_architectures.count; j++)
            list->items[list->count++] = entry->sub_architectures.items[j];
    }
}

int seccomp_profile_resolve(struct arena *arena, const char *text, size_t length,
                            const struct string_list *capabilities, struct oci_seccomp *seccomp,
                            struct error *err)
{
    struct profile profile = {0};
    struct utsname names;
    struct host host;
    const struct json *json;
    size_t kept = 0;
    int result = json_parse(arena, text, length, &json_default_limits, &json, err);

    if (result == 0)
        result = json_decode(arena, json, &profile_type, "", &profile, err);
    if (result == 0)
        result = json_decode(arena, json, &oci_seccomp_type, "", seccomp, err);
    if (result < 0)
        return error_prefix(err, "seccomp profile");
    host_describe(&host, &names);
    resolve_architectures(arena, &profile, &host, seccomp);
    for (size_t i = 0; profile.rules != NULL && i < seccomp->rules.count; i++) {
        struct profile_rule rule = {0};

        result = json_decode(arena, &profile.rules->items[i], &rule_type, "syscalls", &rule, err);
        if (result < 0)
            return error_prefix(err, "seccomp profile");
        if (rule_applies(&rule, capabilities, &host))
            seccomp->rules.items[kept++] = seccomp->rules.items[i];
    }
    seccomp->rules.count = kept;
    return 0;
}
