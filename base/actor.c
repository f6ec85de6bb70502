/* See actor.h. */
#include "actor.h"

#include <string.h>

const struct actor actor_davitd = {.tenant = ""};

bool tenant_is(const char *tenant, const char *other)
{
    return strcmp(tenant != NULL ? tenant : "", other != NULL ? other : "") == 0;
}
