/* Capability names (capabilities(7)) and the sets that containers get. */
#ifndef DAVIT_BUNDLE_CAPABILITIES_H
#define DAVIT_BUNDLE_CAPABILITIES_H

#include "base/error.h"
#include "base/json_table.h"

/* The number of a "CAP_NAME", or -1. */
int capability_number(const char *name);

/* The name of a capability number, or NULL. */
const char *capability_name(int number);

/* The set a container gets by default, changed by lists of names as docker's --cap-add and
 * --cap-drop take them: with or without "CAP_", any case, "ALL". Adding wins over dropping. */
int capabilities_resolve(struct arena *arena, const struct string_list *add,
                         const struct string_list *drop, struct string_list *set,
                         struct error *err);

#endif
