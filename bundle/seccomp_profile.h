/*
 * Seccomp profiles in the format Docker made common: the runtime-spec's rules, with conditions on
 * capabilities, architecture and kernel version. Resolving one for a container gives the plain
 * runtime-spec form.
 */
#ifndef DAVIT_BUNDLE_SECCOMP_PROFILE_H
#define DAVIT_BUNDLE_SECCOMP_PROFILE_H

#include "base/error.h"
#include "base/json_table.h"
#include "config.h"

/* The text of dist/seccomp.json, built into the program. */
extern const char seccomp_default_profile[];
extern const size_t seccomp_default_profile_length;

/* Reads a profile and keeps the rules whose conditions hold for a container with these
 * capabilities on this machine. A profile in plain runtime-spec form passes unchanged. */
int seccomp_profile_resolve(struct arena *arena, const char *text, size_t length,
                            const struct string_list *capabilities, struct oci_seccomp *seccomp,
                            struct error *err);

#endif
